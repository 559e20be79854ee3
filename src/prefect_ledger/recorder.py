"""Floor 4. The thread that drains this process's journal, and adopts those that dead processes left beside it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from prefect_ledger import forks
from prefect_ledger.errors import LedgerError, StoreReplaced, StoreUnavailable
from prefect_ledger.segments import HEADER_BYTES, SLOT

if TYPE_CHECKING:
    from prefect_ledger.database import Database
    from prefect_ledger.drain import Drain
    from prefect_ledger.journal import Journal
    from prefect_ledger.journal_reader import Position

INTERVAL = 0.5  # seconds between drains
LEASE = 30.0  # seconds between signs of life of open runs that say nothing
_PATIENCE = 5.0  # seconds between tries while the store is away
_MOMENT = 5.0  # seconds: who refuses faster may have dropped a connection only, and is asked once more before anything is said
_QUIET = 60.0  # seconds after a word on an outage in which the next outage is not worth another
_AWAY = {"sqlite": 1.0}  # seconds since the store first refused for which the end of a process tries again: a file seldom comes back
_AWAY_SERVER = 10.0  # the same for a server, which may be started anew, or another takes its place
_LAST_TRIES = 0.25  # seconds between those tries
_LAST_ADOPTION = 5.0  # seconds at most, at the end, for journals of others
_IMPORTS = 30.0  # seconds that a fork waits for what is being imported
_LIVE: weakref.WeakSet[Recorder] = weakref.WeakSet()


class Left(NamedTuple):
    """What the store had not taken at the end: records that wait in the journal, and values that nothing could hold."""

    waiting: int
    lost: int


class Recorder:
    """The thread that drains this process's journal, and adopts those that dead processes left beside it."""

    def __init__(self, journal: Journal, database: Callable[[], Database], *, interval: float = INTERVAL) -> None:
        self.journal, self.pid = journal, os.getpid()
        self.last_error: Exception | None = None
        self._refused_at: float | None = None  # since when the store has taken nothing
        self._asked_again_at = -_PATIENCE  # when it was last asked once more, without a word
        self._outages, self._told_at, self._away = 0, 0.0, False  # that were told, when the last one was, whether it lasts
        self._database, self._interval = database, interval
        self._drain: Drain | None = None
        self._mutex = threading.Lock()  # held while the store is used: a fork waits for it
        self._moved = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prefect-ledger-recorder", daemon=True)
        self._lease = time.monotonic()
        self._adoptions_wanted, self._adoptions_done, self._adopted_at = 1, 0, 0.0
        self._recover: Callable[..., object] | None = None  # known once the first step has imported it
        self._forked_in_vain = False  # a fork waited for the store that takes nothing now, and the next ones do not
        self._loading = True  # the first step imports numpy, SQLAlchemy and perhaps alembic
        _LIVE.add(self)

    def start(self) -> None:
        """Begin to drain in the background; where no thread can be started any more, what is logged waits for recovery."""
        with contextlib.suppress(RuntimeError):  # the interpreter is shutting down
            self._thread.start()

    def flush(self, timeout: float) -> int:
        """Wait until all that is in the journal now is in the store, and what processes that have ended left in theirs beside it:
        ``timeout`` seconds at most. Returns the records of this journal that are still held.

        Raises:
            LedgerError: why the store takes nothing now, StoreUnavailable most of all.
        """
        if self.pid != os.getpid():
            return 0
        target = self.journal.position()
        deadline = time.monotonic() + timeout
        self.last_error = None
        self._adoptions_wanted = wanted = self._adoptions_wanted + 1
        with self._moved:
            while self._reached() < target or self._adoptions_done < wanted:
                if (error := self._trouble_seen()) is not None or time.monotonic() >= deadline or not self._thread.is_alive():
                    if isinstance(error, LedgerError):
                        raise error
                    break
                self.journal.wake.set()
                self._moved.wait(min(0.1, max(0.0, deadline - time.monotonic())))
        return distance(self._reached(), target, self.journal)

    def finish(self, timeout: float) -> Left:
        """Stop the thread, drain to here and close the journal; returns what the store has not taken.

        A store that refuses is tried again for a while, less when it has refused for long already, and ``timeout`` seconds at most. What is
        logged meanwhile by other threads is not waited for, so that this ends.
        """
        if self.pid != os.getpid():
            return Left(0, 0)
        began = time.monotonic()
        deadline = began + timeout
        self._end_thread(timeout)
        target = self.journal.position()
        if not self._thread.is_alive():
            try:
                self._drain_to(target, deadline)
                self._adopt(lambda: time.monotonic() < min(deadline, began + _LAST_ADOPTION))
            except Exception as error:  # noqa: BLE001  # the process is ending: what is not in the store is counted below, and stays
                self.last_error = error
        with self.journal._lock:  # what other threads say meanwhile is held too
            reached, end = self._reached(), self.journal.position()
            lost = self.journal.close(reached=reached)
            return Left(_between(reached, end, self.journal), lost)

    def _end_thread(self, timeout: float) -> None:
        self._stop.set()
        self.journal.wake.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _drain_to(self, target: Position, deadline: float) -> None:
        """Drain up to a position, also when the store refuses for a moment.

        Raises:
            Exception: why it refuses, when it has done so for too long.
        """
        while self._reached() < target and time.monotonic() < deadline:
            try:
                if not self._step():
                    return
            except Exception as error:  # whatever it is may be over in a moment; if not, it is raised
                self._refused()
                if not self._wait_once_more(error, deadline):
                    raise

    def _wait_once_more(self, error: Exception, deadline: float) -> bool:
        """Sleep before another try at the end; False when it is not worth it, or the user does not want it."""
        until = min(deadline, (self._refused_at or 0.0) + self._patience())
        left = until - time.monotonic()
        if left <= 0:
            return False
        if left > 1.0:
            self.journal.tell("end", f"{error}: the end of this process waits for it, {left:.0f} s at most (Ctrl-C ends the wait)")
        try:
            time.sleep(min(_LAST_TRIES, left))
        except KeyboardInterrupt:
            return False
        return True

    def _patience(self) -> float:
        """How long the store may have refused, in seconds, for the end of a process to try again."""
        try:
            return _AWAY.get(self._database().dialect, _AWAY_SERVER)
        except Exception:  # noqa: BLE001  # it is not even known which store it is
            return 0.0

    def _trouble_seen(self) -> Exception | None:
        return self.last_error

    def _reached(self) -> Position:
        return self._drain.reader.position if self._drain is not None else (0, 0)

    def _run(self) -> None:
        while not self._stop.is_set():
            more, began = False, time.monotonic()
            try:
                more = self._step()
                if not more and (self._adoptions_done < self._adoptions_wanted or time.monotonic() - self._adopted_at >= LEASE):
                    self._adopt(self._breathe)
                self._stay_alive()
            except StoreUnavailable as error:
                more = self._refuses(error, began)
            except Exception as error:  # noqa: BLE001  # the only one who drains must outlive whatever one batch does to it
                what = type(error).__name__
                if self._refused_at is not None:
                    self._trouble(error, f"drain {what}", f"what is logged cannot be brought into the store: {what}: {error}")
                else:  # it may be over in a moment, as what threads that import at once do to each other
                    self._refused()
                    more = True
            if not self.journal.prepared:
                self.journal.prepare()
            if not more:
                self._rest(_PATIENCE if self.last_error else self._interval)

    def _refuses(self, error: StoreUnavailable, began: float) -> bool:
        """The store refuses, asked at ``began``; returns whether to ask it once more at once. Each outage is told once."""
        at = time.monotonic()
        if self._refused_at is None and at - began < _MOMENT and at - self._asked_again_at >= _PATIENCE:
            self._asked_again_at = at
            self._refused()
            return True
        if not self._away and (not self._outages or at - self._told_at >= _QUIET):
            self._outages, self._told_at = self._outages + 1, at
            self.journal.forget("store")
        self._away = True
        which = f" (outage {self._outages} of this process)" if self._outages > 1 else ""
        self._trouble(
            error, "store", f"{error}{which}; what is logged waits in {self.journal.folder}, and goes in by itself when the store is back"
        )
        return False

    def _rest(self, seconds: float) -> None:
        """Sleep, but wake when a segment was filled or somebody waits."""
        self.journal.wake.wait(seconds)

    def _step(self) -> bool:
        with self._mutex:
            if self._drain is None:
                # Numpy and SQLAlchemy take half a second to import: that is this thread's time, not the first caller's.
                # Recovery too, while a fork waits for this: a child forked during an import would wait for it for ever.
                from prefect_ledger import recovery
                from prefect_ledger.drain import Drain
                from prefect_ledger.journal_reader import JournalReader

                self._recover = recovery.recover

                reader = JournalReader(self.journal.folder, live=self.journal)
                self._drain = Drain(self._database(), reader, str(self.journal.id))
                self._drain.on_advance = self._notify
            try:
                more = self._drain.step()
            except StoreReplaced as error:
                self.journal.tell("replaced", str(error))
                more = True
            self.last_error = self._refused_at = None
            self._away = self._away and not more  # with nothing to bring in, nobody was asked
            self._loading = self._forked_in_vain = False
        self._notify()
        return more

    def _adopt(self, between: Callable[[], bool]) -> None:
        """Bring in journals that dead processes left beside this one; ``between`` their batches it is asked whether to go on."""
        wanted = self._adoptions_wanted
        with self._mutex, contextlib.suppress(OSError):
            if self._recover is not None:
                self._recover(self.journal.root, self._database(), between=between)
        self._adoptions_done, self._adopted_at = wanted, time.monotonic()
        self._notify()

    def _breathe(self) -> bool:
        """Between two batches of somebody else's journal: let a fork through, and drain this process's own."""
        self._mutex.release()
        try:
            self._step()
        finally:
            self._mutex.acquire()
        return not self._stop.is_set()

    def _notify(self) -> None:
        with self._moved:
            self._moved.notify_all()

    def _stay_alive(self) -> None:
        """A sign of life for runs that are open and silent."""
        if self._drain is not None and time.monotonic() - self._lease >= LEASE:
            self._lease = time.monotonic()
            with self._mutex:
                self._drain.stay_alive()

    def _trouble(self, error: Exception, kind: str, sentence: str) -> None:
        self.last_error = error
        self._refused()
        self.journal.tell(kind, sentence)
        self._notify()

    def _refused(self) -> None:
        if self._refused_at is None:
            self._refused_at = time.monotonic()


