"""Floor 3. Links a task that was given a cached result to the task that had computed it, and counts what that one logged for both runs.

A link is found out, never told: whatever arrives first, hit, source, points or a step inside, once all are here the rows are the same.
So each change asks anew who is concerned. Functions take an open transaction and never commit.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger import run_store, series_store
from prefect_ledger.database import execute, rows
from prefect_ledger.events import Event, ResultSeen, TaskRunSeen
from prefect_ledger.flushes import SeriesName

if TYPE_CHECKING:
    import sqlalchemy as sa

_BATCH = 500
_OURS = 1_818_584_935  # the first half of our advisory locks' numbers
_SOURCE = "source_run_id, source_task_run_id, source_attempt"


class Place(NamedTuple):
    """Where something was logged: a task run of a run, '' where the task is a run of its own, in an attempt of that run."""

    run: str
    task: str
    attempt: int


class NotHeld(Exception):
    """Runs are concerned that this transaction does not hold. Waiting for them now could be waiting in a circle: it is to be begun anew
    with them held from the start."""

    def __init__(self, runs: set[str]) -> None:
        super().__init__(f"{len(runs)} more runs are concerned")
        self.runs = runs


Hold = Callable[[Iterable[str]], None]  # have these runs held to the end of the transaction
Stale = dict[str, set[str]]  # by run, the keys whose summaries are to be made anew
Series = Iterable[tuple[int, SeriesName, Any]]


def near(tx: sa.Connection, heard: Iterable[str], events: Sequence[Event]) -> set[str]:
    """The runs that may be concerned beside those that are heard of, to be held with them; and the storage keys are held.

    Only where others write at the same time (PostgreSQL), so that of a hit and its source, which arrive at once, one sees the other.
    """
    if tx.dialect.name == "sqlite":
        return set()
    seen = [event for event in events if isinstance(event, ResultSeen)]
    for number in sorted({hashlib.sha256(event.key.encode()).digest()[0] for event in seen}):  # 256 locks: a server has few thousand
        execute(tx, "SELECT pg_advisory_xact_lock(?, ?)", [_OURS, number])
    asked = {
        "SELECT DISTINCT run_id FROM cache_links WHERE source_run_id IN ({})": set(heard),
        "SELECT DISTINCT run_id FROM results WHERE storage_key IN ({})": {event.key for event in seen if event.cached},
        "SELECT DISTINCT run_id FROM cache_hits WHERE storage_key IN ({})": {event.key for event in seen if not event.cached},
    }
    return {run for text, values in asked.items() for (run,) in _among(tx, text, values)}


def settle(tx: sa.Connection, events: Sequence[Event], series: Series, held: set[str] | None = None) -> None:
    """Bring links, and the summaries of the runs that have them, to what the store now knows: ``events`` and the points of ``series``
    have just been written, while the runs ``held`` are held (None: take hold of what is needed, in whatever order).

    Raises:
        NotHeld: further ones are needed; nothing of the transaction may stay.
    """

    def hold(runs: Iterable[str]) -> None:
        if held is None or tx.dialect.name == "sqlite":
            run_store.placeholders(tx, runs)
        elif more := set(runs) - held:
            raise NotHeld(more)

    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for _, (run, key, _attempt, task, _turn), _row in series:
        keys[run, task].add(key)
    seen = [event for event in events if isinstance(event, ResultSeen)]
    todo = {event.task for event in seen if event.cached}
    new = {event.key for event in seen if not event.cached}
    todo |= {hit for (hit,) in _among(tx, "SELECT task_run_id FROM cache_hits WHERE storage_key IN ({})", new)}
    changed = {(event.run, event.task) for event in seen if event.cached}
    changed |= {(event.run, task) for event in events if isinstance(event, TaskRunSeen) for task in (event.id, event.parent)}
    stale: Stale = defaultdict(set)
    for hit, run, source in _links_to(tx, {run for run, _ in (*keys, *changed)}):
        stale[run] |= keys.get(source, set())
        if source in changed or (source[1] == "" and any(place[0] == source[0] for place in changed)):
            todo.add(hit)
    _link(tx, todo, stale, hold)
    if concerned := sorted(run for run in stale if stale[run]):
        hold(concerned)
        for run in concerned:
            series_store.resettle(tx, run, sorted(stale[run]))


def _links_to(tx: sa.Connection, runs: Iterable[str]) -> Iterable[tuple[str, str, tuple[str, str]]]:
    """Hit, its run, and (run, task) of what was logged in these runs and counts for that one."""
    text = "SELECT task_run_id, run_id, source_run_id, source_task FROM cache_links WHERE source_run_id IN ({})"
    return [(hit, run, (there, task)) for hit, run, there, task in _among(tx, text, runs)]


def _link(tx: sa.Connection, hits: set[str], stale: Stale, hold: Hold) -> None:
    """Find the sources of these hits, what they bring into their runs, and then those hits that bring in one of these.

    All sources first: what a hit brings in may lie behind another one's.
    """
    for hit in hits:
        _find_source(tx, hit)
    todo, done = set(hits), set[str]()
    while todo:
        hit = todo.pop()
        done.add(hit)
        if (run := _link_one(tx, hit, stale, hold)) is not None:
            todo |= {other for other, _, (_, task) in _links_to(tx, [run]) if task in (hit, "")} - done


def _find_source(tx: sa.Connection, hit: str) -> None:
    """The run and task run that had computed what lay under the hit's key at its time: the last one before, by whatever clock."""
    for key, at in rows(tx, "SELECT storage_key, at FROM cache_hits WHERE task_run_id = ?", [hit]):
        text = """SELECT run_id, task_run_id, attempt FROM results WHERE storage_key = ? ORDER BY CASE WHEN at <= ? THEN 0 ELSE 1 END,
                  CASE WHEN at <= ? THEN -at ELSE at END, task_run_id LIMIT 1"""
        for source in rows(tx, text, [key, at, at]):
            text = "UPDATE cache_hits SET source_run_id = ?, source_task_run_id = ?, source_attempt = ? WHERE task_run_id = ?"
            execute(tx, text, [*source, hit])
            return
        execute(tx, "UPDATE cache_hits SET source_run_id = '', source_task_run_id = '', source_attempt = 0 WHERE task_run_id = ?", [hit])


