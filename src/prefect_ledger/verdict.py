"""Floor 1. Whether a run that was run again came out the same, and what differed first where it did not. Pure.

Metrics decide, point by point: their steps and values, not their times. Inputs, code, packages and hardware decide nothing by themselves,
because the same result from another machine is the same result; they are said first, since they are the causes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import InvalidValue

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Curve", "Difference", "MetricVerdict", "Outcome", "Reproduced", "Tolerance", "Verdict", "judge"]

CAUSES = ("inputs", "code", "packages", "hardware")  # in the order they are looked for
_EMPTY: Mapping[str, Any] = MappingProxyType({})
_TOLERANCE = re.compile(r"(?P<number>[0-9.]+(?:e[+-]?[0-9]+)?)(?P<percent>%)?", re.IGNORECASE)


class Reproduced(StrEnum):
    """How a run came out beside the one it repeats, the best first."""

    IDENTICAL = "identical"
    WITHIN_TOLERANCE = "within tolerance"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a value may be off: by ``absolute``, or by ``relative`` times the greater of the two.

    Raises:
        InvalidValue: negative, or no number.

    Example:
        >>> Tolerance.read("0.5%"), Tolerance.read("1e-3").allows(0.9120, 0.9115)
        (Tolerance(relative=0.005, absolute=0.0), True)
    """

    relative: float = 0.0
    absolute: float = 0.0

    def __post_init__(self) -> None:
        for value in (self.relative, self.absolute):
            if not 0 <= value < math.inf:
                raise InvalidValue(f"a tolerance is a number of 0 or more, not {value!r}")

    @classmethod
    def read(cls, text: str) -> Tolerance:
        """``0.01`` is absolute, ``1%`` relative.

        Raises:
            InvalidValue: neither.
        """
        found = _TOLERANCE.fullmatch(text.strip())
        try:
            number = float(found["number"]) if found else math.nan
        except ValueError:
            number = math.nan
        if found is None or math.isnan(number):
            raise InvalidValue(f"a tolerance is a number such as 0.01, or a part such as 1%, not {text!r:.80}")
        return cls(relative=number / 100) if found["percent"] else cls(absolute=number)

    def allows(self, before: float, after: float) -> bool:
        """Whether ``after`` is near enough to ``before``; NaN is near NaN alone, an infinity itself alone."""
        if before == after or (math.isnan(before) and math.isnan(after)):
            return True
        if not (math.isfinite(before) and math.isfinite(after)):
            return False
        return abs(before - after) <= max(self.absolute, self.relative * max(abs(before), abs(after)))


DEFAULT = Tolerance(relative=1e-6, absolute=1e-12)  # what the order of floating-point sums may change


@dataclass(frozen=True, slots=True)
class Curve:
    """The points of a metric: ``steps`` int64 and ``values`` float64, both of shape (n,), in order."""

    steps: Numbers
    values: Numbers


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run as it is compared: what went in, by the names of ``CAUSES``, each a mapping of names to values, and its metrics."""

    causes: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: _EMPTY)
    curves: Mapping[str, Curve] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class Difference:
    """A cause that is not the same: ``before`` or ``after`` is None where there is none."""

    cause: str
    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class MetricVerdict:
    """One metric beside itself.

    ``first_step`` is where it leaves what it was (for a metric within tolerance: where it is not exactly that), ``furthest`` how far it
    gets, None where that is no number. ``why`` says in words what is wrong with its points, if anything is.
    """

    key: str
    result: Reproduced
    points: int
    first_step: int | None = None
    furthest: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it. ``metrics`` are those compared, the worst first, then by the step they differ from; ``ignored`` were not."""

    result: Reproduced
    metrics: tuple[MetricVerdict, ...]
    differences: tuple[Difference, ...]
    ignored: tuple[str, ...] = ()

    @property
    def first(self) -> Difference | MetricVerdict | None:
        """What differed first: a cause, in the order of ``CAUSES``, else a metric; None where nothing did."""
        if self.differences:
            return self.differences[0]
        return next((one for one in self.metrics if one.result is not Reproduced.IDENTICAL), None)


