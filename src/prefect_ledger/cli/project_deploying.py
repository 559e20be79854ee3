"""Floor 6. What ``prefect-ledger project deploy`` does and says."""

from __future__ import annotations

import json as documents
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger.cli.options import tag_of
from prefect_ledger.cli.render import dim, print_json, say, warn
from prefect_ledger.errors import InvalidValue
from prefect_ledger.formats import clean, count

if TYPE_CHECKING:
    from prefect_ledger.orchestration.deployment_targets import Target
    from prefect_ledger.orchestration.project_deployments import Deployed
    from prefect_ledger.projects.deployments import Asked

_DID = {
    False: {"created": "created", "updated": "updated", "unchanged": "as it was:"},
    True: {"created": "would create", "updated": "would update", "unchanged": "as it is:"},
}


def apply(asked: Asked, target: Target, *, dry_run: bool, json: bool) -> None:
    """Deploy, and say what became of each."""
    from prefect_ledger.orchestration.project_deployments import deploy

    done = deploy(asked, target, dry_run=dry_run, say=_note)
    if json:
        print_json({"dry_run": dry_run, "deployments": [asdict(one) for one in done]})
        return
    for one in done:
        say(f"{_DID[dry_run][one.did]} {clean(one.name)}")
        for change in one.changes:
            say(f"  {clean(change)}")
    if not dry_run and done:
        dim(f"next: {_next(done[0])}")


def write(asked: Asked, target: Target, *, where: Path, overwrite: bool, json: bool) -> None:
    """Write a ``prefect.yaml``, to stdout where ``where`` is ``-``."""
    from prefect_ledger.orchestration import deployment_targets
    from prefect_ledger.orchestration.deployment_files import as_yaml
    from prefect_ledger.orchestration.project_deployments import plan

    to_stdout = str(where) == "-"
    if str(where).startswith("-") and not to_stdout:
        raise InvalidValue(f"--write takes a file, or - for stdout, not {str(where)!r:.80}; a file of that name is ./{where}")
    if to_stdout and json:
        raise InvalidValue("--json and --write - both have stdout: leave one of them out")
    if not to_stdout and where.exists() and not overwrite:
        raise InvalidValue(f"{where} is there already: --overwrite replaces it, --write - shows what would be written")
    planned = plan(asked, target, say=_note)
    text = as_yaml(planned, target)
    for sentence in deployment_targets.notes(planned, target):
        _note(sentence)
    if to_stdout:
        sys.stdout.write(text)
        return
    part = where.with_name(f".{where.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(where)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InvalidValue(f"{where} cannot be written: {error.strerror}") from error
    if json:
        print_json(
            {"written": str(where), "deployments": [{"name": one.name, "entry_point": one.entry_point} for one in planned.deployments]}
        )
    else:
        say(f"{count(len(planned.deployments), 'deployment')} in {clean(where)}")
        dim(f"next: prefect --no-prompt deploy --all --prefect-file {clean(where)}")


def job_variables(texts: Sequence[str]) -> dict[str, Any] | None:
    """``name=value`` each; the value as JSON where it is that, else as text. None where none is said."""
    found: dict[str, Any] = {}
    for text in texts:
        name, value = tag_of(text)
        if name in found:
            raise InvalidValue(f"--job-variable {name!r:.80} is given twice")
        try:
            found[name] = documents.loads(value)
        except ValueError:
            found[name] = value
    return found or None


def _note(line: str) -> None:
    warn(clean(line))


def _next(one: Deployed) -> str:
    needed = "".join(f" -p parameters='{{\"{name}\": …}}'" for name in one.lacking[:1])
    return f"prefect deployment run {clean(one.name)!r}{needed}"
