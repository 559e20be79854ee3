"""Summaries, grouping and order, against a slow and obvious reference."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from prefect_ledger.errors import InvalidValue
from prefect_ledger.points import Points, group, order
from prefect_ledger.summaries import SUMMARY_COLUMNS, SummaryRow, merge_summaries, summarize

MEAN = SUMMARY_COLUMNS.index("mean")
INT64 = st.integers(-(2**63), 2**63 - 1)
FEW = st.integers(-2, 2)
# Few values, so that ties are common, and those that overflow, vanish or are no numbers.
VALUES = st.sampled_from([0.0, -0.0, 1.0, 1.7e308, -1.7e308, 5e-324, math.inf, -math.inf, math.nan]) | st.floats()
ROWS = st.lists(st.tuples(FEW | INT64, FEW | INT64, VALUES), min_size=1, max_size=30)
Point = tuple[int, int, float]


def points_of(rows: list[Point]) -> Points:
    steps, times, values = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    return Points(np.array(steps, np.int64), np.array(times, np.int64), np.array(values, np.float64))


def row_of(rows: list[Point]) -> SummaryRow:
    return summarize(np.zeros(len(rows), np.int64), points_of(rows)).rows[0]


def reference(rows: list[Point]) -> SummaryRow:
    """What a summary must be, the long way."""
    ordered = sorted(rows, key=lambda p: (p[0], p[1]))
    numbers = [p for p in ordered if not math.isnan(p[2])]
    finite = [p[2] for p in numbers if math.isfinite(p[2])]
    mean = float(sum(map(Fraction, finite)) / len(finite)) if finite else None
    low, high = min(numbers, key=lambda p: p[2], default=None), max(numbers, key=lambda p: p[2], default=None)
    (fs, ft, fv), (ls, lt, lv) = ordered[0], ordered[-1]
    return (
        *(len(rows), len(rows) - len(numbers), len(finite), mean),
        *((low[2], low[0]) if low else (None, None)),
        *((high[2], high[0]) if high else (None, None)),
        *(fs, ft, None if math.isnan(fv) else fv, ls, lt, None if math.isnan(lv) else lv, int(math.isnan(fv)), int(math.isnan(lv))),
    )


def assert_alike(got: SummaryRow, want: SummaryRow, rows: list[Point]) -> None:
    """Equal in every column; the mean within the rounding of a sum of such values."""
    assert got[:MEAN] == want[:MEAN]
    assert got[MEAN + 1 :] == want[MEAN + 1 :]
    if want[MEAN] is None:
        assert got[MEAN] is None
    else:
        largest = max(abs(v) for _, _, v in rows if math.isfinite(v))
        assert math.isfinite(got[MEAN])
        assert abs(got[MEAN] / 2 - want[MEAN] / 2) <= 1e-13 * largest + 5e-324


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(FEW | INT64, st.tuples(FEW | INT64, FEW | INT64, VALUES)), max_size=40))
def test_summaries_equal_the_long_way(tagged: list[tuple[int, Point]]) -> None:
    """Each series gets the row that sorting and counting its points one by one would give, in plain Python numbers."""
    ids, points = group(np.array([i for i, _ in tagged], np.int64), points_of([p for _, p in tagged]))
    got = summarize(ids, points)
    tagged.sort(key=lambda t: t[0])
    want = {i: [p for _, p in rows] for i, rows in groupby(tagged, key=lambda t: t[0])}
    assert got.ids == list(want)
    for row, rows in zip(got.rows, want.values(), strict=True):
        assert len(row) == len(SUMMARY_COLUMNS)
        assert {type(member) for member in row} <= {int, float, type(None)}
        assert_alike(row, reference(rows), rows)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 3_000), st.integers(1, 300))
def test_summaries_of_many_points_equal_the_long_way(seed: int, n: int, series: int) -> None:
    """The same with hundreds of series and runs of points that are out of order."""
    rng = np.random.default_rng(seed)
    values = rng.choice([0.1, 0.2, math.nan, math.inf, -math.inf, 3.0], n) * rng.choice([1.0, 1e300], n)
    steps, times = rng.integers(0, 50, n), rng.integers(0, 3, n)
    ids, points = group(rng.integers(0, series, n), Points(steps, times, values))
    rows = list(zip(*(column.tolist() for column in points), strict=True))
    for i, got in zip(*summarize(ids, points), strict=True):
        part = [row for row, owner in zip(rows, ids.tolist(), strict=True) if owner == i]
        assert_alike(got, reference(part), part)


@settings(max_examples=200, deadline=None)
@given(ROWS, ROWS)
def test_merged_summaries_are_the_summary_of_all_points(a: list[Point], b: list[Point]) -> None:
    """Wherever a series is cut in two, merging the halves' rows gives the row of the whole."""
    assert_alike(merge_summaries(row_of(a), row_of(b)), reference(a + b), a + b)


@settings(max_examples=150, deadline=None)
@given(ROWS, ROWS, ROWS)
def test_merging_does_not_mind_the_brackets(a: list[Point], b: list[Point], c: list[Point]) -> None:
    """Three parts merge to one row whichever two are merged first."""
    x, y, z = row_of(a), row_of(b), row_of(c)
    left, right = merge_summaries(merge_summaries(x, y), z), merge_summaries(x, merge_summaries(y, z))
    assert_alike(left, reference(a + b + c), a + b + c)
    assert_alike(right, reference(a + b + c), a + b + c)


