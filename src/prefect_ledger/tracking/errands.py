"""Floor 5. Work done behind the back of who asks for it: one thread, waited for at the end of the process for a few seconds."""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from prefect_ledger.errors import LedgerError
from prefect_ledger.tracking.sending import Sender

_EXIT_SECONDS = 10.0


def _at_exit(wait: Callable[[float], None]) -> None:
    """Have the end of the process wait, for ``_EXIT_SECONDS`` in all.

    Exit handlers are late for work that uses Prefect: by then pools of threads take nothing, modules that have one cannot be imported,
    and a server that is begun registers its own end in vain, and stays for ever. So the wait comes before, where threads are waited
    for, and before the pools are closed, which is why these are there first. Exit handlers wait for what threads asked for until then.
    """
    import concurrent.futures.process
    import concurrent.futures.thread  # noqa: F401

    until: list[float] = []

    def rest() -> None:
        if not until:
            until.append(time.monotonic() + _EXIT_SECONDS)
        wait(max(0.0, until[0] - time.monotonic()))

    atexit.register(rest)
    early = getattr(threading, "_register_atexit", None)  # no public name, and used by Python's own pools and Prefect's
    if early is not None:
        with contextlib.suppress(RuntimeError):  # asked for at the end already
            early(rest)


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
        self._work = work
        self._wanted: deque[tuple[contextvars.Context, tuple[Any, ...]]] = deque(maxlen=1)
        self._sender = Sender(self._run, name)
        self._waited_for = False  # at the end of the process

    def soon(self, *words: Any) -> None:
        """Have it done in the background, in this context."""
        self._wanted.append((contextvars.copy_context(), words))
        if not self._waited_for:
            self._waited_for = True
            _at_exit(self.finish)
        self._sender.soon()

    def finish(self, seconds: float = _EXIT_SECONDS) -> None:
        """Wait until what was asked for is done, for so many seconds at most."""
        self._sender.flush(seconds)

    def _run(self) -> None:
        while self._wanted:
            here, words = self._wanted.pop()
            with contextlib.suppress(LedgerError, OSError, RuntimeError, ValueError):
                here.run(self._work, *words)
