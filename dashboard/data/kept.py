"""What was costly to read, kept for a while for all who look: as long as it is said, and no more of it than fits."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Kept(Generic[V]):
    """Values by key, of ``most`` in all as ``size`` counts them; those not asked for longest go first. Safe to use from any thread.

    Example:
        >>> kept = Kept[str](most=10, size=len)
        >>> kept.put("a", "text", seconds=60)
        >>> kept.get("a"), kept.get("b")
        ('text', None)
    """

    def __init__(self, *, most: int, size: Callable[[V], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._size, self._clock = most, size, clock
        self._there: OrderedDict[Hashable, tuple[float, int, V]] = OrderedDict()
        self._held = 0
        self._mutex = threading.Lock()

    def get(self, key: Hashable) -> V | None:
        """The value of this key; None where there is none any more."""
        with self._mutex:
            found = self._there.get(key)
            if found is None:
                return None
            if found[0] <= self._clock():
                self._drop(key)
                return None
            self._there.move_to_end(key)
            return found[2]

    def put(self, key: Hashable, value: V, *, seconds: float) -> None:
        """Keep it for so long."""
        size = self._size(value)
        if size > self._most:
            return
        with self._mutex:
            if key in self._there:
                self._drop(key)
            self._there[key] = (self._clock() + seconds, size, value)
            self._held += size
            while self._held > self._most:
                self._drop(next(iter(self._there)))

    def _drop(self, key: Hashable) -> None:
        self._held -= self._there.pop(key)[1]