def distance(reached: Position, target: Position, journal: Journal) -> int:
    """Slots between two positions, roughly: whole segments count as what they can hold."""
    return 0 if reached >= target else max(1, _between(reached, target, journal))


def _between(reached: Position, target: Position, journal: Journal) -> int:
    """Slots that segments have between two positions."""
    found = 0
    for number, segment in list(journal.segments.items()):
        end = target[1] if number == target[0] else (segment.size - HEADER_BYTES) // SLOT
        if reached[0] <= number <= target[0]:
            found += max(0, end - (reached[1] if number == reached[0] else 0))
    return found


# --- forks --------------------------------------------------------------------------------------------------------

_held: list[Recorder] = []


def _before_fork() -> None:
    """Never fork while a recorder is inside the database's driver: a lock copied in its locked state hangs the child."""
    for recorder in list(_LIVE):
        # Not without end: a store may be waited for longer than a fork can be. Imports do end, and a lock of theirs would hang the child.
        if recorder.pid != os.getpid():
            continue
        patience = _IMPORTS if recorder._loading else 0.0 if recorder._forked_in_vain else forks.patience_left()
        if recorder._mutex.acquire(timeout=patience):
            _held.append(recorder)  # each as soon as it is held: an interrupt may come in between
        else:
            recorder._forked_in_vain = True


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop()._mutex.release()


def _after_fork_in_child() -> None:
    _held.clear()  # the parent's recorders stay as they are; this process gets one of its own with its journal


forks.around(0, before=_before_fork, in_parent=_after_fork_in_parent, in_child=_after_fork_in_child)
