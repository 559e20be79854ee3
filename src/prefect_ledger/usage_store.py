"""Floor 3. What runs and their tasks used, as rows: one for each task run (``''``: the run itself), attempt and process.

A process says how much it was until now, again and again, so of its words the greatest counts and order does not matter; what several
processes used for one task run is added up. Functions take an open transaction and never commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prefect_ledger.database import execute, rows
from prefect_ledger.usage import Prices, Usage, Used, added

if TYPE_CHECKING:
    import sqlalchemy as sa

    from prefect_ledger.events import UsageSeen

_COLUMNS = ("waited", "ran", "retried", "cpu", "gpu")
_SAY = f"""
INSERT INTO usage (run_id, task_run_id, attempt, journal, {", ".join(_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
 ON CONFLICT (run_id, task_run_id, attempt, journal) DO UPDATE SET
 {", ".join(f"{c} = CASE WHEN excluded.{c} > usage.{c} THEN excluded.{c} ELSE usage.{c} END" for c in _COLUMNS)}"""
_SUMS = ", ".join(["MAX(u.waited)", *(f"SUM(u.{column})" for column in _COLUMNS[1:])])  # a task run waits once
_OWN = f"SELECT u.task_run_id, {_SUMS} FROM usage u WHERE u.run_id = ? GROUP BY u.task_run_id"
_BELOW = f"""
WITH RECURSIVE below(id) AS (SELECT id FROM runs WHERE parent_id = ? UNION SELECT r.id FROM runs r JOIN below b ON r.parent_id = b.id)
SELECT {_SUMS} FROM below b JOIN usage u ON u.run_id = b.id WHERE b.id <> ? GROUP BY u.run_id, u.task_run_id"""
_MICROS = 1_000_000


def fold(tx: sa.Connection, event: UsageSeen, journal: str) -> None:
    """Keep what the process of ``journal`` says that it used."""
    values = [max(0, getattr(event, column)) for column in _COLUMNS]
    execute(tx, _SAY, [event.run, event.task, event.attempt, journal, *values])


def read(tx: sa.Connection, run_id: str, prices: Prices) -> Usage:
    """What a run used, in all attempts, and all runs below it."""
    found = {task: _used(sums) for task, *sums in rows(tx, _OWN, [run_id])}
    own = found.pop("", Used())
    return Usage(own, found, added(_used(sums) for sums in rows(tx, _BELOW, [run_id, run_id])), prices)


def _used(micros: Sequence[Any]) -> Used:
    return Used(*(float(value) / _MICROS for value in micros))
