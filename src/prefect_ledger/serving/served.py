"""Floor 5. One model that a server asks: bodies are read by its signature, and it is asked here or in its threads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.serving.bodies import Reader
from prefect_ledger.serving.following import Followed
from prefect_ledger.serving.refusals import too_late
from prefect_ledger.serving.scorer import Scorer

if TYPE_CHECKING:
    from prefect_ledger.models.predictor import Predictor
    from prefect_ledger.serving.app import Limits
    from prefect_ledger.serving.bodies import Asked

_LITTLE = 16 << 10  # bytes of a body that may be answered in the thread of the connections
_LARGE = 1 << 20  # bytes of a body that is not read there either
_APART = 0.01  # seconds between two requests that cannot be asked together


class Found(NamedTuple):
    """The body of an answer, the predictor that gave it, and the seconds that this took it, alone or with those asked together."""

    body: bytes
    predictor: Predictor
    seconds: float


class Served:
    """The model of ``followed``, asked within ``limits``; ``loaded`` is told of each predictor that comes to be asked.

    ``apart``: it is never asked in the thread of the connections, however quick it has been.
    """

    def __init__(self, followed: Followed, limits: Limits, loaded: Callable[[Predictor], None], *, apart: bool = False) -> None:
        self.followed, self._seconds, self._told, self._apart = followed, limits.seconds, loaded, apart
        self.scorer = Scorer(lambda: followed.current, waiting=limits.waiting, rows=limits.rows, threads=limits.threads)
        self._last: tuple[Any, float] = (None, 0.0)  # who asked last, and when
        self._loaded(followed.current)
        followed.changed = self._loaded

    def _loaded(self, predictor: Predictor) -> None:
        self._reader = Reader(predictor.signature)
        self.scorer.renew()
        self._told(predictor)

    @property
    def model(self) -> str:
        """The id of the model that is asked now, or the place it comes from."""
        return named(self.followed.current)

    def close(self) -> None:
        """Answer what waits, then stop."""
        self.scorer.stop()
        self.followed.stop()

    async def answer(self, client: Any, content_type: str, body: bytes) -> Found:
        """What the model answers to ``body``, which ``client`` sent.

        Raises:
            Refused: it is not what a model could be asked, the model does not take it, fails on it or takes too long, or too many wait.
        """
        reader, alone = self._reader, self._alone(client)
        asked = reader.read(body, content_type) if len(body) < _LARGE else await asyncio.to_thread(reader.read, body, content_type)
        here = self.scorer.here(asked) if alone and not self._apart and len(body) <= _LITTLE else None
        return Found(*(await self._asked(asked) if here is None else self.scorer.ask_here(asked, here)))

    async def _asked(self, asked: Asked) -> tuple[bytes, Predictor, float]:
        try:
            async with asyncio.timeout(self._seconds):
                return await self.scorer.ask(asked)
        except TimeoutError:
            raise too_late(self._seconds) from None

    def _alone(self, client: Any) -> bool:
        """Whether the one who asked last asks again, or nobody did for a while: then there is nobody to be asked together with."""
        now = time.monotonic()
        alone = client == self._last[0] or now - self._last[1] > _APART
        self._last = (client, now)
        return alone


def named(predictor: Predictor) -> str:
    """The id of a model, or the place it comes from."""
    return str(predictor.about.get("model_id") or predictor.about.get("uri") or "")
