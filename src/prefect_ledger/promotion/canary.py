"""Floor 5. Whether a challenger that was served beside the champion goes on or back, by what was counted of both.

Pure: ``prefect-ledger serve --beside`` counts, :mod:`prefect_ledger.promotion.canary_watch` asks it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from prefect_ledger.errors import InvalidValue

Word: TypeAlias = Literal["go on", "go back", "wait"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was counted of one model: requests, how many of them failed, and the 99th percentile of its seconds; None without an answer."""

    model: str
    count: int
    errors: int
    p99: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.errors <= self.count:
            raise InvalidValue(f"{self.errors} of {self.count} requests cannot have failed")
        if self.p99 is not None and not (self.p99 >= 0 and math.isfinite(self.p99)):
            raise InvalidValue(f"{self.p99!r} is no number of seconds")

    @property
    def error_rate(self) -> float:
        """Part of the requests that failed; 0 without any."""
        return self.errors / self.count if self.count else 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Both models, and of a shadow how many answers of both there are to the same requests (``pairs``), and how many of these agree."""

    champion: Asked
    challenger: Asked
    pairs: int | None = None
    agree: int = 0
    greatest_difference: float = 0.0
    dropped: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.agree <= (self.pairs or 0):
            raise InvalidValue(f"{self.agree} of {self.pairs or 0} answers cannot agree")

    @classmethod
    def from_json(cls, found: object) -> Counts:
        """What ``/comparison`` says.

        Raises:
            InvalidValue: it is nothing that such a server says.
        """
        try:
            told: Any = found
            one, other, pairs = _asked(told["champion"]), _asked(told["challenger"]), told["pairs"]
            if told["mode"] != "shadow":
                return cls(one, other)
            return cls(one, other, int(pairs["count"]), int(pairs["agree"]), float(pairs["greatest_difference"]), int(told["dropped"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidValue(f"no comparison of two models: {found!r:.200}") from error

    def values(self) -> dict[str, float]:
        """As metrics."""
        told: dict[str, float] = {}
        for side, one in (("champion", self.champion), ("challenger", self.challenger)):
            told |= {f"{side}.requests": one.count, f"{side}.errors": one.errors}
            told |= {} if one.p99 is None else {f"{side}.p99_seconds": one.p99}
        if self.pairs is not None:
            told |= {"pairs": self.pairs, "agree": self.agree, "greatest_difference": self.greatest_difference, "dropped": self.dropped}
        return told


def _asked(found: Mapping[str, Any]) -> Asked:
    p99 = found["seconds"]["p99"]
    return Asked(str(found["model_id"]), int(found["count"]), int(found["errors"]), None if p99 is None else float(p99))


@dataclass(frozen=True, slots=True)
class Rules:
    """What a challenger has to keep: each model was asked ``min_requests`` times; no greater part of its requests failed than of the
    champion's and ``error_margin``; its 99th percentile is at most ``latency_times`` the champion's; and, of a shadow, at most the part
    ``disagreement`` of its answers differ. None: that is not asked (a better model answers otherwise).

    Raises:
        InvalidValue: a number is out of its range.
    """

    min_requests: int = 500
    error_margin: float = 0.01
    latency_times: float | None = 2.0
    disagreement: float | None = None

    def __post_init__(self) -> None:
        if self.min_requests < 1:
            raise InvalidValue(f"min_requests is {self.min_requests}: give 1 or more")
        for name, most in (("error_margin", 1.0), ("disagreement", 1.0), ("latency_times", math.inf)):
            value = getattr(self, name)
            if value is not None and not (0 <= value <= most and math.isfinite(value)):
                raise InvalidValue(f"{name} is {value:g}: give {'a part from 0 to 1' if most == 1 else 'a number of 0 or more'}")


@dataclass(frozen=True, slots=True)
class Judged:
    """One of "go on", "go back" and "wait", and why."""

    word: Word
    reasons: tuple[str, ...]


def judge_canary(counts: Counts, rules: Rules | None = None) -> Judged:
    """Whether the challenger goes on or back, or has to be asked more; never on what was counted of fewer requests than the rules want.

    It goes back before, where so many requests have failed that the rest could not make up for them.

    Example:
        >>> judge_canary(Counts(Asked("m-1", 900, 0, 0.010), Asked("m-2", 100, 0, 0.011)), Rules(min_requests=100)).word
        'go on'
    """
    rules = rules or Rules()
    lacking = _lacking(counts, rules)
    if lacking:
        most = max(rules.min_requests, counts.challenger.count)
        early = counts.champion.count >= rules.min_requests and _failed(counts, rules, most)
        return Judged("go back", (early,)) if early else Judged("wait", tuple(lacking))
    found = [_failed(counts, rules, counts.challenger.count), _slow(counts, rules), _differing(counts, rules)]
    if wrong := tuple(words for words in found if words):
        return Judged("go back", wrong)
    return Judged("go on", (_said(counts),))


def _lacking(counts: Counts, rules: Rules) -> list[str]:
    had = {"the champion was asked": counts.champion.count, "the challenger was asked": counts.challenger.count}
    if counts.pairs is not None and rules.disagreement is not None:
        had["answers were compared"] = counts.pairs
    few = [f"{what} {count} of {rules.min_requests} times" for what, count in had.items() if count < rules.min_requests]
    if not few and rules.latency_times is not None:
        sides = {"champion": counts.champion, "challenger": counts.challenger}
        few = [f"the {side}'s seconds are not known yet" for side, one in sides.items() if one.p99 is None and one.errors < one.count]
    return few


def _failed(counts: Counts, rules: Rules, of: int) -> str:
    """What is wrong with the challenger's failures, were they those of so many requests; "" where nothing is."""
    one, other = counts.challenger, counts.champion
    if one.errors <= (other.error_rate + rules.error_margin) * of:
        return ""
    wanted = f"the champion {other.errors} of {other.count}, and the margin is {rules.error_margin:.2%}"
    return f"the challenger failed {one.errors} of {one.count} requests ({one.error_rate:.2%}), {wanted}"


def _slow(counts: Counts, rules: Rules) -> str:
    if rules.latency_times is None:
        return ""
    mine, its = counts.challenger.p99, counts.champion.p99
    if mine is None:
        return "the challenger answered nothing"
    if its is None or mine <= rules.latency_times * its:
        return ""
    most = f"the champion's is {its * 1e3:.3g} ms, and {rules.latency_times:g} times that is allowed"
    return f"the challenger's 99th percentile is {mine * 1e3:.3g} ms, {most}"


def _differing(counts: Counts, rules: Rules) -> str:
    if rules.disagreement is None or not counts.pairs:
        return ""
    apart = counts.pairs - counts.agree
    if apart <= rules.disagreement * counts.pairs:
        return ""
    most = f"at most {rules.disagreement:.2%} may, and the greatest difference is {counts.greatest_difference:g}"
    return f"{apart} of {counts.pairs} answers differ ({apart / counts.pairs:.2%}), {most}"


def _said(counts: Counts) -> str:
    one, other = counts.challenger, counts.champion
    parts = [f"the challenger failed {one.errors} of {one.count} requests, the champion {other.errors} of {other.count}"]
    if one.p99 is not None and other.p99 is not None:
        parts.append(f"their 99th percentiles are {one.p99 * 1e3:.3g} and {other.p99 * 1e3:.3g} ms")
    if counts.pairs:
        parts.append(f"{counts.agree} of {counts.pairs} answers agree")
    return "; ".join(parts)
