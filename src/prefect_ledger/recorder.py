"""Floor 4. Brings what journals hold into the store: this process's own in a background thread, a dead process's by recovery.

A drain is one transaction: the journal's position is moved from where it was read, and what stood between goes in. The same condition
makes a second drain, or a second drainer, harmless. What the store does not take stays in the journal and is tried again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prefect_ledger import lockfile, run_store, series_store
from prefect_ledger.database import REFUSED
from prefect_ledger.errors import JournalCorrupt, LedgerError, StoreUnavailable
from prefect_ledger.events import JournalClosed, RunStarted, RunStatusSeen
from prefect_ledger.journal_reader import Batch, JournalReader, Position, left_behind
from prefect_ledger.points import Points

if TYPE_CHECKING:
    from prefect_ledger.database import Database
    from prefect_ledger.journal import Journal

INTERVAL = 0.5  # seconds between drains
LEASE = 30.0  # seconds between signs of life of open runs that say nothing
_PATIENCE = 5.0  # seconds between tries while the store is away
_LIVE: weakref.WeakSet[Recorder] = weakref.WeakSet()


class Moved(Exception):
    """Another drainer moved the journal's position."""


class Drain:
    """Brings one journal into the store, batch by batch. Not for two threads at once."""

    def __init__(self, database: Database, reader: JournalReader, journal: str) -> None:
        self.database, self.reader, self.journal = database, reader, journal
        self.ended: set[str] = set()  # runs whose end came by and whose chunks want a last compaction
        self.open: set[str] = set()  # runs this journal owns and that have not ended
        self.closed = False  # the journal says that its process ended in order
        self.points = self.events = self.damaged = 0
        self._known = series_store.SeriesIds()
        self._mixed: dict[str, int] = {}  # mixed chunks written for a run since its last compaction
        self._sought = False

    def step(self) -> bool:
        """Drain one batch; False when there is nothing new.

        Raises:
            StoreUnavailable: nothing was written; the position is where it was.
            JournalCorrupt: a segment that cannot be read.
        """
        if not self._sought:
            self.seek()
        batch = self.reader.read()
        if batch is None:
            return False
        try:
            self._commit(batch)
        except Moved:
            self.seek()
            return True
        except BaseException:
            self._known.clear()  # what was learnt in the transaction that failed may not be there
            raise
        self.reader.advance(batch)
        self._follow(batch)
        self._compact()
        return True

    def seek(self) -> None:
        """Go on where the store says."""
        with self.database.read() as tx:
            position = run_store.journal_position(tx, self.journal)
        if position is not None and position > self.reader.position:
            self.reader.seek(position)
        self._sought = True

    def _commit(self, batch: Batch) -> None:
        flush = self._flush(batch)
        try:
            self._write(batch, flush, careful=False)
        except REFUSED:  # what no database takes must not hold up all that follow
            self._write(batch, flush, careful=True)

    def _write(self, batch: Batch, flush: series_store.Flush | None, *, careful: bool) -> None:
        with self.database.write() as tx:
            if not run_store.move_journal(tx, self.journal, batch.old, batch.new):
                raise Moved
            (run_store.fold_carefully if careful else run_store.fold)(tx, batch.events, self.journal)
            if flush is not None:
                series_store.write_flush(tx, flush, self._known)
            heard = {event.run for event in batch.events if event.run} | (flush.runs if flush else set())
            at = time.time_ns() // 1000 if self.reader.live is not None else _last_word(batch)
            if heard and at:
                run_store.touch(tx, heard, self.journal if self.reader.live is not None else "", at)

    def _flush(self, batch: Batch) -> series_store.Flush | None:
        if not batch.points:
            return None
        numbers = np.concatenate(batch.series)
        present = np.flatnonzero(np.bincount(numbers)).tolist()
        names = {number: batch.names[number] for number in present}
        if missing := self._known.missing(names.values()):
            with self.database.write() as tx:
                series_store.ensure_series(tx, self._known, missing)
        table = np.zeros(present[-1] + 1, np.int64)
        for number in present:
            table[number] = self._known.ids[names[number]]
        points = Points(np.concatenate(batch.steps), np.concatenate(batch.times), np.concatenate(batch.values))
        return series_store.prepare(table[numbers], points, {self._known.ids[name]: name for name in names.values()})

    def _follow(self, batch: Batch) -> None:
        """Keep count of what the batch opened, ended and left to compact."""
        self.points += batch.points
        self.events += len(batch.events)
        self.damaged += batch.damaged
        for event in batch.events:
            if isinstance(event, RunStarted) and event.owner:
                self.open.add(event.run)
            elif isinstance(event, RunStatusSeen) and event.status in run_store.FINAL:
                self.open.discard(event.run)
                self.ended.add(event.run)
            elif isinstance(event, JournalClosed):
                self.closed = True
        for part in batch.series:
            for run in {batch.names[int(n)][0] for n in (part[:1] if len(part) == 1 else np.unique(part))}:
                self._mixed[run] = self._mixed.get(run, 0) + 1

    def _compact(self) -> None:
        """Merge chunks of runs that have many or have ended. Only order is at stake, so a store that is busy is not waited for."""
        many = {run for run, count in self._mixed.items() if count >= series_store.MIXED_CHUNKS}
        for run in sorted(self.ended | many):
            final = run in self.ended
            try:
                with self.database.write() as tx:
                    series_store.compact(tx, run, final=final)
            except StoreUnavailable:
                return
            self._mixed.pop(run, None)
            self.ended.discard(run)


