"""Floor 3. Marks runs as deleted, takes runs and experiments out of the store for good, and says what is known of artifacts.

A deleted run is as it was, and comes back when it is restored, until gc takes it. That goes in two steps: ``condemn`` takes away all it
has but its row, which says "erasing" from then on; when its bytes are gone too, ``erase`` takes the row. Whoever dies in between leaves
a row that the next one finds. Functions take an open transaction and never commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_ledger.database import execute, rows
from prefect_ledger.entities import RunStatus
from prefect_ledger.errors import InvalidValue, RunNotFound
from prefect_ledger.tables import METADATA

if TYPE_CHECKING:
    import sqlalchemy as sa

ERASING = "erasing"
RETENTION_TAG = "retention_days"
_FINAL = frozenset(status.value for status in RunStatus if status.final)
_PART = 500


@dataclass(frozen=True, slots=True)
class Doomed:
    """A run that may go. Times are µs since 1970; ``deleted`` is None when its erasing was begun before."""

    id: str
    name: str
    experiment_id: int | None
    experiment: str
    deleted: int | None
    seen: int
    uris: tuple[str, ...]
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of a run that has bytes: whether it may still write, and the URIs of its artifacts."""

    open: bool
    seen: int
    uris: tuple[str, ...]


def delete(tx: sa.Connection, runs: Sequence[str], at: int) -> list[str]:
    """Mark those of these runs that are active as deleted ``at`` this moment; returns which they were.

    Raises:
        RunNotFound: one of them is not there; none is changed.
    """
    check_there(tx, runs)
    text = "UPDATE runs SET lifecycle = 'deleted', deleted = ? WHERE lifecycle = 'active' AND id IN ({}) RETURNING id"
    return [row[0] for part in _parts(runs) for row in rows(tx, text.format(_marks(part)), [at, *part])]


def restore(tx: sa.Connection, runs: Sequence[str], at: int) -> list[str]:
    """Take the deletion of these runs back; returns which were deleted. An experiment that was deleted is active again with its run.

    Raises:
        RunNotFound: one of them is not there; none is changed. InvalidValue: gc has begun to erase one.
    """
    if gone := [run for run, lifecycle in _lifecycles(tx, runs).items() if lifecycle == ERASING]:
        raise InvalidValue(f"run {gone[0]} cannot be restored: gc has taken away what it had")
    text = "UPDATE runs SET lifecycle = 'active', deleted = NULL WHERE lifecycle = 'deleted' AND id IN ({}) RETURNING id, experiment_id"
    found = [tuple(row) for part in _parts(runs) for row in rows(tx, text.format(_marks(part)), list(part))]
    # As where a run names a deleted experiment: it keeps the moment, so that restoring the experiment brings the others back.
    for part in _parts(sorted({number for _, number in found if number is not None})):
        text = f"UPDATE experiments SET lifecycle = 'active', updated = ? WHERE lifecycle = 'deleted' AND id IN ({_marks(part)})"
        execute(tx, text, [at, *part])
    return [run for run, _ in found]


def check_there(tx: sa.Connection, runs: Sequence[str]) -> None:
    """Refuse runs that are not there.

    Raises:
        RunNotFound: names the first of them.
    """
    _lifecycles(tx, runs)


