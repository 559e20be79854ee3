"""Floor 1. Each series in one row: counts, mean, extremes, first and last.

Two rows of one series merge into the row of both, in any order, because first and last go by (step, time). NaN is skipped by mean,
min and max and counted apart; infinities count for min and max, not for the mean. Nothing overflows and numpy never warns.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from prefect_ledger.points import Floats, Groups, Integers, Points, check, order_within, quiet

# n points, of them NaN and finite; mean of the finite; min, max and the step where first reached; first and last as step, time,
# value; 1 where that value is NaN (the value is None then, because SQL has no NaN).
SUMMARY_COLUMNS = ("n", "nan", "finite", "mean", "vmin", "smin", "vmax", "smax", "fs", "ft", "fv", "ls", "lt", "lv", "fnan", "lnan")

SummaryRow: TypeAlias = tuple[Any, ...]

_Index: TypeAlias = npt.NDArray[np.intp]
_LARGEST = float(np.finfo(np.float64).max)
_SCALE = 2.0**64  # more than the number of points there can be


class Summaries(NamedTuple):
    """``rows[i]``, in the order of ``SUMMARY_COLUMNS``, is the summary of series ``ids[i]``; plain int, float and None throughout."""

    ids: list[int]
    rows: list[SummaryRow]


def summarize(ids: Integers, points: Points) -> Summaries:
    """One row for each series of ``points``; ``ids`` has the series of each point and must be sorted (see ``group``).

    Raises:
        InvalidValue: columns that do not belong together.

    Example:
        >>> import numpy as np
        >>> points = Points(np.array([0, 1, 0]), np.array([5, 6, 5]), np.array([0.5, np.nan, 9.0]))
        >>> summaries = summarize(np.array([3, 3, 7]), points)
        >>> summaries.ids, dict(zip(SUMMARY_COLUMNS, summaries.rows[0]))["lnan"]
        ([3, 7], 1)
    """
    check(points, ids)
    if not len(ids):
        return Summaries([], [])
    starts = np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1))
    groups = Groups(ids[starts].tolist(), np.diff(starts, append=len(ids)), points)
    return Summaries(groups.ids, summarize_groups(groups))


def summarize_groups(groups: Groups) -> list[SummaryRow]:
    """One row for each of the groups, in their order."""
    counts = groups.counts
    ends = np.cumsum(counts) - 1
    starts: _Index = ends - counts + 1
    steps, times, values = order_within(counts, groups.points)
    with np.errstate(all="ignore"):
        nan, finite, mean = _moments(values, starts, counts)
        if finite is not counts:
            values = quiet(values)
        low = _reached(values, np.fmin.reduceat(values, starts), starts, counts)
        high = _reached(values, np.fmax.reduceat(values, starts), starts, counts)
        first_nan, last_nan = np.isnan(values[starts]), np.isnan(values[ends])
    void = nan == counts
    columns = (
        *(counts.tolist(), nan.tolist(), finite.tolist(), _plain(mean, finite == 0)),
        *(_plain(values[low], void), _plain(steps[low], void), _plain(values[high], void), _plain(steps[high], void)),
        *(steps[starts].tolist(), times[starts].tolist(), _plain(values[starts], first_nan)),
        *(steps[ends].tolist(), times[ends].tolist(), _plain(values[ends], last_nan)),
        *(first_nan.astype(np.int64).tolist(), last_nan.astype(np.int64).tolist()),
    )
    return list(zip(*columns, strict=True))


def _moments(values: Floats, starts: _Index, counts: _Index) -> tuple[_Index, _Index, Floats]:
    """For each series: how many are NaN, how many finite, and the mean of those (NaN where there are none)."""
    is_finite = np.isfinite(values)
    if is_finite.all():
        return np.zeros_like(counts), counts, _means(values, starts, counts)
    nan = np.add.reduceat(np.isnan(values), starts, dtype=np.intp)
    finite = np.add.reduceat(is_finite, starts, dtype=np.intp)
    return nan, finite, _means(np.where(is_finite, values, 0.0), starts, finite)


def _means(values: Floats, starts: _Index, counts: _Index) -> Floats:
    means = np.add.reduceat(values, starts) / counts
    if np.isfinite(means).all():
        return means
    # A sum of large values left the range of float64 though their mean is inside: once more, in smaller units.
    scaled = np.add.reduceat(values / _SCALE, starts) / counts * _SCALE
    return np.where(np.isfinite(means), means, np.clip(scaled, -_LARGEST, _LARGEST))


def _reached(values: Floats, best: Floats, starts: _Index, counts: _Index) -> _Index:
    """Where each series first has its ``best`` value; any index where it has none but NaN."""
    hits = np.flatnonzero(values == (best if len(best) == 1 else np.repeat(best, counts)))
    return np.append(hits, 0)[np.searchsorted(hits, starts)]


def _plain(column: npt.NDArray[Any], missing: npt.NDArray[np.bool_]) -> list[Any]:
    if missing.any():
        column = column.astype(object)
        column[missing] = None
    plain: list[Any] = column.tolist()
    return plain


def merge_summaries(a: SummaryRow, b: SummaryRow) -> SummaryRow:
    """The summary of the points behind ``a`` and ``b`` together. ``b`` counts as the later arrival where step and time are equal.

    Either may be the row of no points at all (n 0, the rest None).

    Example:
        >>> one = (1, 0, 1, 0.5, 0.5, 0, 0.5, 0, 0, 5, 0.5, 0, 5, 0.5, 0, 0)
        >>> two = (1, 0, 1, 1.5, 1.5, 3, 1.5, 3, 3, 9, 1.5, 3, 9, 1.5, 0, 0)
        >>> merge_summaries(one, two)
        (2, 0, 2, 1.0, 0.5, 0, 1.5, 3, 0, 5, 0.5, 3, 9, 1.5, 0, 0)
    """
    if not a[0] or not b[0]:
        return a if a[0] else b
    n, nan, finite, mean, vmin, smin, vmax, smax, fs, ft, fv, ls, lt, lv, fnan, lnan = a
    if b[4] is not None:  # b has more than NaN
        if vmin is None or (b[4], b[5]) < (vmin, smin):
            vmin, smin = b[4], b[5]
        if vmax is None or (b[6], -b[7]) > (vmax, -smax):
            vmax, smax = b[6], b[7]
    if (b[8], b[9]) < (fs, ft):
        fs, ft, fv, fnan = b[8], b[9], b[10], b[14]
    if (b[11], b[12]) >= (ls, lt):
        ls, lt, lv, lnan = b[11], b[12], b[13], b[15]
    mean = _merged_mean(mean, finite, b[3], b[2])
    return n + b[0], nan + b[1], finite + b[2], mean, vmin, smin, vmax, smax, fs, ft, fv, ls, lt, lv, fnan, lnan


def _merged_mean(a: float | None, a_count: int, b: float | None, b_count: int) -> float | None:
    if a is None or b is None:
        return b if a is None else a
    share = a_count / (a_count + b_count)
    # Weighted, not "a + (b - a) * share": the difference of two large means overflows. Held between them against rounding.
    return min(max(a * share + b * (1 - share), min(a, b)), max(a, b))
