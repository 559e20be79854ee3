"""Floor 6. ``prefect-ledger runs delete``, ``restore`` and ``tag``: which runs are meant, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from prefect_ledger.cli.render import dim, print_json, say, show
from prefect_ledger.cli.runs_table import runs_table
from prefect_ledger.entities import Run
from prefect_ledger.errors import InvalidValue
from prefect_ledger.formats import count

_SHOWN = 20
_AT_ONCE = 10_000
Verb: TypeAlias = Literal["delete", "restore", "tag"]
_DONE = {"delete": "deleted", "restore": "restored", "tag": "tagged"}
_WHY_NONE = {"delete": "they are deleted already", "restore": "they are active", "tag": "none matches"}


def change(
    verb: Verb,
    runs: Sequence[str],
    where: str | None,
    experiment: Sequence[str],
    *,
    yes: bool,
    json: bool,
    tags: Mapping[str, str | None] | None = None,
) -> None:
    """Delete, restore or tag runs that are named, or that match; of those that match, say first which they are.

    Raises:
        InvalidValue: neither runs nor ``where``, or both.
    """
    if bool(runs) == (where is not None) or (where is not None and not where.strip()):
        raise InvalidValue(f"say which runs to {verb}: their ids, or --where with a filter (prefect-ledger runs list --filter tries it)")
    if runs and experiment:
        raise InvalidValue("--experiment narrows --where; runs that are named need none")
    if where is None:
        _report(verb, _changed(verb, list(runs), tags), json=json)
        return
    matching = _matching(verb, where, experiment)
    if yes:
        _report(verb, _changed(verb, [run.id for run in matching], tags), json=json)
    elif json:
        print_json({"dry_run": True, "runs": [run.id for run in matching]})
    else:
        _preview(verb, matching)


def _matching(verb: Verb, where: str, experiment: Sequence[str]) -> list[Run]:
    from prefect_ledger import search_runs

    lifecycle: Literal["active", "deleted"] = "deleted" if verb == "restore" else "active"
    found, page = list[Run](), None
    while True:
        some = search_runs(list(experiment) or None, where, (), _AT_ONCE, page, lifecycle=lifecycle)
        found += some
        page = some.next_page
        if page is None:
            return found


def _changed(verb: Verb, runs: list[str], tags: Mapping[str, str | None] | None) -> list[str]:
    from prefect_ledger import delete_runs, restore_runs, tag_runs

    if verb == "tag":
        return tag_runs(*runs, tags=tags or {})
    return (delete_runs if verb == "delete" else restore_runs)(*runs)


def _report(verb: Verb, changed: list[str], *, json: bool) -> None:
    if json:
        print_json({"dry_run": False, "runs": changed})
    elif not changed:
        say(f"no run to {verb}: " + _WHY_NONE[verb])
    else:
        say(f"{_DONE[verb]} {count(len(changed), 'run')}")
        if verb == "delete":
            few = " ".join(run[:8] for run in changed[:3])
            dim(f"prefect-ledger runs restore {few}{' ...' if len(changed) > 3 else ''} takes it back, until gc erases them")


def _preview(verb: Verb, matching: Sequence[Run]) -> None:
    if not matching:
        dim(f"no {'deleted' if verb == 'restore' else 'active'} runs match")
        return
    show(runs_table(matching[:_SHOWN]))
    if len(matching) > _SHOWN:
        dim(f"and {len(matching) - _SHOWN:,} more")
    dim(f"a dry run: {count(len(matching), 'run')} would be {_DONE[verb]}, none was; --yes does it")
