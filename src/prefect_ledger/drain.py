"""Floor 4. Brings what a journal holds into the store, batch by batch.

A drain is one transaction: the journal's position is moved from where it was read, and what stood between goes in. The same condition
makes a second drain, or a second drainer, harmless. What the store does not take stays in the journal and is tried again.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from prefect_ledger import cache_store, model_store, run_store, series_store
from prefect_ledger.database import conflicts, refuses
from prefect_ledger.errors import StoreUnavailable
from prefect_ledger.events import ArtifactLogged, JournalClosed, RunStarted, RunStatusSeen
from prefect_ledger.flushes import Flush, prepare
from prefect_ledger.journal_reader import Batch, JournalReader
from prefect_ledger.points import Points, by_rank

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from prefect_ledger.database import Database


_FEW = 10_000  # numbers of series up to which a table of all of them is small
_TRIES = 8  # of a transaction that loses against others


class Moved(Exception):
    """Another drainer moved the journal's position."""


class Drain:
    """Brings one journal into the store, batch by batch. Not for two threads at once."""

    def __init__(self, database: Database, reader: JournalReader, journal: str) -> None:
        self.database, self.reader, self.journal = database, reader, journal
        self.ended: set[str] = set()  # runs whose end came by and whose chunks want a last compaction
        self.open: set[str] = set()  # runs this journal owns and that have not ended
        self.began: set[str] = set()  # runs whose start by their own process came by
        self.closed = False  # the journal says that its process ended in order
        self.points = self.events = self.damaged = 0
        self.on_advance: Callable[[], None] | None = None  # called when a batch is in the store, before chunks are put in order
        self.refused: list[str] = []  # what the store will never take; each is noted on its run too
        self._known = series_store.SeriesIds()
        self._mixed: dict[str, int] = {}  # mixed chunks written for a run since its last compaction
        self._hurried: set[str] = set()  # runs some of whose chunks wait to be deflated
        self._sought = False
        self._generation = database.generation

    def step(self) -> bool:
        """Drain one batch; False when there is nothing new.

        Raises:
            StoreUnavailable: nothing was written; the position is where it was.
            JournalCorrupt: a segment that cannot be read.
        """
        if self._generation != self.database.generation:  # another file: what was learnt of the former does not hold
            self._known.clear()
            self._sought = False
        if not self._sought:
            self.seek()
        batch = self.reader.read()
        if batch is None:
            return False
        try:
            flush = self._commit(batch)
        except Moved:
            self.seek()
            return True
        except BaseException:
            self._known.clear()  # what was learnt in the transaction that failed may not be there
            raise
        if self.reader.live is not None and str(self.reader.live.id) != self.journal:
            return False  # closed and opened anew while the store was waited for: the segments there now are another journal's
        self.reader.advance(batch)
        if any(isinstance(event, ArtifactLogged) and model_store.is_to_register(event) for event in batch.events):
            from prefect_ledger import registrations

            registrations.register_if_possible(self.database)
        self._follow(batch, flush)
        if self.on_advance is not None:
            self.on_advance()
        self._compact()
        return True

    def seek(self) -> None:
        """Go on where the store says; where it is behind what was read (a backup was restored), it is told."""
        self._generation = self.database.generation
        with self.database.write(hurried=True) as tx:
            position = run_store.journal_position(tx, self.journal)
            if position is not None and position < self.reader.position:
                run_store.move_journal(tx, self.journal, position, self.reader.position)
        if position is not None and position > self.reader.position:
            self.reader.seek(position)
        self._sought = True

    def _commit(self, batch: Batch) -> Flush | None:
        turn, also = 0, set[str]()
        while True:
            try:
                return self._try_commit(batch, also)
            except cache_store.NotHeld as more:
                also |= more.runs
            except StoreUnavailable as error:
                turn += 1
                if not conflicts(error) or turn == _TRIES:
                    raise
            self._known.clear()

    def _try_commit(self, batch: Batch, also: set[str]) -> Flush | None:
        """Write it all; ``also`` are runs to hold beside those that it is known to concern."""
        flush = self._flush(batch)
        try:
            self._write(batch, flush, also)
        except Exception as error:  # what no database takes, or no code of ours folds, must not hold up all that follow
            if isinstance(error, Moved | cache_store.NotHeld) or not refuses(error):
                raise
            self._write(batch, flush)
        return flush

    def _write(self, batch: Batch, flush: Flush | None, also: set[str] | None = None) -> None:
        """In one transaction; without ``also``, what is refused is left out, one thing after the other.

        Raises:
            Moved. NotHeld: ``also`` lacks runs that turned out to be concerned.
        """
        heard = {event.run for event in batch.events if event.run} | (flush.runs if flush else set())
        events = sorted(batch.events, key=lambda event: event.run)  # of one run in the order they were said; between runs none matters
        refused: list[str] = []
        with self.database.write(hurried=True) as tx:
            if not run_store.move_journal(tx, self.journal, batch.old, batch.new):
                raise Moved
            held = None
            if also is None:
                refused = run_store.fold_carefully(tx, events, self.journal)
            else:
                held = heard | also | cache_store.near(tx, heard, events)
                run_store.placeholders(tx, held)
                run_store.fold(tx, events, self.journal)
            if flush is not None:
                series_store.write_flush(tx, flush)
            links = partial(cache_store.settle, tx, events, flush.series if flush is not None else (), held)
            if held is not None:
                links()
            elif (error := run_store.refusal(tx, links)) is not None:
                refused.append(f"links to cached results could not be stored: {error}"[:500])
            at = time.time_ns() // 1000
            if self.reader.live is None:
                at = min(at, _last_word(batch))  # times that users gave may lie in the future, or be no times at all
            if heard and at:
                run_store.touch(tx, heard, self.journal if self.reader.live is not None else "", at)
        self.refused += refused

    def _flush(self, batch: Batch) -> Flush | None:
        if not batch.points:
            return None
        low, numbers = _numbers(batch)
        present = [low + number for number in np.flatnonzero(np.bincount(numbers)).tolist()]  # all announced: the reader saw to it
        names = {number: batch.names[number] for number in present}
        if missing := self._known.missing(names.values()):
            with self.database.write(hurried=True) as tx:
                series_store.ensure_series(tx, self._known, missing)
        known = {self._known.ids[name]: name for name in names.values()}
        ids = sorted(known)
        place = {number: rank for rank, number in enumerate(ids)}
        table = np.zeros(present[-1] - low + 1, np.uint16 if len(ids) < 1 << 16 else np.int64)
        for number in present:
            table[number - low] = place[self._known.ids[names[number]]]
        return prepare(by_rank(_each(table[numbers], batch), ids, _points(batch)), known)

    def _follow(self, batch: Batch, flush: Flush | None) -> None:
        """Keep count of what the batch opened, ended and left to compact."""
        self.points += batch.points
        self.events += len(batch.events)
        self.damaged += batch.damaged
        for event in batch.events:
            if isinstance(event, RunStarted) and event.owner:
                self.open.add(event.run)
                self.began.add(event.run)
            elif isinstance(event, RunStatusSeen) and event.status in run_store.FINAL:
                self.open.discard(event.run)
                self.ended.add(event.run)
            elif isinstance(event, JournalClosed):
                self.closed = True
        for run in flush.mixed if flush is not None else ():
            self._mixed[run] = self._mixed.get(run, 0) + 1
        if flush is not None and flush.hurried:
            self._hurried |= flush.runs

    def _compact(self) -> None:
        """Merge chunks of runs that have many or have ended. Only order is at stake, so a store that is busy is not waited for."""
        many = {run for run, count in self._mixed.items() if count >= series_store.MIXED_CHUNKS}
        for run in sorted(self.ended | many):
            final = run in self.ended
            try:
                with self.database.write(hurried=True) as tx:
                    series_store.compact(tx, run, final=final, hurried=run in self._hurried)
            except StoreUnavailable:
                return
            except Exception as error:  # noqa: BLE001  # a chunk that cannot be read stays as it is; what is new must still go in
                self.refused.append(f"run {run} was not compacted: {type(error).__name__}: {error}")
            self._mixed.pop(run, None)
            self.ended.discard(run)
            if final:
                self._known.forget(run)
                self._hurried.discard(run)

    def stay_alive(self) -> None:
        """Give a sign of life of the runs that are open and say nothing."""
        if self.open:
            with self.database.write(hurried=True) as tx:
                run_store.touch(tx, self.open, self.journal, time.time_ns() // 1000)


def _numbers(batch: Batch) -> tuple[int, NDArray[Any]]:
    """A number and what the series' numbers in a batch are more than that: one of each array where each is of one series, else of each
    point.

    Numbers go on as long as a process does, so what is made of them must not be as large as they are.
    """
    single = not any(part.strides[0] for part in batch.series)
    numbers = np.array([part[0] for part in batch.series]) if single else _whole(batch.series)
    if max(batch.names) <= _FEW:
        return 0, numbers
    low = int(numbers.min())
    return low, numbers - low


def _each(ranks: NDArray[Any], batch: Batch) -> NDArray[Any]:
    """The rank of each point, where these are those of each array."""
    return ranks if len(ranks) == batch.points else np.repeat(ranks, [len(part) for part in batch.series])


def _points(batch: Batch) -> Points:
    return Points(_whole(batch.steps), _whole(batch.times), _whole(batch.values))


def _whole(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _last_word(batch: Batch) -> int:
    """The time of the last thing said in a batch, µs; 0 when nothing in it has a time."""
    times = [event.at for event in batch.events] + [int(part[-1]) for part in batch.times if len(part)]
    return max(times, default=0)
