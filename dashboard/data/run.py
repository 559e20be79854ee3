"""What the page Run asks of the ledger. Nothing here is kept longer than it is shown: a run changes while it is looked at."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from prefect_ledger import get_run, registry, search_runs
from prefect_ledger.entities import LoggedModel, Run
from prefect_ledger.errors import LedgerError
from prefect_ledger.registered import ModelVersion
from prefect_ledger.tracking.ledger import ledger

LATEST = 20  # runs that are offered where none was named


def find(wanted: str) -> Run:
    """The run of this id, or of its beginning; a deleted one too.

    Raises:
        RunNotFound: none, or several. InvalidName: not the beginning of an id.
    """
    return get_run(wanted.strip())


def latest() -> Sequence[Run]:
    """The runs that began last."""
    found: Sequence[Run] = search_runs(limit=LATEST)
    return found


def name_of(run_id: str) -> str:
    """The name of a run; its id's beginning where it is gone, or has none."""
    try:
        return ledger().reader.run(run_id).name or run_id[:8]
    except LedgerError:
        return run_id[:8]


def versions(models: Sequence[LoggedModel]) -> dict[str, list[ModelVersion]]:
    """The registered versions of logged models, by the models' ids."""
    found: dict[str, list[ModelVersion]] = {}
    for run in sorted({one.run_id for one in models}):
        for version in registry.search_versions(f"run_id = '{run}'"):
            found.setdefault(version.logged_id, []).append(version)
    return found


def part(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of the surroundings, such as "git"; empty where it was not recorded."""
    found = facts.get(name)
    return found if isinstance(found, Mapping) else {}


def started_by(facts: Mapping[str, Any]) -> str:
    """How the run was started, as a command: its deployment's, else that of its process; "" where neither was recorded."""
    if isinstance(name := facts.get("deployment"), str) and name:
        flow = part(facts, "prefect").get("flow")
        return f"prefect deployment run {shlex.quote(f'{flow}/{name}' if flow else name)}"
    about = part(facts, "environment")
    command, folder = about.get("command"), about.get("cwd")
    if not isinstance(command, str) or not command:
        return ""
    return f"cd {shlex.quote(folder)}\n{command}" if isinstance(folder, str) and folder else command
