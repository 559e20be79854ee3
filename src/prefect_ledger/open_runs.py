"""Floor 3. Runs that have no known end: which they are, what the orchestrator says of them, and which were not heard of for too long.

What is learnt here becomes words of the run (see ``standing``), written only where they still say something new, so that it may be
learnt twice, by several machines at once, and before or after what the run's own processes say. Functions take an open transaction
and never commit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_ledger import run_store, standing
from prefect_ledger.database import rows

if TYPE_CHECKING:
    import sqlalchemy as sa

_OPEN = ("RUNNING", "PAUSED", "SCHEDULED")
_ALIVE = ("RUNNING", "SCHEDULED")
_PAGE = 500
CANCELLING = "CANCELLING"  # asked to end, and not ended yet: a word of the orchestrator's, not a status


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run without a known end, as its row has it; ``owner`` is the journal of the process whose death ends it. Times are µs."""

    id: str
    status: str
    provisional: bool
    kind: str
    owner: str
    heard: int


@dataclass(frozen=True, slots=True)
class Told:
    """What the orchestrator says of a run: its status since ``at`` (µs), as its run number ``count``, which began at ``started``."""

    run: str
    status: str
    at: int
    reason: str = ""
    name: str = ""
    count: int = 0
    started: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a run."""

    run: str
    before: str
    after: str
    reason: str


def find_open(tx: sa.Connection, *, guessed_since: int) -> list[OpenRun]:
    """Every run that has not ended, and those whose end is a guess and that were heard of since ``guessed_since`` (µs), by id."""
    open_ones = f"status IN ({', '.join('?' * len(_OPEN))})"
    guessed = f"status IN ({', '.join('?' * len(run_store.FINAL))}) AND seen >= ? AND provisional = 1"  # found in the index
    text = f"SELECT id, status, provisional, kind, owner, seen, started, status_at FROM runs WHERE {open_ones} OR ({guessed}) ORDER BY id"
    return [_open_run(*row) for row in rows(tx, text, [*_OPEN, *run_store.FINAL, guessed_since])]


def _open_run(run: str, status: str, provisional: int, kind: str, owner: str, seen: int, started: int | None, status_at: int) -> OpenRun:
    return OpenRun(run, status, bool(provisional), kind, owner, max(seen, started or 0, status_at))


def heard_of(tx: sa.Connection, journal: str, since: int) -> bool:
    """Whether a run that the process of ``journal`` owns was heard of since then (µs since 1970)."""
    return bool(rows(tx, "SELECT 1 FROM runs WHERE owner = ? AND seen >= ? LIMIT 1", [journal, since]))


def tell(tx: sa.Connection, told: Iterable[Told], *, dry_run: bool = False) -> list[Change]:
    """Bring what the orchestrator says into the runs' words, where none of their own processes knows better; returns what changed."""
    return _hear(tx, [(one.run, one) for one in told], answer, dry_run=dry_run)


def give_up(tx: sa.Connection, runs: Iterable[str], *, silent_since: int, reason: str, dry_run: bool = False) -> list[Change]:
    """Take those of ``runs`` for lost that run and were not heard of since ``silent_since`` (µs). Whoever hears of one again undoes it."""
    heard = _last_heard(tx, runs)
    silent = [(run, at) for run, at in heard.items() if at < silent_since]
    return _hear(tx, silent, lambda words, at: lost(words, at, reason), dry_run=dry_run)


def claim(tx: sa.Connection, run: str, *, at: int, lives: Callable[[OpenRun], bool]) -> bool:
    """Have a run that ended run again, as nobody's until its new owner says so; False, and nothing changes, where it is open and ``lives``.

    Of several that ask at once, one is told True: each holds the run to the end of its transaction.
    """
    run_store.placeholders(tx, [run])
    text = "SELECT id, status, provisional, kind, owner, seen, started, status_at FROM runs WHERE id = ?"
    found = _open_run(*rows(tx, text, [run])[0])
    if found.status in _ALIVE and lives(found):
        return False
    number, since = standing.stand(_words(tx, [run]).get(run, {})).last.number, max(at, found.heard + 1)
    run_store.hear(tx, run, {f"said.{number}": standing.status_word(since, "RUNNING"), "owner": [number, since, ""]})
    return True


