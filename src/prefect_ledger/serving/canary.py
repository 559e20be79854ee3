"""Floor 5. The server of two models: one beside the other, which answers a share of the requests or, as a shadow, none.

Whatever becomes of the one beside, nobody's request is lost by it: where it fails to answer a request of its share, the other one answers
(but not once the time is over). ``GET /comparison`` says how the two compare, for as long as they have been the two.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson

from prefect_ledger.headers import header
from prefect_ledger.serving.app import App, Headers, Limits, Message, told
from prefect_ledger.serving.beside import Beside, chosen
from prefect_ledger.serving.following import Followed
from prefect_ledger.serving.refusals import Refused, stuck
from prefect_ledger.serving.served import Found, Served, named
from prefect_ledger.serving.server import WORKERS
from prefect_ledger.serving.shadow import Offer, Shadow
from prefect_ledger.serving.tally import Outcome, Pair, Side, Tally

log = logging.getLogger("prefect_ledger.serving")
Answer = tuple[int, bytes, Headers]


def beside_app(followed: Followed, limits: Limits, beside: Beside, *, follow: float, trust: bool) -> App:
    """The application that serves two models.

    Raises:
        LedgerError: the one beside cannot be opened.
    """
    if beside.share is not None:
        return Shared(followed, limits, beside, Followed(beside.reference, seconds=follow, trust=trust))
    return Shadowed(followed, limits, beside, {"reference": beside.reference, "follow": follow, "trust": trust})


class Canary(App):
    """Serves the model of ``followed``, and another one beside it."""

    def __init__(self, followed: Followed, limits: Limits, beside: Beside) -> None:
        super().__init__(followed, limits)
        self._beside = beside
        self._tally = Tally(self._meters.registry)
        self._gets["/comparison"] = lambda _: (orjson.dumps(self._comparison()), b"application/json")

    def _pair(self) -> Pair:
        """The two models as they are now."""
        raise NotImplementedError

    def _comparison(self) -> dict[str, Any]:
        pair, beside = self._pair(), self._beside
        found = self._tally.counts(pair)
        how: dict[str, Any] = {"mode": "shadow" if beside.share is None else "share", "share": beside.share, "tolerance": beside.tolerance}
        how["workers"] = int(os.environ.get(WORKERS, "1"))  # that were counted together; which two models it is, each says of itself
        for side, reference, model in zip(pair._fields, (self.followed.reference, beside.reference), pair, strict=True):
            found[side] = {"reference": reference, "model_id": model, **found[side]}
        return {**how, **found}

    async def _by_champion(self, scope: Message, body: bytes) -> Found:
        """The answer of the model that is served, counted.

        Raises:
            Refused: it gave none.
        """
        try:
            found = await self._served.answer(scope.get("client"), header(scope, b"content-type"), body)
        except Refused as refused:
            self._tally.count(self._pair(), "champion", _outcome(refused))
            raise
        self._tally.count(self._pair()._replace(champion=named(found.predictor)), "champion", "answered", found.seconds)
        return found


class Shared(Canary):
    """The one beside answers its share of the requests."""

    def __init__(self, followed: Followed, limits: Limits, beside: Beside, challenger: Followed) -> None:
        super().__init__(followed, limits, beside)
        self._challenger = Served(challenger, limits, self._loaded, apart=True)
        self._share = beside.share or 0.0

    def _pair(self) -> Pair:
        return Pair(self._served.model, self._challenger.model)

    def close(self) -> None:
        """Answer what waits, then stop."""
        super().close()
        self._challenger.close()

    async def _answered(self, scope: Message, body: bytes) -> Answer:
        if not chosen(self._share, header(scope, b"x-request-id"), body):
            return _answer(await self._by_champion(scope, body), "champion")
        pair = self._pair()
        try:
            found = await self._by_challenger(scope, body)
        except Refused as refused:
            return await self._instead(scope, body, pair, refused)
        self._tally.count(pair._replace(challenger=named(found.predictor)), "challenger", "answered", found.seconds)
        return _answer(found, "challenger")

    async def _by_challenger(self, scope: Message, body: bytes) -> Found:
        if self._challenger.scorer.stuck(self._limits.seconds):
            raise stuck(self._limits.seconds)
        return await self._challenger.answer(scope.get("client"), header(scope, b"content-type"), body)

    async def _instead(self, scope: Message, body: bytes, pair: Pair, refused: Refused) -> Answer:
        """The champion's answer to what the challenger has refused; where both refuse, it was not the challenger's fault.

        Raises:
            Refused: the time is over, or the champion gave no answer either.
        """
        if refused.status == HTTPStatus.GATEWAY_TIMEOUT:
            self._tally.count(pair, "challenger", "failed")
            raise refused
        try:
            found = await self._by_champion(scope, body)
        except Refused:
            self._tally.count(pair, "challenger", _outcome(refused))
            raise
        self._tally.count(pair, "challenger", "failed")
        return _answer(found, "champion")


class Shadowed(Canary):
    """The one beside is asked about every request that the other one was asked, and its answers are compared and thrown away."""

    def __init__(self, followed: Followed, limits: Limits, beside: Beside, how: Mapping[str, Any]) -> None:
        super().__init__(followed, limits, beside)
        how = {**how, "tolerance": beside.tolerance}
        self._shadow = Shadow(how, self._came, seconds=limits.seconds, waiting=limits.waiting, body=limits.body)

    def _pair(self) -> Pair:
        return Pair(self._served.model, self._shadow.model)

    def close(self) -> None:
        """Answer what waits, then stop."""
        self._shadow.close()
        super().close()

    async def _answered(self, scope: Message, body: bytes) -> Answer:
        try:
            found = await self._by_champion(scope, body)
        except Refused as refused:
            if refused.status == HTTPStatus.INTERNAL_SERVER_ERROR:  # on this the other one may do better
                self._offer(scope, self._served.model, body, None)
            raise
        self._offer(scope, named(found.predictor), body, found.body)
        return _answer(found, "champion")

    def _offer(self, scope: Message, by: str, body: bytes, given: bytes | None) -> None:
        if not self._shadow.offer(Offer(by, header(scope, b"content-type"), body, given)):
            self._tally.drop(Pair(by, self._shadow.model))

    def _came(self, one: Offer, found: Mapping[str, Any]) -> None:
        pair = Pair(one.by, found["model"])
        self._tally.count(pair, "challenger", found["outcome"], found.get("seconds"))
        if found.get("compared") is not None:
            self._tally.compare(pair, *found["compared"])


def _outcome(refused: Refused) -> Outcome:
    return "failed" if refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "refused"


def _answer(found: Found, side: Side) -> Answer:
    return HTTPStatus.OK, found.body, [*told(found.predictor), (b"x-model-side", side.encode())]
