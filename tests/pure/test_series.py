"""The series a reader holds, and its buckets."""

from __future__ import annotations

import copy
import doctest
import importlib
import math
import pickle
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger.errors import InvalidValue, MissingExtra
from prefect_ledger.series import Series

VALUES = st.floats(allow_subnormal=True) | st.sampled_from([math.nan, math.inf, -math.inf, 0.5])


def series(values: list[float], key: str = "loss") -> Series:
    n = len(values)
    return Series(key, np.arange(n), np.array(values, np.float64), np.arange(n) * 1_000_000)


def test_points_come_by_step_then_time_then_arrival() -> None:
    """A series is in order however its points arrived."""
    loss = Series("loss", np.array([2, 1, 1, 1]), np.array([0.4, 0.3, 0.1, 0.2]), np.array([0, 9, 5, 5]))
    assert loss.steps.tolist() == [1, 1, 1, 2]
    assert loss.values.tolist() == [0.1, 0.2, 0.3, 0.4]
    assert loss.timestamps.tolist() == [5, 5, 9, 0]
    assert (loss.first, loss.last, len(loss)) == (0.1, 0.4, 4)
    assert list(loss)[-1] == (2, 0.4)


def test_a_series_cannot_be_written() -> None:
    """Neither an attribute nor an element can be set, also in a pickled or copied series; the maker's array stays his own."""
    mine = np.array([0.5, 0.25])
    loss = Series("loss", np.arange(2), mine, np.arange(2))
    for each in (loss, pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        assert each == loss
        for column in (each.steps, each.values, each.timestamps):
            with pytest.raises(ValueError, match="read-only"):
                column[0] = 1
        with pytest.raises(AttributeError):
            each.key = "other"  # type: ignore[misc]
    mine[0] = 1.0
    assert mine.flags.writeable


@pytest.mark.parametrize(
    ("steps", "values", "times"),
    [([0, 1], [0.5], [0]), ([0], [0.5], [0, 1]), ([0.5], [0.5], [0]), ([0], [1], [0]), ([[0]], [0.5], [0])],
)
def test_columns_that_do_not_belong_together_are_refused(steps: list[int], values: list[float], times: list[int]) -> None:
    """Unequal lengths and wrong types do not make a series."""
    with pytest.raises(InvalidValue):
        Series("loss", np.array(steps), np.array(values), np.array(times))


def test_equal_means_key_and_every_point() -> None:
    """NaN equals NaN in the same place; another key, step, time or value is another series; a series cannot be a key itself."""
    loss = series([0.5, math.nan])
    assert loss == series([0.5, math.nan])
    assert loss != series([0.5, math.nan], key="other")
    assert loss != series([0.5, 0.25])
    assert loss != series([0.5])
    assert loss != Series("loss", np.arange(2), loss.values, loss.timestamps + 1)
    assert loss != Series("loss", np.arange(2) + 1, loss.values, loss.timestamps)
    assert loss != [0.5, math.nan]
    with pytest.raises(TypeError, match="unhashable"):
        hash(loss)


def test_figures_skip_what_is_not_a_number() -> None:
    """Min and max skip NaN, the mean takes the finite, and last may be NaN."""
    loss = series([0.5, math.inf, 1.5, math.nan])
    assert (loss.min, loss.max, loss.mean) == (0.5, math.inf, 1.0)
    assert loss.last is not None
    assert math.isnan(loss.last)
    only_nan, empty = series([math.nan]), series([])
    assert (only_nan.min, only_nan.max, only_nan.mean) == (None, None, None)
    assert (empty.min, empty.mean, empty.first, empty.last, len(empty)) == (None, None, None, None, 0)


def test_repr_is_one_line_however_long_the_series() -> None:
    """A notebook that shows a series of a million points shows one line."""
    assert repr(series([0.5] * 1_000_000)) == "Series('loss', 1000000 points, steps 0..999999, last 0.5)"
    assert repr(series([math.nan])) == "Series('loss', 1 point, steps 0..0, last nan)"
    assert repr(series([])) == "Series('loss', no points)"


# --- buckets -----------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=80), st.integers(1, 90))
def test_buckets_are_the_extremes_of_equal_runs(values: list[float], n: int) -> None:
    """Every bucket is a run of neighbours of equal count give or take one; together they are the series, with no spike lost."""
    whole = series(values)
    got = whole.buckets(n)
    assert len(got) == min(n, len(values))
    starts = [*got.steps.tolist(), len(values)]
    sizes = {b - a for a, b in pairwise(starts)}
    assert max(sizes) - min(sizes) <= 1
    for k, (a, b) in enumerate(pairwise(starts)):
        run = [v for v in values[a:b] if not math.isnan(v)]
        assert (got.low[k], got.high[k]) == (min(run), max(run)) if run else np.isnan(got.low[k] + got.high[k])
        assert np.array_equal([got.first[k], got.last[k]], [values[a], values[b - 1]], equal_nan=True)
    if whole.min is not None:
        assert (np.nanmin(got.low), np.nanmax(got.high)) == (whole.min, whole.max)


def test_one_spike_among_a_million_points_is_kept() -> None:
    """A single point that sticks out is in the picture at a thousand buckets."""
    values = np.zeros(1_000_000)
    values[654_321] = 1e9
    got = Series("loss", np.arange(1_000_000), values, np.arange(1_000_000)).buckets(1_000)
    assert (got.high == 1e9).sum() == 1
    assert got.steps[got.high == 1e9] == 654_000
    with pytest.raises(ValueError, match="read-only"):
        got.high[0] = 1.0


def test_a_signalling_nan_hides_no_extremes() -> None:
    """A NaN of the signalling kind is skipped in a bucket like any other."""
    values = np.array([0x7FF0_0000_0000_0001, 0x3FF0_0000_0000_0000, 0x7FF0_0000_0000_0001], np.uint64).view(np.float64)
    got = Series("loss", np.arange(3), values, np.arange(3)).buckets(1)
    assert (got.low.tolist(), got.high.tolist()) == ([1.0], [1.0])


def test_buckets_of_an_empty_series_are_none() -> None:
    """Nothing to draw is nothing drawn."""
    assert len(series([]).buckets(10)) == 0


@pytest.mark.parametrize("n", [0, -1, 2.5, "10", None])
def test_a_senseless_number_of_buckets_is_refused(n: int) -> None:
    """The number of buckets is a whole number of at least 1; numpy's integers count."""
    assert len(series([0.5, 0.25]).buckets(np.int64(1))) == 1  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="at least 1"):
        series([0.5, 0.25]).buckets(n)


