"""Floor 1. A metric's whole curve as a frozen value, and the buckets it is drawn from.

The arrays are read-only and ordered by step, time, arrival, whatever order they came in.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prefect_ledger import formats, html
from prefect_ledger.errors import InvalidValue, MissingExtra
from prefect_ledger.points import Floats, Integers, Points, check, order, quiet
from prefect_ledger.summaries import SUMMARY_COLUMNS, summarize

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_DRAWN = 240  # buckets of a curve in a notebook


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """A series cut into runs of neighbours: for each, the step it begins at, lowest and highest value, first and last value.

    ``low`` and ``high`` skip NaN and are NaN where a bucket has nothing else; no spike is lost. Five read-only arrays of one length.
    """

    steps: Integers
    low: Floats
    high: Floats
    first: Floats
    last: Floats

    def __post_init__(self) -> None:
        for name in ("steps", "low", "high", "first", "last"):
            object.__setattr__(self, name, _sealed(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.steps)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Series:
    """All points of one metric of one run, by step, then time, then arrival.

    ``steps`` (int64), ``values`` (float64) and ``timestamps`` (int64, microseconds since 1970, UTC) are read-only arrays of one length.
    Iterating gives (step, value) pairs. Two series are equal when key and all points are; NaN equals NaN there.

    Raises:
        InvalidValue: the arrays have other types or different lengths.

    Example:
        >>> import numpy as np
        >>> loss = Series("loss", np.array([0, 1, 2]), np.array([0.9, 0.5, 0.6]), np.array([0, 1_000_000, 2_000_000]))
        >>> len(loss), loss.last, loss.min, list(loss)[0]
        (3, 0.6, 0.5, (0, 0.9))
    """

    key: str
    steps: Integers
    values: Floats
    timestamps: Integers

    def __post_init__(self) -> None:
        points = Points(np.asarray(self.steps), np.asarray(self.timestamps), np.asarray(self.values))
        check(points)
        steps, times, values = order(points)
        for name, column in (("steps", steps), ("values", values), ("timestamps", times)):
            object.__setattr__(self, name, _sealed(column))

    @property
    def first(self) -> float | None:
        """The value at the smallest (step, time), perhaps NaN; None in an empty series."""
        return float(self.values[0]) if len(self) else None

    @property
    def last(self) -> float | None:
        """The value at the greatest (step, time), perhaps NaN; None in an empty series."""
        return float(self.values[-1]) if len(self) else None

    @property
    def min(self) -> float | None:
        """The lowest value; NaN is skipped, None when there is nothing else."""
        return self._summary("vmin")

    @property
    def max(self) -> float | None:
        """The highest value; NaN is skipped, None when there is nothing else."""
        return self._summary("vmax")

    @property
    def mean(self) -> float | None:
        """The mean of the finite values; None when there are none."""
        return self._summary("mean")

    def _summary(self, column: str) -> float | None:
        rows = summarize(np.zeros(len(self), np.int64), Points(self.steps, self.timestamps, self.values)).rows
        found: float | None = rows[0][SUMMARY_COLUMNS.index(column)] if rows else None
        return found

    def buckets(self, n: int) -> Buckets:
        """At most ``n`` buckets of equal numbers of neighbouring points; with ``n`` points or fewer each is a bucket of its own.

        Raises:
            InvalidValue: ``n`` is not a whole number of at least 1.

        Example:
            >>> import numpy as np
            >>> loss = Series("loss", np.arange(6), np.array([1.0, 9.0, 1.0, 1.0, 0.0, 1.0]), np.arange(6))
            >>> loss.buckets(2).high
            array([9., 1.])
        """
        try:
            count = operator.index(n)
        except TypeError:
            count = 0
        if count < 1:
            raise InvalidValue(f"buckets({n!r}): say how many, a whole number of at least 1")
        size = len(self)
        if size <= count:
            return Buckets(self.steps, self.values, self.values, self.values, self.values)
        starts = np.arange(count) * size // count
        ends = np.append(starts[1:], size) - 1
        with np.errstate(all="ignore"):
            values = quiet(self.values)
            low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
        return Buckets(self.steps[starts], low, high, self.values[starts], self.values[ends])

    def to_pandas(self) -> pd.DataFrame:
        """A DataFrame with index ``step`` and columns ``value`` and ``timestamp`` (datetime64, UTC, microseconds).

        Raises:
            MissingExtra: pandas is not installed.
        """
        pandas = _extra("pandas", "Series.to_pandas()")
        times = pandas.DatetimeIndex(self.timestamps.view("M8[us]")).tz_localize("UTC")
        frame: pd.DataFrame = pandas.DataFrame(
            {"value": self.values.copy(), "timestamp": times}, index=pandas.Index(self.steps.copy(), name="step")
        )
        return frame

    def to_arrow(self) -> pa.Table:
        """A table with columns ``step`` (int64), ``value`` (double) and ``timestamp`` (microseconds, UTC).

        Raises:
            MissingExtra: pyarrow is not installed.
        """
        arrow = _extra("pyarrow", "Series.to_arrow()")
        times = arrow.array(self.timestamps).cast(arrow.timestamp("us", tz="UTC"))
        return arrow.table({"step": arrow.array(self.steps), "value": arrow.array(self.values), "timestamp": times})

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[tuple[int, float]]:
        return zip(self.steps.tolist(), self.values.tolist(), strict=True)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Series):
            return NotImplemented
        return (
            self.key == other.key
            and np.array_equal(self.steps, other.steps)
            and np.array_equal(self.timestamps, other.timestamps)
            and np.array_equal(self.values, other.values, equal_nan=True)
        )

    __hash__ = None  # type: ignore[assignment]  # as for a list: hashing every point would surprise

    def __reduce__(self) -> tuple[Any, ...]:
        return Series, (self.key, self.steps, self.values, self.timestamps)  # made anew, so that a copy is read-only too

    def __repr__(self) -> str:
        if not len(self):
            return f"Series({self.key!r}, no points)"
        span = f"steps {self.steps[0]}..{self.steps[-1]}"
        return f"Series({self.key!r}, {len(self)} point{'s' * (len(self) > 1)}, {span}, last {self.last:g})"

    def _repr_html_(self) -> str:
        """What a notebook shows: the figures, and the curve with all its spikes."""
        if not len(self):
            return html.title(self.key, "no points")
        named = ("first", "last", "min", "max", "mean")
        figures = {name: html.text(formats.number(getattr(self, name))) for name in named}
        figures["points"] = html.text(f"{len(self):,}, steps {self.steps[0]:,} to {self.steps[-1]:,}")
        parts = self.buckets(_DRAWN)
        there = np.isfinite(parts.low) & np.isfinite(parts.high)
        columns = (parts.steps[there].astype(np.float64), parts.low[there], parts.high[there])
        drawn = html.curve(list(zip(*(column.tolist() for column in columns), strict=True)))
        return html.title(self.key) + html.pairs(figures, most=len(figures)) + drawn


def _sealed(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A view that cannot be written through; the array it looks at stays as its owner has it."""
    view = column.view()
    view.flags.writeable = False
    return view


def _extra(package: str, need: str) -> Any:
    try:
        return import_module(package)
    except ImportError as error:
        raise MissingExtra(package, "data", need=need) from error
