"""Floor 5. Which trials are not worth their time: those that do worse than the middle one of the others did at the same step. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prefect_ledger.errors import InvalidValue

Curve = Sequence[tuple[int, float]]  # steps, upwards, and values


@dataclass(frozen=True, slots=True)
class Median:
    """The median rule: a trial is stopped when its best value so far is worse than the median of what others had at its step.

    ``warm_up`` steps are left to every trial, and nothing is compared before so many ``trials`` completed.
    """

    warm_up: int = 5
    trials: int = 4

    def __post_init__(self) -> None:
        numbers: tuple[tuple[str, Any, int], ...] = (("warm_up", self.warm_up, 0), ("trials", self.trials, 1))
        for name, number, least in numbers:
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise InvalidValue(f"{name} is a whole number from {least}, not {number!r:.60}")

    def stops(self, curve: Curve, others: Iterable[Curve], *, lower: bool) -> bool:
        """Whether a trial with this curve is stopped, beside the whole curves of those that completed."""
        if not curve or curve[-1][0] < self.warm_up:
            return False
        step, sign = curve[-1][0], 1.0 if lower else -1.0
        known = [found for one in others if (found := _best(one, step, sign)) is not None]
        if len(known) < self.trials:
            return False
        mine = _best(curve, step, sign)
        return mine is None or mine > statistics.median(known)  # nothing but NaN is worse than anything


def _best(curve: Curve, step: int, sign: float) -> float | None:
    """The best value up to a step, as a number of which less is better."""
    values = [sign * value for at, value in curve if at <= step and not math.isnan(value)]
    return min(values, default=None)