# --- tables ------------------------------------------------------------------------------------------------------


def test_to_pandas_has_steps_values_and_utc_times() -> None:
    """The frame is indexed by step and exact to the microsecond."""
    pandas = pytest.importorskip("pandas")
    frame = Series("loss", np.array([3, 5]), np.array([0.5, math.nan]), np.array([1_750_000_000_123_456, 0])).to_pandas()
    assert frame.index.name == "step"
    assert frame.index.tolist() == [3, 5]
    assert list(frame.columns) == ["value", "timestamp"]
    assert frame["value"].iloc[0] == 0.5
    assert frame["timestamp"].iloc[0] == pandas.Timestamp("2025-06-15T15:06:40.123456Z")
    assert str(frame["timestamp"].dtype) == "datetime64[us, UTC]"
    frame.loc[3, "value"] = 9.0  # the user's own frame


def test_to_arrow_has_steps_values_and_utc_times() -> None:
    """The table keeps NaN as a value, not as null, and times in microseconds."""
    arrow = pytest.importorskip("pyarrow")
    table = Series("loss", np.array([3, 5]), np.array([0.5, math.nan]), np.array([1, 2])).to_arrow()
    assert table.column_names == ["step", "value", "timestamp"]
    assert table.schema.types == [arrow.int64(), arrow.float64(), arrow.timestamp("us", tz="UTC")]
    assert table["value"].null_count == 0
    assert table["timestamp"].cast(arrow.int64()).to_pylist() == [1, 2]


@pytest.mark.parametrize(("package", "method"), [("pandas", "to_pandas"), ("pyarrow", "to_arrow")])
def test_a_missing_package_names_its_extra(package: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the data extra the error says what to install."""
    monkeypatch.setitem(sys.modules, package, None)  # what the import system itself keeps for "cannot be imported"
    with pytest.raises(MissingExtra, match=r"pip install 'prefect-ledger\[data\]'"):
        getattr(series([0.5]), method)()


@pytest.mark.parametrize("module", ["points", "chunks", "summaries", "series"])
def test_the_examples_in_docstrings_run(module: str) -> None:
    """What a docstring shows is what happens."""
    result = doctest.testmod(importlib.import_module(f"prefect_ledger.{module}"))
    assert result.attempted
    assert not result.failed
