"""Floor 5. The bytes of all bodies that a server holds at once, from the first that comes in until the request is answered.

The first ``SMALL`` bytes of each body are not counted: whoever asks for little is answered though others send much, and the number of
connections is limited elsewhere.
"""

from __future__ import annotations

from prefect_ledger.serving.refusals import too_full

SMALL = 64 << 10  # bytes


class Held:
    """What is held now, at most ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0


class Share:
    """What one request has of it."""

    __slots__ = ("_of", "_size")

    def __init__(self, of: Held) -> None:
        self._of, self._size = of, 0

    def grow(self, size: int) -> None:
        """The request has ``size`` bytes by now.

        Raises:
            Refused: all together have too many.
        """
        more = size - SMALL - self._size
        if more <= 0:
            return
        if self._of.size + more > self._of.limit:
            raise too_full(self._of.limit)
        self._of.size += more
        self._size += more

    def end(self) -> None:
        """The request is answered, or gone."""
        self._of.size -= self._size
        self._size = 0
