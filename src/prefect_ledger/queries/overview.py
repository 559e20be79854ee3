"""Floor 3. A ledger at a glance: what runs, what failed of late, and how a metric went from run to run in each experiment.

Each answer is bounded, and found by indexes: whoever opens the first page of a large ledger waits for none of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from prefect_ledger.database import rows
from prefect_ledger.queries.details import OF_USERS
from prefect_ledger.queries.size import store_bytes

if TYPE_CHECKING:
    import sqlalchemy as sa

NAN = float("nan")
_USERS = OF_USERS.format(key="m.key")
_ABOUT = "r.id, r.name, COALESCE(e.name, ''), r.user_id, r.started"
_OF = "FROM runs r LEFT JOIN experiments e ON e.id = r.experiment_id"
_FAILED = "r.status IN ('FAILED', 'CRASHED') AND r.ended >= ? AND r.lifecycle = 'active'"
_LAST = f"""SELECT m.key, m.ls, m.lv, m.lt FROM metrics m JOIN runs r ON r.id = m.run_id AND r.attempt = m.attempt
 WHERE m.run_id = ? AND {_USERS} ORDER BY m.lt DESC, m.key LIMIT 1"""


class Running(NamedTuple):
    """A run that is at work, times in µs; and of its metrics the one that was logged last, "" where it logged none."""

    id: str
    name: str
    experiment: str
    user: str
    started: int | None
    key: str = ""
    step: int = 0
    value: float = NAN
    at: int | None = None


class Failed(NamedTuple):
    """A run that failed, times in µs, and why."""

    id: str
    name: str
    experiment: str
    user: str
    started: int | None
    status: str
    ended: int
    reason: str


class Trend(NamedTuple):
    """A metric in the latest runs of an experiment that have it, the oldest first: id, start (µs) and last value."""

    experiment: str
    key: str
    points: tuple[tuple[str, int, float], ...]


class Room(NamedTuple):
    """How much is there: active runs, bytes of the store in its database, artifacts and their bytes."""

    runs: int
    store: int
    artifacts: int
    bytes: int


def room(tx: sa.Connection) -> Room:
    """How much is there. The one answer here that is not bounded: it looks at every artifact's row."""
    artifacts, size = rows(tx, "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM artifacts")[0]
    runs = rows(tx, "SELECT COUNT(*) FROM runs WHERE lifecycle = 'active'")[0][0]
    return Room(int(runs), store_bytes(tx), int(artifacts), int(size))


def running(tx: sa.Connection, limit: int) -> tuple[int, list[Running]]:
    """How many runs are at work, and those that began last."""
    where = "r.status = 'RUNNING' AND r.lifecycle = 'active'"
    count = int(rows(tx, f"SELECT COUNT(*) FROM runs r WHERE {where}")[0][0])
    found = []
    for row in rows(tx, f"SELECT {_ABOUT} {_OF} WHERE {where} ORDER BY r.started DESC, r.id LIMIT ?", [limit]):
        last = [(key, step, NAN if value is None else value, at) for key, step, value, at in rows(tx, _LAST, [row[0]])]
        found.append(Running(*row, *(last[0] if last else ())))
    return count, found


def failed(tx: sa.Connection, since: int, limit: int) -> tuple[int, list[Failed]]:
    """How many runs failed or crashed from this moment (µs) on, and those that did last."""
    count = int(rows(tx, f"SELECT COUNT(*) FROM runs r WHERE {_FAILED}", [since])[0][0])
    text = f"""SELECT {_ABOUT}, r.status, r.ended, r.status_reason, COALESCE(a.exception, '{{}}') {_OF}
     LEFT JOIN attempts a ON a.run_id = r.id AND a.attempt = r.attempt WHERE {_FAILED} ORDER BY r.ended DESC, r.id LIMIT ?"""
    return count, [Failed._make((*row[:7], _reason(*row[7:]))) for row in rows(tx, text, [since, limit])]


def trends(tx: sa.Connection, key: str | None, *, runs: int, experiments: int, chosen: Sequence[int] = ()) -> list[Trend]:
    """The trend of a metric in the latest ``runs`` of each of the experiments that were at work last, or of those ``chosen``.

    Where no ``key`` is given, each experiment shows what most of its latest runs have. Runs without it are passed over.
    """
    found = []
    for experiment, name in _experiments(tx, experiments, chosen):
        ids = _latest(tx, experiment, runs)
        wanted = key or next(iter(keys(tx, [run for run, _ in ids[:_LOOKED_AT]])), "")
        values = dict(_values(tx, [run for run, _ in ids], wanted)) if wanted else {}
        points = tuple((run, started, values[run]) for run, started in reversed(ids) if run in values)
        found.append(Trend(name, wanted, points))
    return found


_LOOKED_AT = 8  # runs of an experiment whose keys are counted: each may have hundreds


def keys(tx: sa.Connection, ids: Sequence[str]) -> list[str]:
    """The metrics of these runs: what most of them have first, of these what is no curve (one value says more from run to run), by name."""
    if not ids:
        return []
    text = f"""SELECT m.key FROM metrics m WHERE m.run_id IN ({_marks(ids)}) AND {_USERS}
     GROUP BY m.key ORDER BY COUNT(*) DESC, MAX(m.n), m.key"""
    return [row[0] for row in rows(tx, text, list(ids))]


def latest_keys(tx: sa.Connection, experiments: int) -> list[str]:
    """The metrics of the latest runs of the experiments that were at work last."""
    ids = [run for experiment, _ in _experiments(tx, experiments, ()) for run, _ in _latest(tx, experiment, _LOOKED_AT)]
    return keys(tx, ids)


def _experiments(tx: sa.Connection, limit: int, chosen: Sequence[int]) -> list[tuple[int, str]]:
    """Active experiments with runs, those first whose latest run began last."""
    only = f" AND e.id IN ({_marks(chosen)})" if chosen else ""
    text = f"""SELECT id, name FROM (SELECT e.id AS id, e.name AS name, (SELECT r.started FROM runs r WHERE r.experiment_id = e.id
      AND r.started IS NOT NULL ORDER BY r.started DESC LIMIT 1) AS latest FROM experiments e WHERE e.lifecycle = 'active'{only}) x
     WHERE latest IS NOT NULL ORDER BY latest DESC, name LIMIT ?"""
    return [(row[0], row[1]) for row in rows(tx, text, [*chosen, limit])]


def _latest(tx: sa.Connection, experiment: int, limit: int) -> list[tuple[str, int]]:
    text = """SELECT r.id, r.started FROM runs r WHERE r.experiment_id = ? AND r.started IS NOT NULL AND r.lifecycle = 'active'
     ORDER BY r.started DESC, r.id DESC LIMIT ?"""
    return [(row[0], row[1]) for row in rows(tx, text, [experiment, limit])]


def _values(tx: sa.Connection, ids: Sequence[str], key: str) -> list[tuple[str, float]]:
    if not ids:
        return []
    text = f"""SELECT m.run_id, m.lv FROM metrics m JOIN runs r ON r.id = m.run_id AND r.attempt = m.attempt
     WHERE m.run_id IN ({_marks(ids)}) AND m.key = ?"""
    return [(run, NAN if value is None else value) for run, value in rows(tx, text, [*ids, key])]


def _reason(said: str, exception: str) -> str:
    """The reason of the end, else what the exception says."""
    if said:
        return said
    found = json.loads(exception)
    kind, message = str(found.get("type", "")), str(found.get("message", ""))
    return f"{kind}: {message}" if kind and message else kind or message


def _marks(items: Sequence[object]) -> str:
    return ", ".join("?" * len(items))
