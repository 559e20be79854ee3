"""Floor 5. What is counted of two models that are served side by side, as Prometheus has it; with several workers, of all of them together.

What is counted belongs to a pair of models: where one of them is exchanged, counting begins anew. Seconds are counted in steps of a
quarter, so that a quantile is known as well as that; those of the first few answers are not, since a model warms up.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import prometheus_client as prometheus

SIDES = ("champion", "challenger")
OUTCOMES = ("answered", "failed", "refused")
Side = Literal["champion", "challenger"]
Outcome = Literal["answered", "failed", "refused"]
STEP = 1.25
_BOUNDS = tuple(2e-5 * STEP**n for n in range(70))  # seconds, up to a hundred of them
_QUANTILES = (0.5, 0.9, 0.99)
_PAIRS = 8  # that are remembered
WARM = 3  # answers of each, in each worker, whose seconds are not counted
_NAME = "prefect_ledger_comparison"


class Pair(NamedTuple):
    """Ids of the two models that are compared."""

    champion: str
    challenger: str


@dataclass(slots=True)
class _Known:
    """What a process has to know of a pair to count on."""

    greatest: float = 0.0
    answered: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SIDES, 0))


class Tally:
    """Counts, from any thread."""

    def __init__(self, registry: prometheus.CollectorRegistry) -> None:
        self._registry, self._lock = registry, threading.Lock()
        self._known: dict[Pair, _Known] = {}
        ours = list(Pair._fields)
        self._requests = prometheus.Counter(
            f"{_NAME}_requests", "Requests to each of two models.", [*ours, "side", "outcome"], registry=registry
        )
        self._seconds = prometheus.Histogram(
            f"{_NAME}_seconds", "Seconds that each took for an answer.", [*ours, "side"], buckets=_BOUNDS, registry=registry
        )
        self._pairs = prometheus.Counter(f"{_NAME}_pairs", "Answers of both to one request.", [*ours, "agree"], registry=registry)
        self._dropped = prometheus.Counter(f"{_NAME}_dropped", "Requests that the shadow was not asked.", ours, registry=registry)
        self._greatest = prometheus.Gauge(
            f"{_NAME}_greatest_difference",
            "Between two numbers in their answers.",
            ours,
            registry=registry,
            multiprocess_mode="max",
        )

    def count(self, pair: Pair, side: Side, outcome: Outcome, seconds: float | None = None) -> None:
        """One request to a side came to this; ``seconds`` that it took for an answer."""
        with self._lock:
            known = self._know(pair)
            self._requests.labels(*pair, side, outcome).inc()
            if seconds is not None:
                known.answered[side] += 1
                if known.answered[side] > WARM:
                    self._seconds.labels(*pair, side).observe(seconds)

    def compare(self, pair: Pair, agree: bool, difference: float) -> None:
        """Both answered one request."""
        with self._lock:
            known = self._know(pair)
            self._pairs.labels(*pair, "yes" if agree else "no").inc()
            if difference > known.greatest:
                known.greatest = difference
                self._greatest.labels(*pair).set(difference)

    def drop(self, pair: Pair) -> None:
        """The shadow was not asked about one request."""
        with self._lock:
            self._know(pair)
            self._dropped.labels(*pair).inc()

    def _know(self, pair: Pair) -> _Known:
        """Remember a pair, and forget the one that is longest known where they become too many."""
        if (known := self._known.get(pair)) is not None:
            return known
        known = self._known[pair] = _Known()
        if len(self._known) > _PAIRS and not _shared():  # files of several workers keep what was written
            old = next(iter(self._known))
            del self._known[old]
            self._forget(old)
        return known

    def _forget(self, pair: Pair) -> None:
        known: dict[Any, list[tuple[str, ...]]] = {
            self._requests: [(side, outcome) for side in SIDES for outcome in OUTCOMES],
            self._seconds: [(side,) for side in SIDES],
            self._pairs: [("yes",), ("no",)],
            self._dropped: [()],
            self._greatest: [()],
        }
        for metric, labels in known.items():
            for more in labels:
                with contextlib.suppress(KeyError):  # was never counted
                    metric.remove(*pair, *more)

    def counts(self, pair: Pair) -> dict[str, Any]:
        """What was counted of a pair: by side how many requests it was asked, how many of them failed, quantiles of its seconds; of answers
        to the same request how many there are, and how many agree.

        Requests that were refused, the one who asked being at fault, are not among those asked.
        """
        found = dict(self._samples(pair))
        yes, no = (int(found.get(("pairs_total", answer), 0)) for answer in ("yes", "no"))
        greatest = found.get(("greatest_difference",), 0.0)
        pairs = {"count": yes + no, "agree": yes, "greatest_difference": greatest}
        return {
            **{side: _side(found, side) for side in SIDES},
            "pairs": pairs,
            "dropped": int(found.get(("dropped_total",), 0)),
        }

    def _samples(self, pair: Pair) -> Iterator[tuple[tuple[str, ...], float]]:
        for metric in _collected(self._registry):
            if metric.name.startswith(_NAME):
                for sample in metric.samples:
                    labels = sample.labels
                    if all(labels.get(key) == value for key, value in pair._asdict().items()):
                        rest = [labels[key] for key in ("side", "outcome", "agree", "le") if key in labels]
                        yield (sample.name.removeprefix(f"{_NAME}_"), *rest), sample.value


def _side(found: Mapping[tuple[str, ...], float], side: str) -> dict[str, Any]:
    answered, failed, refused = (int(found.get(("requests_total", side, outcome), 0)) for outcome in OUTCOMES)
    below = {float(key[2]): value for key, value in found.items() if key[:2] == ("seconds_bucket", side)}
    seconds = {f"p{round(part * 100)}": quantile(below, part) for part in _QUANTILES}
    return {"count": answered + failed, "errors": failed, "refused": refused, "seconds": seconds}


def quantile(below: Mapping[float, float], part: float) -> float | None:
    """A quantile, from how many are at most each bound; None without any.

    Example:
        >>> quantile({1.0: 0, 2.0: 50, float("inf"): 100}, 0.25)
        1.5
    """
    total, low, before = max(below.values(), default=0.0), 0.0, 0.0
    for bound, count in sorted(below.items()):
        if total and count >= part * total and count > before:
            return low + (bound - low) * (part * total - before) / (count - before) if bound != float("inf") else low
        low, before = bound, count
    return None


def _shared() -> bool:
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ


def _collected(registry: prometheus.CollectorRegistry) -> Iterator[Any]:
    if not _shared():
        yield from registry.collect()
        return
    from prometheus_client import multiprocess

    yield from multiprocess.MultiProcessCollector(None).collect()  # type: ignore[no-untyped-call]
