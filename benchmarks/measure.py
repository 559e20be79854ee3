"""How time is taken: samples with their spread, two things in turns, and the rows that come of it."""

from __future__ import annotations

import gc
import statistics
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Timed = Callable[[], float]


@dataclass(frozen=True)
class Work:
    """How much is done: everything, less (``quick``), or next to nothing (``divisor``, for tests of the benchmarks)."""

    quick: bool = False
    divisor: int = 1
    repeats: int = 5

    def size(self, full: int, quick: int | None = None) -> int:
        """``full`` things to do, or ``quick`` when there is little time."""
        return max(1, (quick if self.quick and quick is not None else full) // self.divisor)

    def times(self, full: int, quick: int | None = None) -> int:
        """Repetitions: ``full``, or ``quick``, or as few as the test of the benchmarks wants."""
        return min(full, self.repeats) if self.divisor > 1 else quick if self.quick and quick is not None else full


@dataclass(frozen=True)
class Sample:
    """Repeated measurements of one thing; ``median`` stands for them."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Sample:
        """A sample of at least one value."""
        return cls(tuple(float(value) for value in values))

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    def each(self, change: Callable[[float], float]) -> Sample:
        """Every value changed, as into another unit."""
        return Sample(tuple(change(value) for value in self.values))


@dataclass(frozen=True)
class Row:
    """One line of the table.

    ``limit`` is where ours must be (at least, when ``more`` is better; else at most). ``grows`` names what the row is a step of, and how
    much work this step is, for the table of how cost grows.
    """

    what: str
    ours: Sample
    unit: str
    raw: Sample | None = None
    beside: str = ""
    limit: float | None = None
    more: bool = False
    grows: tuple[str, int] | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours divided by raw."""
        return None if self.raw is None or not self.raw.median else self.ours.median / self.raw.median

    @property
    def met(self) -> bool | None:
        """Whether the limit is kept; None where there is none."""
        if self.limit is None:
            return None
        return self.ours.median >= self.limit if self.more else self.ours.median <= self.limit


@dataclass(frozen=True)
class Absent:
    """A line that could not be measured, and why."""

    what: str
    why: str


@dataclass
class Result:
    """What one benchmark found, and how disturbed it was: load average before and after, cores that others used meanwhile."""

    name: str
    rows: list[Row | Absent] = field(default_factory=list)
    seconds: float = 0.0
    load: tuple[float, float] = (0.0, 0.0)
    others: float = 0.0


def timed(work: Callable[[], Any]) -> float:
    """Seconds that ``work`` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turns(times: int, *things: Timed) -> list[Sample]:
    """Do the things in turns, A B A B, each as often as ``times``; each says its own seconds (or whatever it measures)."""
    found: list[list[float]] = [[] for _ in things]
    gc.collect()
    for _ in range(times):
        for kept, thing in zip(found, things, strict=True):
            kept.append(thing())
    return [Sample.of(values) for values in found]


def one_by_one(call: Callable[[int], Any], count: int) -> array[int]:
    """Nanoseconds of each of ``count`` calls, the timer's own cost among them."""
    clock, taken = time.perf_counter_ns, array("q", bytes(8 * count))
    gc.collect()
    for i in range(count):
        start = clock()
        call(i)
        taken[i] = clock() - start
    return taken


def per_thousand(taken: array[int], part: float) -> float:
    """The time in µs that ``part`` of a thousand calls do not exceed: 500 is the median, 999 the p99.9."""
    ordered = sorted(taken)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part / 1000))] / 1000
