"""Floor 6. ``prefect-ledger reconcile``: what it says of the runs whose end it found out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect_ledger.cli.render import dim, print_json, say, warn
from prefect_ledger.formats import clean, count, paragraph

if TYPE_CHECKING:
    from prefect_ledger.open_runs import Change
    from prefect_ledger.orchestration.reconcile import Reconciled


def reconcile_all(*, dry_run: bool, silence: float, json: bool) -> int:
    """Reconcile; returns 1 when Prefect could not be asked or a journal cannot be read, else 0."""
    from prefect_ledger.orchestration.reconcile import reconcile

    found = reconcile(dry_run=dry_run, silence=silence)
    if json:
        print_json({**asdict(found), "changes": [asdict(change) for change in found.changes]})
    else:
        _report(found)
    return 1 if found.trouble or found.recovered.broken else 0


def _report(found: Reconciled) -> None:
    if found.recovered.journals:
        journals, points, events = found.recovered.journals, found.recovered.points, found.recovered.events
        say(f"recovered {count(journals, 'journal')}: {count(points, 'point')} and {count(events, 'other record')}")
    _lines(found.changes, would=found.dry_run)
    for run in found.recovered.crashed:
        if run not in {change.run for change in found.changes}:
            warn(f"{run[:8]}  CRASHED  its process was killed")
    if not found.changes and not found.recovered.crashed:
        say("nothing to reconcile")
    asked = count(found.asked, "run")
    dim(f"asked Prefect about {asked}" + (f"; it does not know {found.unknown}" if found.unknown else ""))
    if found.trouble:
        warn(f"Prefect could not be asked: {paragraph(found.trouble)}", style="red")
    for sentence in found.recovered.broken:
        warn(f"cannot be read: {clean(sentence)}", style="red")


def _lines(changes: Sequence[Change], *, would: bool) -> None:
    for change in changes:
        reason = f"  {paragraph(change.reason)}" if change.reason else ""
        say(f"{change.run[:8]}  {change.before} -> {change.after}{reason}")
    if would and changes:
        dim(f"a dry run: {count(len(changes), 'run')} would change, nothing did")
