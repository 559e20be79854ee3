"""Floor 4. Looks at the machine every few seconds while runs are open in this process, and logs what it sees on each of them.

One thread a process, there only while there is something to look at. A run is looked at soon after its start, so that a short one has
a point too, and then every few seconds.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from prefect_ledger import forks, meters
from prefect_ledger.errors import LedgerError, RunStopped

if TYPE_CHECKING:
    from prefect_ledger.probes import Gpus, Machine

NAMESPACE = "system."
SOON = (0.25, 1.0)  # seconds after the start of a run for its first points, unless it is looked at more often
LINGER = 5.0  # seconds that the thread waits for another run
_TOGETHER = 0.1  # runs that are due so soon are served by the same look


class Watched(Protocol):
    """A run that takes what is seen."""

    @property
    def finished(self) -> bool: ...
    def log_metrics(self, metrics: Mapping[str, float]) -> None: ...


class _Turn:
    """When a run is looked at."""

    def __init__(self, run: Watched, seconds: float, also: Callable[[], None]) -> None:
        self.run, self.also = run, also
        self.seconds, self.began = seconds, time.monotonic()
        self.soon = [self.began + after for after in SOON if after < seconds]
        self.next = self.soon.pop(0) if self.soon else self.began + seconds

    def taken(self, now: float) -> None:
        self.next = max(self.soon.pop(0), now + _TOGETHER) if self.soon else now + self.seconds


class Watch:
    """The thread that looks, and for whom."""

    def __init__(self) -> None:
        self._turns: dict[int, _Turn] = {}
        self._change = threading.Condition()
        self._looking = threading.Lock()  # held while there is a look, or an import for it: a fork waits
        self._loading = True
        self._thread: threading.Thread | None = None
        self._machine: Machine | None = None
        self._gpus: Gpus | None = None
        self._gpu_at = 0.0

    def add(self, run: Watched, *, seconds: float, also: Callable[[], None]) -> None:
        """Look for ``run`` from here on, and call ``also`` each time."""
        with self._change:
            self._turns[id(run)] = _Turn(run, seconds, also)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="prefect-ledger-watch", daemon=True)
                with contextlib.suppress(RuntimeError):  # the interpreter is shutting down
                    self._thread.start()
            self._change.notify()

    def drop(self, run: Watched) -> None:
        """Look for it no more."""
        with self._change:
            self._turns.pop(id(run), None)

    def _run(self) -> None:
        while True:
            with self._change:
                if not self._turns and not self._change.wait_for(lambda: bool(self._turns), LINGER):
                    self._thread = None
                    return
                due = min(turn.next for turn in self._turns.values()) if self._turns else 0.0
                if (left := due - time.monotonic()) > 0:
                    self._change.wait(left)  # woken early by a run that is due sooner
                    continue
            self._look()

    def _look(self) -> None:
        now = time.monotonic()
        with self._change:
            due = [(key, turn) for key, turn in self._turns.items() if turn.next <= now + _TOGETHER]
            for _, turn in due:
                turn.taken(now)
        try:
            with self._looking:  # and not while it is logged: a fork may hold the journal and wait for this
                seen = {f"{NAMESPACE}{name}": value for name, value in self._read().items()}
        except Exception:  # noqa: BLE001  # a machine may refuse anything; the runs' own words are said all the same
            seen = {}
        for key, turn in due:
            if turn.run.finished:
                with self._change:
                    if self._turns.get(key) is turn:
                        del self._turns[key]
                continue
            with contextlib.suppress(LedgerError, RunStopped):  # finished meanwhile, or about to be
                turn.run.log_metrics(seen)
                turn.also()

    def _read(self) -> dict[str, float]:
        if self._machine is None:
            from prefect_ledger import probes

            self._machine, self._gpus = probes.Machine(), probes.gpus()
            self._gpu_at = time.monotonic()
            self._loading = False
        found = self._machine.read()
        if self._gpus is not None:
            found |= self._gpus.read()
            at = time.monotonic()
            meters.gpu_used(int(self._gpus.busy * (at - self._gpu_at) * 1e9))
            self._gpu_at = at
        return found


watch = Watch()


# --- forks --------------------------------------------------------------------------------------------------------

_held: list[Watch] = []


def _before_fork() -> None:
    """Never fork while psutil is being imported, or inside NVML: the child would wait for locks that nobody gives back."""
    if watch._looking.acquire(timeout=30.0 if watch._loading else 2.0):
        _held.append(watch)


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop()._looking.release()


def _after_fork_in_child() -> None:
    """The runs are the parent's, and the thread is there. What the child begins itself is looked at by a watch of its own."""
    global watch
    _held.clear()
    watch = Watch()


forks.around(2, before=_before_fork, in_parent=_after_fork_in_parent, in_child=_after_fork_in_child)
