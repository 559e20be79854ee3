"""Floor 1. Metric points as columns, and the orders they are kept in.

A function that has nothing to sort gives back the arrays it was given; one that sorts is stable, so points that compare equal stay
in the order they arrived.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from prefect_ledger.errors import InvalidValue

Integers: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]


class Points(NamedTuple):
    """Points as three arrays of one length: ``steps`` int64, ``times`` int64 microseconds since 1970 (UTC), ``values`` float64.

    Example:
        >>> import numpy as np
        >>> Points(np.array([0, 1]), np.array([1_700_000_000_000_000, 1_700_000_000_500_000]), np.array([0.5, 0.25])).values
        array([0.5 , 0.25])
    """

    steps: Integers
    times: Integers
    values: Floats


def check(points: Points, ids: Integers | None = None) -> None:
    """Refuse columns of other types or of different lengths.

    Raises:
        InvalidValue: naming the column.
    """
    columns: list[tuple[str, npt.NDArray[Any], type]] = [
        ("steps", points.steps, np.int64),
        ("times", points.times, np.int64),
        ("values", points.values, np.float64),
    ]
    if ids is not None:
        columns.append(("ids", ids, np.int64))
    shape = (len(points.values),)
    for name, column, kind in columns:
        if column.dtype != kind or column.shape != shape:
            want = f"one-dimensional {kind.__name__} {name}, as many as values ({shape[0]})"
            raise InvalidValue(f"points need {want}; got {column.dtype} of shape {column.shape}")


def take(points: Points, index: npt.NDArray[np.intp]) -> Points:
    """The points at ``index``, in that order."""
    return Points(points.steps[index], points.times[index], points.values[index])


def quiet(values: Floats) -> Floats:
    """``values`` with every NaN a quiet one, because numpy's ``fmin`` takes a signalling NaN for the minimum."""
    nan = np.isnan(values)
    return np.where(nan, np.nan, values) if nan.any() else values


def order(points: Points) -> Points:
    """``points`` by step, then time, then arrival.

    Example:
        >>> import numpy as np
        >>> order(Points(np.array([2, 1]), np.array([0, 0]), np.array([0.2, 0.1]))).values
        array([0.1, 0.2])
    """
    steps, times, _ = points
    rising = steps[1:] > steps[:-1]
    return points if _in_order(rising, points) else take(points, np.lexsort((times, steps)))


def order_within(counts: npt.NDArray[np.intp], points: Points) -> Points:
    """``points``, of which ``counts`` are of one series after the other, by step, then time, then arrival within each."""
    steps, times, _ = points
    rising = steps[1:] > steps[:-1]
    rising[np.cumsum(counts)[:-1] - 1] = True
    if _in_order(rising, points):
        return points
    return take(points, np.lexsort((times, steps, np.repeat(np.arange(len(counts)), counts))))


def _in_order(rising: npt.NDArray[np.bool_], points: Points) -> bool:
    """Whether each neighbour that is not ``rising`` is at the same step and not earlier in time."""
    if rising.all():
        return True
    steps, times, _ = points
    rising |= (steps[1:] == steps[:-1]) & (times[1:] >= times[:-1])
    return bool(rising.all())


class Groups(NamedTuple):
    """Points of many series, one after the other: of series ``ids[i]`` so many as ``counts[i]`` says."""

    ids: list[int]
    counts: npt.NDArray[np.intp]
    points: Points

    @property
    def each(self) -> Integers:
        """The series of each point."""
        return np.repeat(np.array(self.ids, np.int64), self.counts)


def grouped(ids: Integers, points: Points) -> Groups:
    """Points by series; ``ids`` has the series of each. The arrival of each series' points stays as it is.

    Example:
        >>> import numpy as np
        >>> groups = grouped(np.array([7, 3, 7]), Points(np.arange(3), np.zeros(3, np.int64), np.array([0.0, 0.1, 0.2])))
        >>> groups.ids, groups.points.values
        ([3, 7], array([0.1, 0. , 0.2]))
    """
    ids, points = group(ids, points)
    starts = np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1)) if len(ids) else np.empty(0, np.intp)
    return Groups(ids[starts].tolist(), np.diff(starts, append=len(ids)), points)


def by_rank(ranks: npt.NDArray[Any], ids: list[int], points: Points) -> Groups:
    """The same, where each point's series is ``ids[rank]``. Each of them has points.

    Example:
        >>> import numpy as np
        >>> points = Points(np.arange(3), np.zeros(3, np.int64), np.array([0.0, 0.1, 0.2]))
        >>> by_rank(np.array([1, 0, 1], np.uint16), [3, 7], points).counts
        array([1, 2])
    """
    if len(ids) == 1:
        return Groups(ids, np.array([len(ranks)]), points)
    return Groups(ids, np.bincount(ranks), take(points, np.argsort(ranks, kind="stable")))  # 16 bits wide: sorted by radix


def group(ids: Integers, points: Points) -> tuple[Integers, Points]:
    """Both sorted by id; within an id the order of arrival stays. ``ids`` has the series of each point.

    Example:
        >>> import numpy as np
        >>> ids, points = group(np.array([7, 3, 7]), Points(np.arange(3), np.zeros(3, np.int64), np.array([0.0, 0.1, 0.2])))
        >>> ids, points.values
        (array([3, 7, 7]), array([0.1, 0. , 0.2]))
    """
    if (ids[1:] >= ids[:-1]).all():
        return ids, points
    low, high = int(ids.min()), int(ids.max())
    # numpy sorts 16-bit keys by radix, ten times as fast as wide ones.
    keys: npt.NDArray[Any] = ids
    if high - low < 1 << 16:
        keys = np.empty(len(ids), np.uint16)
        np.subtract(ids, low, out=keys, casting="unsafe")
    index = np.argsort(keys, kind="stable")
    return ids[index], take(points, index)
