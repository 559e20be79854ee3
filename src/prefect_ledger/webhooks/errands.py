"""Floor 5. Work done behind the back of who asks for it: one thread, waited for at the end of the process for a few seconds."""

from __future__ import annotations

import atexit
import threading
from collections import deque
from collections.abc import Callable

from prefect_ledger.errors import LedgerError

_EXIT_SECONDS = 10.0


class Errand:
    """Work that may be asked for at any time and is done once for all who asked meanwhile. What fails is left to the next one who asks.

    Example:
        >>> done = []
        >>> errand = Errand("example", lambda: done.append("once"))
        >>> errand.soon()
        >>> errand.finish()
        >>> done
        ['once']
    """

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        self._name, self._work = name, work
        self._wanted: deque[None] = deque(maxlen=1)  # no lock in it that a fork could find taken
        self._thread: threading.Thread | None = None

    def soon(self) -> None:
        """Have it done in the background."""
        self._wanted.append(None)
        if self._thread is not None and self._thread.is_alive():
            return
        if self._thread is None:
            atexit.register(self.finish)
        self._thread = threading.Thread(target=self._run, name=f"prefect-ledger-{self._name}", daemon=True)
        self._thread.start()

    def finish(self, seconds: float = _EXIT_SECONDS) -> None:
        """Wait until what was asked for is done, for so many seconds at most."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while self._wanted:
            self._wanted.clear()
            try:
                self._work()
            except (LedgerError, OSError, RuntimeError, ValueError):  # what is to be done waits in the store for the next one
                return
