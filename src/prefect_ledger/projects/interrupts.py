"""Floor 5. The signals that end a process, told as exceptions, and held back where something would be left half begun."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows lacks the last


class Interrupts:
    """What a signal raises: KeyboardInterrupt for Ctrl-C, else SystemExit with 128 and its number. While held, the first one waits."""

    def __init__(self) -> None:
        self._held, self._waiting = False, 0

    def hold(self) -> None:
        """From here on, nothing is raised."""
        self._held = True

    def release(self) -> None:
        """Raises what came meanwhile."""
        self._held = False
        number, self._waiting = self._waiting, 0
        if number:
            self._raise(number)

    def take(self, number: int, _frame: object) -> None:
        """The handler of the signals."""
        if self._held:
            self._waiting = self._waiting or number
        else:
            self._raise(number)

    @staticmethod
    def _raise(number: int) -> None:
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


@contextlib.contextmanager
def told_to_end() -> Iterator[Interrupts]:
    """In the block, SIGTERM and SIGHUP interrupt as Ctrl-C does, where nobody else listens for them.

    What was held and not released is raised at the block's end, unless something else is on its way.
    """
    told = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield told
        return
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: now for number in numbers if (now := signal.getsignal(number)) in (signal.SIG_DFL, signal.default_int_handler)}
    for number in before:
        signal.signal(number, told.take)
    try:
        yield told
        told.release()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
