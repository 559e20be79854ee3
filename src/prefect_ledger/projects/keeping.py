"""Floor 5. What a program has said so far, stored while it runs: who is killed while they wait for it leaves its output all the same.

It is the artifact that has all of it in the end, put anew each time: soon at first, then every half minute, and seldom enough that masking
and sending take a twentieth of the time. What recovers the dead run has nothing more to do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from prefect_ledger.projects.output import Output

_FIRST, _LATER = 1.0, 30.0  # seconds to wait; each wait is twice the one before
_SHARE = 20.0  # of the time that it took to store it


class Keeping:
    """Has ``store`` take the output so far, in a thread of its own, until the block ends; nothing is stored behind it."""

    def __init__(self, output: Output, store: Callable[[str], None]) -> None:
        self._output, self._store = output, store
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="prefect-ledger-output", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _keep(self) -> None:
        wait, letters, last = _FIRST, 0, ""
        while not self._over.wait(wait):
            began = time.monotonic()
            if (now := self._output.letters) != letters:
                letters, text = now, self._output.so_far()
                if text != last and not self._over.is_set():
                    self._store(text)
                    last = text
            wait = max(min(2 * wait, _LATER), _SHARE * (time.monotonic() - began))
