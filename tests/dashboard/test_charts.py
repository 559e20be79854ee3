"""Figures out of rows: what they never lose, and what they never do to a stranger's text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from prefect_ledger.dashboard.charts import colors, curves
from prefect_ledger.dashboard.charts.curves import Curve

HOSTILE = ('<a href="javascript:alert(1)">x</a>', "<script>alert(1)</script>", "<b>&amp;%{y}</b>", "\u202eexe\n<img src=x>")
VALUES = arrays.arrays(np.float64, st.integers(1, 400), elements=st.floats(allow_nan=True, allow_infinity=True, width=64))


def curve(values: Any, name: str = "one", **more: Any) -> Curve:
    array = np.asarray(values, np.float64)
    return Curve(name, np.arange(len(array)), array, **more)


@settings(deadline=None)  # the first one imports
@given(values=VALUES, most=st.integers(1, 200))
def test_no_spike_disappears(values: Any, most: int) -> None:
    """However few points are drawn: the lowest and the highest number are among them, each at its own step, and so are the ends."""
    shown = curves.thin(curve(values), most)
    assert len(shown) <= max(most, 4)
    assert (shown.values == values[shown.steps]).sum() + np.isnan(shown.values).sum() == len(shown)
    assert (np.diff(shown.steps) > 0).all()
    assert shown.steps[0] == 0
    assert shown.steps[-1] == len(values) - 1
    finite, kept = values[np.isfinite(values)], shown.values[np.isfinite(shown.values)]
    assert shown.left_out == len(values) - len(finite)
    if len(finite):
        assert kept.min() == finite.min()
        assert kept.max() == finite.max()


@settings(deadline=None)  # the first one imports
@given(values=VALUES, most=st.integers(20, 100), weight=st.floats(0.01, 0.999))
def test_a_smoothed_curve_keeps_its_spikes_behind(values: Any, most: int, weight: float) -> None:
    """Where a curve is smoothed, what is drawn faintly behind it still reaches the lowest and the highest number."""
    shown = curves.thin(curves.smoothed(curve(values), weight), most)
    assert shown.smoothed is not None
    assert len(shown.smoothed) == len(shown)
    finite, kept = values[np.isfinite(values)], shown.values[np.isfinite(shown.values)]
    if len(finite):
        assert (kept.min(), kept.max()) == (finite.min(), finite.max())


@settings(deadline=None)  # the first one imports
@given(constant=st.floats(-1e300, 1e300), size=st.integers(1, 200), weight=st.floats(0, 0.9999))
def test_a_constant_stays_what_it_is(constant: float, size: int, weight: float) -> None:
    """The moving average of a constant is the constant."""
    assert (curves.smooth(np.full(size, constant), weight) == constant).all()


@settings(deadline=None)  # the first one imports
@given(values=VALUES, weight=st.floats(0.01, 0.99))
def test_what_is_no_number_is_passed_over(values: Any, weight: float) -> None:
    """A moving average is as if NaN and infinities had not been logged, and never becomes one of them by itself."""
    there = np.isfinite(values) & (np.abs(values) < 1e150)
    found = curves.smooth(np.where(there, values, np.nan), weight)
    np.testing.assert_array_equal(found[there], curves.smooth(values[there], weight))


@settings(deadline=None)  # the first one imports
@given(
    values=st.lists(VALUES, min_size=1, max_size=4), smoothing=st.sampled_from([0.0, 0.9]), x=st.sampled_from(["step", "time", "relative"])
)
def test_any_curves_make_a_figure(values: list[Any], smoothing: float, x: curves.X) -> None:
    """Whatever was logged, there is a figure that can be sent, with a line for each curve and one more where it is smoothed."""
    made = curves.figure([curve(one, str(at)) for at, one in enumerate(values)], smoothing=smoothing, x=x, log_y=True)
    assert len(made.data) == len(values) * (2 if smoothing else 1)
    assert made.to_json()


def test_many_curves_share_what_a_browser_can_draw() -> None:
    """Fifty curves of a hundred thousand points each are drawn from some twenty thousand in all."""
    made = curves.figure([curve(np.random.default_rng(at).random(100_000), str(at)) for at in range(50)])
    assert sum(len(trace.x) for trace in made.data) <= curves.TOGETHER + 2 * 50


def test_a_range_asks_for_finer_points() -> None:
    """Of a part of a curve, as many points are drawn as of all of it: what was thinned away is there."""
    whole = curve(np.sin(np.arange(100_000)))
    part = curves.thin(curves.between(whole, 50_000, 50_500))
    assert part.steps.tolist() == list(range(50_000, 50_501))


def test_time_and_relative_time_are_told_in_units_people_read() -> None:
    """Time is a date axis in UTC, relative time starts where the run began and takes seconds, minutes, hours or days."""
    times = np.array([10, 70, 130], np.int64) * 60_000_000
    one = curve([1.0, 2.0, 3.0], times=times, began=0)
    made = curves.figure([one], x="relative")
    assert made.layout.xaxis.title.text == "hours since the run began"
    np.testing.assert_allclose(made.data[0].x, [1 / 6, 7 / 6, 13 / 6])
    made = curves.figure([one], x="time")
    assert made.layout.xaxis.type == "date"
    assert made.data[0].x.tolist() == [600_000.0, 4_200_000.0, 7_800_000.0]


def test_points_that_were_logged_late_are_drawn_in_time() -> None:
    """By step is not always by time: a line never runs backwards."""
    made = curves.figure([curve([1.0, 2.0, 3.0], times=np.array([0, 30, 10], np.int64) * 1_000_000)], x="relative")
    assert made.data[0].x.tolist() == [0.0, 10.0, 30.0]
    assert made.data[0].y.tolist() == [1.0, 3.0, 2.0]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_letters(name: str) -> None:
    """plotly reads links and emphasis in names and titles: whatever a run was called, there are no tags in what it gets."""
    made = curves.figure([curve([1.0], name), curve([2.0], "b")], title=name)
    for text in (made.data[0].name, made.layout.title.text):
        assert "<" not in text
        assert "\n" not in text
    assert "<" not in made.data[0].hovertemplate.replace("<b>", "").replace("</b>", "").replace("<br>", "").replace("<extra></extra>", "")
    assert name not in made.data[0].hovertemplate


@settings(deadline=None)  # the first one imports
@given(ids=st.lists(st.text(max_size=8), unique=True, max_size=40))
def test_colours_belong_to_runs(ids: list[str]) -> None:
    """Up to as many runs as there are colours, each has its own; and the first keeps its own whoever comes after."""
    given_ = colors.of(ids)
    assert len(set(given_.values())) == min(len(ids), len(colors.COLORS))
    if ids:
        assert given_[ids[0]] == colors.of(ids[:1])[ids[0]]
