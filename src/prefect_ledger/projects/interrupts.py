"""Floor 5. The signals that end a process: told as exceptions, and held back where something would be left half begun."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows lacks the last


class Interrupts:
    """Holds signals that a handler in Python takes, whoever's it is; when released, the first that came is given to that handler.

    As a context it releases at its end. In threads other than the main one, where no handler runs, it does nothing.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._came = 0

    def hold(self) -> None:
        """From here on, nothing is raised."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)):
            if callable(handler := signal.getsignal(number)) and number not in self._before:
                self._before[number] = handler
                signal.signal(number, self._take)

    def release(self) -> None:
        """Raises what the handler of the signal that came raises."""
        while self._before:
            signal.signal(*self._before.popitem())
        came, self._came = self._came, 0
        if came:
            signal.raise_signal(came)

    def _take(self, number: int, _frame: object) -> None:
        self._came = self._came or number

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.release()


@contextlib.contextmanager
def told_to_end() -> Iterator[None]:
    """In the block, SIGTERM and SIGHUP interrupt as Ctrl-C does, where nobody else listens for them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    mine = [
        getattr(signal, name) for name in _SIGNALS if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_DFL
    ]
    for number in mine:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)