def judge(before: Outcome, after: Outcome, tolerances: Mapping[str, Tolerance] | None = None, ignore: Iterable[str] = ()) -> Verdict:
    """Compare a run with the one it repeats.

    ``tolerances`` are by metric or pattern (``val.*``), the first that fits holds; others have ``DEFAULT``. Metrics that match a
    pattern of ``ignore``, such as measured seconds, are not compared. Without a metric to compare nothing says that it came out the
    same, so that is *different*.

    Example:
        >>> import numpy as np
        >>> was = Outcome(curves={"loss": Curve(np.array([0, 1]), np.array([1.0, 0.5]))})
        >>> now = Outcome(curves={"loss": Curve(np.array([0, 1]), np.array([1.0, 0.6]))})
        >>> judge(was, now).metrics[0].first_step, judge(was, now, {"*": Tolerance.read("20%")}).result.value
        (1, 'within tolerance')
    """
    patterns = list(ignore)
    keys = sorted({*before.curves, *after.curves})
    ignored = tuple(key for key in keys if _matches(key, patterns))
    compared = [
        _metric(key, before.curves.get(key), after.curves.get(key), _tolerance(key, tolerances or {})) for key in keys if key not in ignored
    ]
    order = list(Reproduced)
    metrics = tuple(sorted(compared, key=lambda one: (-order.index(one.result), one.first_step or 0, one.key)))
    result = metrics[0].result if metrics else Reproduced.DIFFERENT
    return Verdict(result, metrics, tuple(_differences(before.causes, after.causes)), ignored)


def _metric(key: str, before: Curve | None, after: Curve | None, tolerance: Tolerance) -> MetricVerdict:
    import numpy as np

    if before is None or after is None:
        there = before or after
        assert there is not None
        why = f"only the {'first' if after is None else 'second'} run has it"
        return MetricVerdict(key, Reproduced.DIFFERENT, len(there.steps), _step(there.steps, 0), None, why)
    shared = min(len(before.steps), len(after.steps))
    was, now = (np.asarray(one.values[:shared], np.float64) for one in (before, after))
    moved = np.asarray(before.steps[:shared]) != np.asarray(after.steps[:shared])
    same = (was == now) | (np.isnan(was) & np.isnan(now))
    far = ~same & ~_near(was, now, tolerance)
    end = int(np.argmax(moved)) if moved.any() else shared  # beyond it, points of different steps would be compared
    furthest = _furthest(was[:end], now[:end], ~same[:end])
    if len(before.steps) != len(after.steps) or end < shared:
        why = f"{len(before.steps):,} points, then {len(after.steps):,}" if end == shared else "logged at other steps"
        longer = after.steps if len(after.steps) > shared else before.steps
        at = int(np.argmax(far[:end])) if far[:end].any() else end
        return MetricVerdict(key, Reproduced.DIFFERENT, shared, _step(longer, at), furthest, why)
    if far.any():
        return MetricVerdict(key, Reproduced.DIFFERENT, shared, _step(before.steps, int(np.argmax(far))), furthest)
    if not same.all():
        return MetricVerdict(key, Reproduced.WITHIN_TOLERANCE, shared, _step(before.steps, int(np.argmax(~same))), furthest)
    return MetricVerdict(key, Reproduced.IDENTICAL, shared)


def _near(was: Numbers, now: Numbers, tolerance: Tolerance) -> Numbers:
    import numpy as np

    with np.errstate(invalid="ignore", over="ignore"):
        bound = np.maximum(tolerance.absolute, tolerance.relative * np.maximum(np.abs(was), np.abs(now)))
        near: Numbers = np.isfinite(was) & np.isfinite(now) & (np.abs(was - now) <= bound)
        return near


def _furthest(was: Numbers, now: Numbers, which: Numbers) -> float | None:
    import numpy as np

    if not which.any():
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        found = float(np.max(np.abs(was[which] - now[which])))
    return found if math.isfinite(found) else None


def _step(steps: Numbers, at: int) -> int | None:
    return int(steps[at]) if at < len(steps) else None


def _tolerance(key: str, tolerances: Mapping[str, Tolerance]) -> Tolerance:
    return next((one for pattern, one in tolerances.items() if _matches(key, [pattern])), DEFAULT)


def _matches(key: str, patterns: Sequence[str]) -> bool:
    return any(key == pattern or fnmatchcase(key, pattern) for pattern in patterns)


def _differences(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> Iterable[Difference]:
    for cause in CAUSES:
        was, now = before.get(cause, {}), after.get(cause, {})
        for name in sorted({*was, *now}):
            if was.get(name) != now.get(name):
                yield Difference(cause, name, was.get(name), now.get(name))
