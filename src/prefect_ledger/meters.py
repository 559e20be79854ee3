"""Floor 4. Who uses this process's CPU and GPU time: each moment's is split evenly among the bodies that run then, innermost only.

A body with others open inside it waits for them, as far as can be seen from here, so it gets nothing meanwhile. What is used while no
body is open is nobody's. A change costs the same however many are open: a share is kept that grows by what each of them gets.
"""

from __future__ import annotations

import threading
import time

from prefect_ledger import forks


class Meter:
    """What one body used in this process so far, in nanoseconds; opened and closed as often as it runs."""

    __slots__ = ("_began", "_below", "_mark", "_open", "cpu", "gpu", "lost", "parent", "ran", "said", "waited")

    def __init__(self, parent: Meter | None = None) -> None:
        self.parent = parent
        self.ran = self.lost = self.cpu = self.gpu = 0
        self.waited = 0  # µs until it began; whoever knows it says it
        self.said: tuple[int, ...] = ()  # what its user last made known
        self._began = 0
        self._open = self._below = 0
        self._mark: tuple[int, int] | None = None  # the shares when it began to get its part; None: it gets none now

    def start(self) -> None:
        """The body begins, or goes on."""
        with _mutex:
            _settle()
            self._open += 1
            if self._open > 1:
                return
            self._began = time.monotonic_ns()
            if self.parent is not None:
                self.parent._below += 1
                self.parent._rest()
            self._take()

    def stop(self, *, failed: bool = False) -> None:
        """The body ends, or waits; ``failed``: what it did this time has to be done again."""
        with _mutex:
            _settle()
            if not self._open:  # began before a fork
                return
            self._open -= 1
            if self._open:
                return
            self._rest()
            spent = time.monotonic_ns() - self._began
            self.ran += spent
            self.lost += spent if failed else 0
            if self.parent is not None:
                self.parent._below = max(0, self.parent._below - 1)
                self.parent._take()

    def read(self) -> tuple[int, int, int, int]:
        """Time in the body, of it in vain, CPU and GPU time until now; nanoseconds."""
        with _mutex:
            _settle()
            if self._mark is not None:
                self._rest()
                self._take()
            now = time.monotonic_ns() - self._began if self._open else 0
            return self.ran + now, self.lost, self.cpu, self.gpu

    def _take(self) -> None:
        if self._open and not self._below and self._mark is None:
            self._mark = (_state.cpu_share, _state.gpu_share)
            _state.takers += 1

    def _rest(self) -> None:
        if self._mark is not None:
            self.cpu += _state.cpu_share - self._mark[0]
            self.gpu += _state.gpu_share - self._mark[1]
            self._mark = None
            _state.takers -= 1


class _State:
    """What each body that gets its part has got since this process began, and up to which CPU time that was reckoned."""

    __slots__ = ("cpu_seen", "cpu_share", "gpu_share", "takers")

    def __init__(self) -> None:
        self.cpu_share = self.gpu_share = self.takers = 0
        self.cpu_seen = time.process_time_ns()


def gpu_used(nanoseconds: int) -> None:
    """GPUs were busy for so long, all together, since this was last said."""
    with _mutex:
        if _state.takers:
            _state.gpu_share += nanoseconds // _state.takers


def _settle() -> None:
    seen = time.process_time_ns()
    if _state.takers:
        _state.cpu_share += (seen - _state.cpu_seen) // _state.takers
    _state.cpu_seen = seen


_mutex = threading.RLock()  # a signal handler may run a body in between
_state = _State()


def _in_child() -> None:
    """In a forked child nothing runs but what it begins itself."""
    global _mutex, _state
    _mutex = threading.RLock()
    _state = _State()


forks.around(3, in_child=_in_child)