def _last_word(batch: Batch) -> int:
    """The time of the last thing said in a batch, µs; 0 when nothing in it has a time."""
    times = [event.at for event in batch.events] + [int(part[-1]) for part in batch.times if len(part)]
    return max(times, default=0)


class Recorder:
    """The thread that drains this process's journal, and adopts those that dead processes left beside it."""

    def __init__(self, journal: Journal, database: Callable[[], Database], *, interval: float = INTERVAL) -> None:
        self.journal, self.pid = journal, os.getpid()
        self.last_error: Exception | None = None
        self._database, self._interval = database, interval
        self._drain: Drain | None = None
        self._mutex = threading.Lock()  # held while the store is used: a fork waits for it
        self._moved = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prefect-ledger-recorder", daemon=True)
        self._lease = time.monotonic()
        _LIVE.add(self)

    def start(self) -> None:
        """Begin to drain in the background."""
        self._thread.start()

    def flush(self, timeout: float) -> int:
        """Wait until all that is in the journal now is in the store, ``timeout`` seconds at most; returns the records still held."""
        if self.pid != os.getpid():
            return 0
        target = self.journal.position()
        deadline = time.monotonic() + timeout
        self.last_error = None
        with self._moved:
            while self._reached() < target and time.monotonic() < deadline and self._thread.is_alive():
                self.journal.wake.set()
                self._moved.wait(min(0.1, max(0.0, deadline - time.monotonic())))
                if isinstance(self.last_error, LedgerError):
                    raise self.last_error
        return _distance(self._reached(), target, self.journal)

    def finish(self, timeout: float) -> int:
        """Stop the thread, drain to here and close the journal; returns the records that are still held in it.

        What is logged meanwhile by other threads is not waited for, so that this ends.
        """
        if self.pid != os.getpid():
            return 0
        deadline = time.monotonic() + timeout
        self._stop.set()
        self.journal.wake.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        target = self.journal.position()
        if not self._thread.is_alive():
            with contextlib.suppress(LedgerError):
                while self._reached() < target and time.monotonic() < deadline and self._step():
                    pass
        held = _distance(self._reached(), target, self.journal)
        self.journal.close(drained=not held)
        return held

    def _reached(self) -> Position:
        return self._drain.reader.position if self._drain is not None and self._drain.reader is not None else (0, 0)

    def _run(self) -> None:
        adopted = False
        while not self._stop.is_set():
            more = False
            try:
                more = self._step()
                if not more and not adopted:
                    adopted = True
                    self._adopt()
                self._stay_alive()
            except StoreUnavailable as error:
                self._trouble(error, f"{error}; what is logged waits in {self.journal.folder}")
            except Exception as error:  # the thread is the only one who drains: it must outlive whatever one batch does to it
                self._trouble(error, f"what is logged cannot be brought into the store: {type(error).__name__}: {error}")
            if not self.journal.prepared:
                self.journal.prepare()
            if not more:
                self._rest(_PATIENCE if self.last_error else self._interval)

    def _rest(self, seconds: float) -> None:
        """Sleep, but wake when a segment was filled or somebody waits."""
        self.journal.wake.wait(seconds)
        self.journal.wake.clear()

    def _step(self) -> bool:
        with self._mutex:
            if self._drain is None:
                reader = JournalReader(self.journal.folder, live=self.journal)
                self._drain = Drain(self._database(), reader, str(self.journal.id))
            more = self._drain.step()
            self.last_error = None
        with self._moved:
            self._moved.notify_all()
        return more

    def _adopt(self) -> None:
        with self._mutex, contextlib.suppress(OSError):
            recover(self.journal.root, self._database())

    def _stay_alive(self) -> None:
        """A sign of life for runs that are open and silent."""
        if self._drain is None or not self._drain.open or time.monotonic() - self._lease < LEASE:
            return
        self._lease = time.monotonic()
        with self._mutex, self._database().write() as tx:
            run_store.touch(tx, self._drain.open, str(self.journal.id), time.time_ns() // 1000)

    def _trouble(self, error: Exception, sentence: str) -> None:
        self.last_error = error
        self.journal.tell("store", sentence)
        with self._moved:
            self._moved.notify_all()


def _distance(reached: Position, target: Position, journal: Journal) -> int:
    """Slots between two positions, roughly: whole segments count as what they can hold."""
    if reached >= target:
        return 0
    if reached[0] == target[0]:
        return target[1] - reached[1]
    from prefect_ledger.segments import SLOT

    between = sum(s.size // SLOT for n, s in list(journal.segments.items()) if reached[0] <= n < target[0])
    return max(1, between - reached[1] + target[1])


# --- recovery -----------------------------------------------------------------------------------------------------


@dataclass
class Recovered:
    """What a recovery brought in."""

    journals: int = 0
    points: int = 0
    events: int = 0
    crashed: list[str] = field(default_factory=list)
    alive: int = 0
    broken: list[str] = field(default_factory=list)


def recover(folder: Path, database: Database, *, progress: Callable[[str], Any] | None = None) -> Recovered:
    """Adopt the journals below ``folder`` whose process is gone: drain them, end their runs as CRASHED, remove them.

    Safe to run twice, by several processes at once, and to be killed at any moment.

    Raises:
        StoreUnavailable: the store does not take them now; they stay.
    """
    found = Recovered()
    for path in left_behind(folder):
        lock = _try_lock(path)
        if lock is None:
            found.alive += path.exists()
            continue
        try:
            if progress is not None:
                progress(path.name)
            _adopt(path, database, found)
        finally:
            lock.release()
    _sweep(folder)
    return found


def _try_lock(path: Path) -> lockfile.Lock | None:
    try:
        return lockfile.acquire(path / "lock") if (path / "lock").exists() else None
    except OSError:
        return None  # removed by another recovery between the look and the lock


def _adopt(path: Path, database: Database, found: Recovered) -> None:
    drain = Drain(database, JournalReader(path), path.name)
    try:
        while drain.step():
            pass
    except JournalCorrupt as error:
        found.broken.append(str(error))
        path.rename(path.with_name(f".broken-{path.name}"))
        return
    finally:
        drain.reader.close()
    if not drain.closed:
        with database.write() as tx:
            found.crashed += run_store.crash_owned(tx, path.name, "the process ended without a word: killed, or the machine went down")
    found.journals += 1
    found.points += drain.points
    found.events += drain.events
    trash = path.with_name(f".gone-{path.name}")
    path.rename(trash)
    shutil.rmtree(trash, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what recoveries and openings that were killed left half done."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        old = time.time() - path.lstat().st_mtime > 3_600 if path.exists() else False
        if path.name.startswith(".gone-") or (path.name.startswith(".") and not path.name.startswith(".broken-") and old):
            shutil.rmtree(path, ignore_errors=True)


# --- forks --------------------------------------------------------------------------------------------------------

_held: list[Recorder] = []


def _before_fork() -> None:
    """Never fork while a recorder is inside the database's driver: a lock copied in its locked state hangs the child."""
    for recorder in list(_LIVE):
        if recorder.pid == os.getpid() and recorder._mutex.acquire(timeout=2.0):
            _held.append(recorder)


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop()._mutex.release()


def _after_fork_in_child() -> None:
    _held.clear()  # the parent's recorders stay as they are; this process gets one of its own with its journal


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