@settings(max_examples=150, deadline=None)
@given(ROWS, ROWS)
def test_merging_does_not_mind_the_order_of_arrival(a: list[Point], b: list[Point]) -> None:
    """Where no step and time are shared, a journal that arrives first or last leads to the same row."""
    assume(not {p[:2] for p in a} & {p[:2] for p in b})
    assert_alike(merge_summaries(row_of(b), row_of(a)), merge_summaries(row_of(a), row_of(b)), a + b)


def test_a_later_arrival_wins_a_tie_of_step_and_time() -> None:
    """Two values at one step and time: the first to arrive is first, the other last, within a batch and across two."""
    one, two = [(3, 7, 0.5)], [(3, 7, 0.25)]
    for row in (row_of(one + two), merge_summaries(row_of(one), row_of(two))):
        named = dict(zip(SUMMARY_COLUMNS, row, strict=True))
        assert (named["fv"], named["lv"], named["smin"]) == (0.5, 0.25, 3)


def test_no_points_merge_to_the_other_row() -> None:
    """A row of no points, as a series has before its first flush, changes nothing on either side."""
    nothing, something = (0, 0, 0, *[None] * (len(SUMMARY_COLUMNS) - 3)), row_of([(1, 2, math.nan)])
    assert merge_summaries(nothing, something) == something
    assert merge_summaries(something, nothing) == something
    assert merge_summaries(nothing, nothing) == nothing


@pytest.mark.parametrize("value", [1.7e308, -1.7e308, float(np.finfo(np.float64).max), 5e-324])
def test_the_mean_of_extreme_values_is_that_value(value: float) -> None:
    """A sum that leaves the range of float64 does not make the mean infinite, in one row or merged."""
    rows = [(step, 0, value) for step in range(7)]
    assert row_of(rows)[MEAN] == pytest.approx(value, rel=1e-12)
    assert merge_summaries(row_of(rows[:2]), row_of(rows[2:]))[MEAN] == pytest.approx(value, rel=1e-12)
    assert row_of([*rows, (9, 0, math.inf), (9, 0, math.nan)])[MEAN] == pytest.approx(value, rel=1e-12)


def test_a_large_mean_of_one_series_leaves_the_others_exact() -> None:
    """Rescaling for the sake of one series does not cost another its small values."""
    points = Points(np.arange(4), np.zeros(4, np.int64), np.array([1.7e308, 1.7e308, 5e-324, 5e-324]))
    assert [row[MEAN] for row in summarize(np.array([1, 1, 2, 2]), points).rows] == [1.7e308, 5e-324]


def test_signalling_nan_is_counted_in_silence() -> None:
    """A signalling NaN is a NaN like any other: skipped, counted, and no numpy warning in a background thread."""
    values = np.array([0x7FF0_0000_0000_0001, 0x3FF0_0000_0000_0000], np.uint64).view(np.float64)
    row = summarize(np.zeros(2, np.int64), Points(np.arange(2), np.arange(2), values)).rows[0]
    assert row[:6] == (2, 1, 1, 1.0, 1.0, 1)


def test_nothing_has_no_summaries() -> None:
    """No points, no rows; points without their ids are refused."""
    assert summarize(np.zeros(0, np.int64), points_of([])) == ([], [])
    with pytest.raises(InvalidValue, match="ids"):
        summarize(np.zeros(2, np.int64), points_of([(1, 1, 1.0)]))


# --- group and order ---------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.lists(FEW | INT64 | st.integers(0, 70_000), max_size=60))
def test_grouping_keeps_the_order_of_arrival(ids: list[int]) -> None:
    """Points come out by id, and within an id as they arrived, however far apart the ids are."""
    arrival = np.arange(len(ids))
    got_ids, points = group(np.array(ids, np.int64), Points(arrival, arrival * 10, arrival.astype(np.float64)))
    assert list(zip(got_ids.tolist(), points.steps.tolist(), strict=True)) == sorted(zip(ids, range(len(ids)), strict=True))
    assert points.times.tolist() == (points.steps * 10).tolist()
    assert points.values.tolist() == points.steps.tolist()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(FEW | INT64, FEW | INT64), max_size=40))
def test_order_is_step_then_time_then_arrival(pairs: list[tuple[int, int]]) -> None:
    """Ordered points are those of a stable sort by step and time."""
    arrived = [(step, time, float(k)) for k, (step, time) in enumerate(pairs)]
    got = order(points_of(arrived))
    assert list(zip(*(column.tolist() for column in got), strict=True)) == sorted(arrived, key=lambda p: (p[0], p[1]))


def test_what_is_sorted_already_is_not_copied() -> None:
    """Grouping or ordering points that lie right gives back the very arrays."""
    points = Points(np.array([1, 1, 2]), np.array([5, 5, 0]), np.array([0.1, 0.2, 0.3]))
    ids: npt.NDArray[np.int64] = np.array([4, 4, 9])
    same_ids, grouped = group(ids, points)
    assert same_ids is ids
    for got in (grouped, order(points)):
        assert all(x is y for x, y in zip(got, points, strict=True))
