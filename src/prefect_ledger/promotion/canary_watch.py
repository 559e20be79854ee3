"""Floor 5. Watches a server of two models until the challenger can be judged, or the time is over."""

from __future__ import annotations

import http
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from prefect_ledger.errors import DeploymentFailed, InvalidValue
from prefect_ledger.promotion.canary import Counts, Judged, Rules, judge_canary

_ASK = 10.0  # seconds that a server may take to say how the two compare
_OTHER = 5  # times on end that it compares another model until it does: of several workers one may not have heard yet


@dataclass(frozen=True, slots=True)
class Watched:
    """What came of it: the last counts, None where the server said none of this model, and how it was judged."""

    name: str
    version: int
    url: str
    judged: Judged
    counts: Counts | None = None
    seconds: float = 0.0

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        return "; ".join(self.judged.reasons)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        counts = {} if self.counts is None else self.counts.values()
        told = {"name": self.name, "version": self.version, "url": self.url, "verdict": self.judged.word}
        return {**told, "reasons": list(self.judged.reasons), "counts": counts, "seconds": round(self.seconds, 3)}


def comparison(url: str) -> Counts:
    """What the server at ``url`` has counted.

    Raises:
        DeploymentFailed: it does not answer, or fails to. InvalidValue: it is no server that compares two models.
    """
    from prefect_ledger.deploying import asking

    if not url.startswith(("http://", "https://")):
        raise InvalidValue(f"no address of a server: {url!r:.200}; it is one such as http://127.0.0.1:8000")
    status, body = asking.request(url, "/comparison", seconds=_ASK)
    if status == http.HTTPStatus.NOT_FOUND:
        raise InvalidValue(f"{url} compares no models: start it as prefect-ledger serve ... --beside ... with --share or --shadow")
    if status != http.HTTPStatus.OK:
        raise DeploymentFailed(f"{url} answered {status}")
    try:
        found = json.loads(body)
    except ValueError as error:
        raise InvalidValue(f"{url} is no server of ours: it answers {body!r:.100}") from error
    return Counts.from_json(found)


@dataclass(slots=True)
class Watch:
    """Watches version ``version`` of ``name``, the model with the id ``model``, at ``url`` by ``rules``.

    ``seen`` is told of the counts each time that they were asked for.
    """

    name: str
    version: int
    model: str
    url: str
    rules: Rules
    seen: Callable[[Counts], None] = lambda _: None
    _others: int = field(default=0, init=False)

    def until(self, seconds: float, *, every: float = 5.0) -> Watched:
        """Ask every so many seconds, until it can be judged or ``seconds`` are over; a server that is away for a while is waited for.

        Where the server comes to compare another model, and does so several times on end, the version goes back: it is not the challenger
        any more.

        Raises:
            InvalidValue: the server compares no models, or a number is none. DeploymentFailed: it does not answer at the end.
        """
        if not (0 < every < math.inf and 0 <= seconds < math.inf):
            raise InvalidValue(f"seconds ({seconds}) and every ({every}) are numbers of seconds, the second above 0")
        begun = time.monotonic()
        found, away = Watched(self.name, self.version, self.url, Judged("wait", ("nothing was counted",))), None
        while True:
            try:
                found, away = self._look(found), None
            except DeploymentFailed as error:
                away = error
            left = begun + seconds - time.monotonic()
            if found.judged.word != "wait" or left <= 0:
                break
            time.sleep(min(every, left))
        if away is not None:
            raise away
        return replace(found, seconds=time.monotonic() - begun)

    def _look(self, before: Watched) -> Watched:
        counts = comparison(self.url)
        if counts.challenger.model != self.model:
            other = f"the server compares {counts.challenger.model or 'another model'}, and not {self.model} (version {self.version})"
            self._others += 1
            gone = before.counts is not None and self._others >= _OTHER
            return replace(before, judged=Judged("go back" if gone else "wait", (other,)))
        self._others = 0
        self.seen(counts)
        return replace(before, counts=counts, judged=judge_canary(counts, self.rules))