def _lifecycles(tx: sa.Connection, runs: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in _parts(runs):
        found |= {row[0]: row[1] for row in rows(tx, f"SELECT id, lifecycle FROM runs WHERE id IN ({_marks(part)})", part)}
    if missing := [run for run in runs if run not in found]:
        raise RunNotFound(f"there is no run {missing[0]}; 'prefect-ledger runs list --lifecycle all' shows what is there")
    return found


def doomed(tx: sa.Connection, before: int, own: Mapping[int, int], silent: int) -> list[Doomed]:
    """Runs deleted at ``before`` or earlier (``own``: another moment for the runs of an experiment) and not heard of since ``silent``.

    A run whose artifacts an active run shows as its own, because a task's result came from the cache, stays, and so does one whose model
    is a version in the registry: what was in production can be shown for ever.
    """
    text = """SELECT r.id, r.name, r.experiment_id, COALESCE(e.name, ''), r.deleted, r.seen, r.lifecycle, r.artifact_uri
              FROM runs r LEFT JOIN experiments e ON e.id = r.experiment_id
              WHERE r.lifecycle = ? OR (r.lifecycle = 'deleted' AND r.seen < ?) ORDER BY r.deleted, r.id"""
    found = []
    needed = _needed(tx)
    for run, name, number, experiment, deleted, seen, lifecycle, uri in rows(tx, text, [ERASING, silent]):
        if lifecycle == ERASING:
            found.append((run, name, number, experiment, None, seen, uri))
        elif deleted is not None and deleted <= own.get(number, before) and run not in needed:
            found.append((run, name, number, experiment, deleted, seen, uri))
    stored = _stored(tx, [one[0] for one in found])
    return [
        Doomed(*one[:6], uris=tuple(sorted({*([one[6]] if one[6] else []), *uris})), files=len(sizes), size=sum(sizes))
        for one in found
        for uris, sizes in [stored.get(one[0], ([], []))]
    ]


def own_retention(tx: sa.Connection) -> dict[int, float]:
    """Days that experiments want their deleted runs to be kept, as their tag says."""
    found = {}
    for number, value in rows(tx, "SELECT experiment_id, value FROM experiment_tags WHERE key = ?", [RETENTION_TAG]):
        try:
            days = float(value)
        except ValueError:
            continue
        if days >= 0:
            found[int(number)] = days
    return found


def condemn(tx: sa.Connection, run: Doomed) -> bool:
    """Take away what ``run`` has but its row; False when it was restored or heard of meanwhile, and then nothing is touched."""
    if run.deleted is not None:
        text = """UPDATE runs SET lifecycle = ? WHERE id = ? AND lifecycle = 'deleted' AND deleted = ? AND seen = ?
                  AND NOT EXISTS (SELECT 1 FROM model_versions v WHERE v.run_id = runs.id)"""
        if execute(tx, text, [ERASING, run.id, run.deleted, run.seen]).rowcount != 1:
            return False
    elif not rows(tx, "SELECT 1 FROM runs WHERE id = ? AND lifecycle = ?", [run.id, ERASING]):
        return False
    execute(tx, "DELETE FROM chunks WHERE series_id IN (SELECT id FROM series WHERE run_id = ?)", [run.id])
    for table in METADATA.sorted_tables:
        if "run_id" in table.columns and table.name not in ("artifacts", "model_versions"):
            execute(tx, f"DELETE FROM {table.name} WHERE run_id = ?", [run.id])
    return True


def erase(tx: sa.Connection, run: str) -> None:
    """Take the row of a condemned run, and those of its artifacts, whose bytes are gone."""
    execute(tx, "DELETE FROM artifacts WHERE run_id = ?", [run])
    execute(tx, "DELETE FROM runs WHERE id = ? AND lifecycle = ?", [run, ERASING])


def empty_experiments(tx: sa.Connection, before: int, own: Mapping[int, int], gone: Iterable[str] = ()) -> list[tuple[int, str]]:
    """Id and name of the experiments deleted at ``before`` or earlier that have no runs but those in ``gone``."""
    gone = set(gone)
    text = "SELECT id, name, deleted FROM experiments WHERE lifecycle = 'deleted' AND id <> 0 ORDER BY name"
    found = []
    for number, name, deleted in rows(tx, text):
        if deleted is not None and deleted <= own.get(number, before):
            runs = {row[0] for row in rows(tx, "SELECT id FROM runs WHERE experiment_id = ?", [number])}
            if runs <= gone:
                found.append((int(number), str(name)))
    return found


def erase_experiment(tx: sa.Connection, number: int) -> bool:
    """Take an experiment that is deleted and has no runs; its name is free then. False when that is not so any more."""
    text = """DELETE FROM experiments WHERE id = ? AND lifecycle = 'deleted'
              AND NOT EXISTS (SELECT 1 FROM runs WHERE experiment_id = ?)"""
    if execute(tx, text, [number, number]).rowcount != 1:
        return False
    execute(tx, "DELETE FROM experiment_tags WHERE experiment_id = ?", [number])
    return True


def known(tx: sa.Connection, runs: Sequence[str]) -> dict[str, Known]:
    """Those of these runs that the store knows."""
    stored = _stored(tx, runs)
    found = {}
    for part in _parts(runs):
        for run, status, seen in rows(tx, f"SELECT id, status, seen FROM runs WHERE id IN ({_marks(part)})", part):
            found[run] = Known(status not in _FINAL, seen, tuple(stored.get(run, ([], []))[0]))
    return found


def _needed(tx: sa.Connection) -> set[str]:
    text = """SELECT l.source_run_id FROM cache_links l JOIN runs r ON r.id = l.run_id WHERE r.lifecycle = 'active'
              UNION SELECT run_id FROM model_versions"""
    return {row[0] for row in rows(tx, text)}


def _stored(tx: sa.Connection, runs: Sequence[str]) -> dict[str, tuple[list[str], list[int]]]:
    """URIs and sizes of the artifacts of each run that has some."""
    found: dict[str, tuple[list[str], list[int]]] = {}
    for part in _parts(runs):
        for run, uri, size in rows(tx, f"SELECT run_id, uri, size FROM artifacts WHERE run_id IN ({_marks(part)})", part):
            uris, sizes = found.setdefault(run, ([], []))
            uris.append(uri)
            sizes.append(size)
    return found


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[low : low + _PART] for low in range(0, len(items), _PART))


def _marks(items: Sequence[Any]) -> str:
    return ", ".join("?" * len(items))