def _link_one(tx: sa.Connection, hit: str, stale: Stale, hold: Hold) -> str | None:
    """The run of the hit if its links are others than before, and then ``stale`` has what changes by that."""
    for run, attempt, *source in rows(tx, f"SELECT run_id, attempt, {_SOURCE} FROM cache_hits WHERE task_run_id = ?", [hit]):
        wanted = {(run, attempt, place) for place in _held(tx, _place(*source), hold)}
        text = "SELECT run_id, attempt, source_run_id, source_task, source_attempt FROM cache_links WHERE task_run_id = ?"
        known = {(there, then, Place(*place)) for there, then, *place in rows(tx, text, [hit])}
        if known == wanted:
            return None
        execute(tx, "DELETE FROM cache_links WHERE task_run_id = ?", [hit])
        text = (
            "INSERT INTO cache_links (task_run_id, run_id, attempt, source_run_id, source_task, source_attempt) VALUES (?, ?, ?, ?, ?, ?)"
        )
        for here, then, place in sorted(wanted):
            execute(tx, text, [hit, here, then, *place])
        text = "SELECT DISTINCT key FROM series WHERE run_id = ? AND task_run_id = ? AND attempt = ?"
        for here, _, place in known ^ wanted:
            stale[here] |= {name for (name,) in rows(tx, text, place)}
        return str(run)
    return None


def _held(tx: sa.Connection, source: Place, hold: Hold) -> set[Place]:
    """What is behind a source, its runs held: what arrives for them from now on finds the link that is made of it."""
    places, held = _behind(tx, source), set[str]()
    while tx.dialect.name != "sqlite" and (new := {place.run for place in places} - held):
        hold(new)
        held |= new
        places = _behind(tx, source)
    return places


def _behind(tx: sa.Connection, source: Place) -> set[Place]:
    """A task run, the steps that its body called, and what is behind those of them that were hits themselves."""
    found: set[Place] = set()
    ahead = {source} if source.run else set()
    while ahead:
        found |= ahead
        steps = {step for place in ahead for step in _steps(tx, place)}
        text = f"SELECT {_SOURCE} FROM cache_hits WHERE source_run_id <> '' AND task_run_id IN ({{}})"
        ahead = (steps | {_place(*row) for row in _among(tx, text, {step.task for step in steps})}) - found
    return found


def _place(run: str, task: str, attempt: int) -> Place:
    return Place(run, "" if task == run else task, attempt)


def _steps(tx: sa.Connection, place: Place) -> Iterable[Place]:
    inside, params = ("", [place.run]) if place.task == "" else (" AND parent_id = ?", [place.run, place.task])
    text = f"SELECT run_id, id, attempt FROM task_runs WHERE run_id = ?{inside}"
    return (Place(*row) for row in rows(tx, text, params))


def _among(tx: sa.Connection, text: str, values: Iterable[str]) -> Iterable[tuple[Any, ...]]:
    """The rows of a query about these values, some hundreds at a time."""
    ordered = iter(sorted(values))
    while part := list(itertools.islice(ordered, _BATCH)):
        yield from rows(tx, text.format(", ".join("?" * len(part))), part)
