"""Floor 2. What wakes a thread, and may be rung from anywhere."""

from __future__ import annotations

import contextlib
import queue


class Bell:
    """Wakes the recorder. A signal handler may ring it, which an ``Event`` does not allow: its lock is not reentrant."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set(self) -> None:
        """Ring."""
        if self._queue.empty():
            self._queue.put(None)

    def wait(self, seconds: float) -> None:
        """Sleep until it rings, ``seconds`` at most; a ring that was not heard yet counts."""
        with contextlib.suppress(queue.Empty):
            self._queue.get(timeout=seconds)
