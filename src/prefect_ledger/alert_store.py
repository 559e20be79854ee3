"""Floor 3. Alerts of runs: kept once each, and who was told of them. Functions take an open transaction and never commit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.database import execute, rows
from prefect_ledger.entities import Alert, to_datetime
from prefect_ledger.events import Alerted

if TYPE_CHECKING:
    import sqlalchemy as sa

_COLUMNS = "a.id, a.run_id, a.at, a.attempt, a.task_run_id, a.level, a.title, a.text, a.due, a.tries, a.told, a.answer"
_ALERT = f"SELECT {_COLUMNS} FROM alerts a"
_AT_ONCE = 100


class Waiting(NamedTuple):
    """An alert that somebody is still to be told of: what of it is needed for that, and what was seen of how far that is."""

    id: str
    alert: Alert
    run_name: str
    experiment: str
    due: int
    tries: int


def fold(tx: sa.Connection, event: Alerted) -> None:
    """Keep an alert, due at once; one that is there already stays as it is."""
    said = (event.run, str(event.at), str(event.attempt), event.task, event.level, event.title, event.text)
    number = hashlib.sha256("\0".join(said).encode()).hexdigest()[:32]
    text = """INSERT INTO alerts (id, run_id, at, attempt, task_run_id, level, title, text, due) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
              ON CONFLICT (id) DO NOTHING"""
    execute(tx, text, [number, event.run, event.at, event.attempt, event.task, event.level, event.title, event.text, event.at])


def of_run(tx: sa.Connection, run: str) -> list[Alert]:
    """The alerts of all attempts of a run, the oldest first."""
    return [_alert(row) for row in rows(tx, f"{_ALERT} WHERE a.run_id = ? ORDER BY a.at, a.id", [run])]


def latest(tx: sa.Connection, levels: Sequence[str], experiments: Sequence[int] | None, limit: int) -> list[Alert]:
    """Alerts of these levels, of active runs of these experiments (None: all), the latest first."""
    where = f"r.lifecycle = 'active' AND a.level IN ({_marks(levels)})"
    params: list[Any] = [*levels]
    if experiments is not None:
        where += f" AND r.experiment_id IN ({_marks(experiments)})"
        params += experiments
    text = f"{_ALERT} JOIN runs r ON r.id = a.run_id WHERE {where} ORDER BY a.at DESC, a.id LIMIT ?"
    return [_alert(row) for row in rows(tx, text, [*params, limit])]


def due(tx: sa.Connection, now: int, since: int, levels: Sequence[str]) -> list[Waiting]:
    """Alerts of these levels whose time to be told has come, not older than ``since``, the longest due first; of no deleted run."""
    text = f"""SELECT {_COLUMNS}, COALESCE(r.name, ''), COALESCE(e.name, '') FROM alerts a
     LEFT JOIN runs r ON r.id = a.run_id LEFT JOIN experiments e ON e.id = r.experiment_id
     WHERE a.due <= ? AND a.at >= ? AND a.level IN ({_marks(levels)}) AND COALESCE(r.lifecycle, 'active') = 'active'
     ORDER BY a.due, a.at, a.id LIMIT {_AT_ONCE}"""
    found = rows(tx, text, [now, since, *levels])
    return [Waiting(row[0], _alert(row[:-2]), row[-2], row[-1], row[8], row[9]) for row in found]


def claim(tx: sa.Connection, one: Waiting, until: int) -> bool:
    """Take an alert to tell it, until that time; False where somebody else has it. It counts as a try, also of who dies meanwhile."""
    text = "UPDATE alerts SET tries = tries + 1, due = ? WHERE id = ? AND due = ? AND tries = ?"
    return execute(tx, text, [until, one.id, one.due, one.tries]).rowcount == 1


def settle(tx: sa.Connection, one: Waiting, told: Sequence[str], due: int | None, answer: str) -> None:
    """Write what came of a try: all ways it was told until now, when the next try is (None: never), and what was answered last."""
    text = "UPDATE alerts SET told = ?, due = ?, answer = ? WHERE id = ? AND tries = ?"
    execute(tx, text, [",".join(told), due, answer, one.id, one.tries + 1])


def _alert(row: Sequence[Any]) -> Alert:
    _, run, at, attempt, task, level, title, text, due, _, told, answer = row
    ways = tuple(one for one in told.split(",") if one)
    return Alert(run, title, text, level, to_datetime(at), attempt, task, ways, answer, waiting=due is not None)


def _marks(items: Sequence[Any]) -> str:
    return ", ".join("?" * len(items))
