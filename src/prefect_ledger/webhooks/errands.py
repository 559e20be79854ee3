"""Floor 5. Work done behind the back of who asks for it: one thread, waited for at the end of the process for a few seconds."""

from __future__ import annotations

import atexit
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from prefect_ledger.errors import LedgerError

_EXIT_SECONDS = 10.0


class Errand:
    """Work that may be asked for at any time, and is done once for all who asked meanwhile, with what the last of them gave.

    What fails is left to the next one who asks: whatever is to be done waits in the store.

    Example:
        >>> done = []
        >>> errand = Errand("example", done.append)
        >>> errand.soon("first")
        >>> errand.finish()
        >>> done
        ['first']
    """

    def __init__(self, name: str, work: Callable[..., object]) -> None:
        self._name, self._work = name, work
        self._wanted: deque[tuple[Any, ...]] = deque(maxlen=1)  # no lock in it that a fork could find taken
        self._thread: threading.Thread | None = None

    def soon(self, *words: Any) -> None:
        """Have it done in the background, in this context."""
        self._wanted.append(words)
        if self._thread is not None and self._thread.is_alive():
            return
        if self._thread is None:
            atexit.register(self.finish)
        here = contextvars.copy_context()
        self._thread = threading.Thread(target=here.run, args=(self._run,), name=f"prefect-ledger-{self._name}", daemon=True)
        self._thread.start()

    def finish(self, seconds: float = _EXIT_SECONDS) -> None:
        """Wait until what was asked for is done, for so many seconds at most."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while self._wanted:
            try:
                self._work(*self._wanted.pop())
            except (LedgerError, OSError, RuntimeError, ValueError):
                return