# --- decisions ----------------------------------------------------------------------------------------------------


def answer(words: standing.Words, told: Told) -> dict[str, list[Any]]:
    """The words to add for what the orchestrator says; none where the run's processes know as much or better."""
    found = standing.stand(words)
    last = found.last
    if last.status in run_store.FINAL and not last.provisional:
        return {}
    more: dict[str, list[Any]] = {}
    if told.started is not None:
        more |= {} if "<name" in words or not told.name else {"<name": [told.started, told.name], "<kind": [told.started, "flow"]}
        more |= {} if found.started is not None else {f"<started.{max(1, last.number)}": [told.started]}
        last = standing.stand(standing.merge(words, more)).last  # as it will be when this is told again
    # The words for an attempt that both number alike; else for whichever was the last by then, which later news may still tell.
    attempt = last.number if told.count == last.number else 0
    if told.status == CANCELLING:
        gone = last.status == "CRASHED"
        word = {f"guess.{last.number}": standing.status_word(max(told.at, last.at), "CANCELLED", told.reason)} if gone else {}
        return more | word
    if told.status in run_store.FINAL:
        at = max(told.at, told.started or 0)
        if attempt:  # ends whatever this attempt said of itself, also where its clock went ahead of the orchestrator's
            at = max(at, last.at, last.started or 0)
        return more | {f"said.{attempt}": standing.status_word(at, told.status, told.reason)}
    if last.provisional or told.status == last.status or told.at <= last.at:
        return more
    return more | {f"said.{attempt}": standing.status_word(told.at, told.status, told.reason)}


def lost(words: standing.Words, heard: int, reason: str) -> dict[str, list[Any]]:
    """The words for a run whose owner was last heard of at ``heard``; none where it does not run."""
    found = standing.stand(words)
    owned = found.owner_attempt or found.last.number
    if found.last.status not in _ALIVE:
        return {}
    return {f"lost.{owned}": [max([heard, *(one.at for one in found.attempts if one.number == owned)]), reason]}


# --- rows ---------------------------------------------------------------------------------------------------------


def _hear(tx: sa.Connection, pairs: Sequence[tuple[str, Any]], decide: Any, *, dry_run: bool) -> list[Change]:
    """Have ``decide(words, item)`` say what is new of each run, under a lock on the run where the database has such."""
    changes = []
    for low in range(0, len(pairs), _PAGE):
        part = sorted(pairs[low : low + _PAGE], key=lambda pair: pair[0])
        if not dry_run:
            run_store.placeholders(tx, [run for run, _ in part])
        known = _words(tx, [run for run, _ in part])
        for run, item in part:
            before = known.get(run, {})
            new = decide(before, item)
            after = standing.merge(before, new)
            if after == before:
                continue
            if not dry_run:
                run_store.hear(tx, run, new)
            changes.append(_change(run, before, after))
    return [one for one in changes if one.before != one.after]


def _change(run: str, before: standing.Words, after: standing.Words) -> Change:
    old, new = standing.stand(before).last, standing.stand(after).last
    settled = old.provisional and not new.provisional and old.status == new.status
    return Change(run, f"{old.status}?" if settled else old.status, new.status, new.reason)


def _words(tx: sa.Connection, runs: Sequence[str]) -> dict[str, dict[str, Any]]:
    found = rows(tx, f"SELECT run_id, words FROM run_words WHERE run_id IN ({', '.join('?' * len(runs))})", runs)
    return {run: json.loads(words) for run, words in found}


def _last_heard(tx: sa.Connection, runs: Iterable[str]) -> dict[str, int]:
    every = list(runs)
    found: dict[str, int] = {}
    for low in range(0, len(every), _PAGE):
        part = every[low : low + _PAGE]
        found |= dict(rows(tx, f"SELECT id, seen FROM runs WHERE id IN ({', '.join('?' * len(part))})", part))
    return found
