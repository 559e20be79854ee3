"""Figures out of rows: what they never lose, and what they never do to a stranger's text."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from prefect_ledger.dashboard.charts import bands, boxes, colors, columns, contour, curves, importance, parallel, scatter
from prefect_ledger.dashboard.charts.curves import Curve

HOSTILE = ('<a href="javascript:alert(1)">x</a>', "<script>alert(1)</script>", "<b>&amp;%{y}</b>", "\u202eexe\n<img src=x>")
TAGS = re.compile(r"\\u003c(?!(\\u002f)?(b|br|extra)\\u003e)")  # but those of our own
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


@settings(deadline=None, max_examples=20)  # the first one imports
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


# --- groups -----------------------------------------------------------------------------------------------------------------------------

FINITE = arrays.arrays(np.float64, st.integers(1, 300), elements=st.floats(-1e9, 1e9))


@settings(deadline=None)
@given(values=FINITE, copies=st.integers(1, 4), spread=st.sampled_from(["range", "std"]))
def test_the_mean_of_equal_curves_is_the_curve(values: Any, copies: int, spread: bands.Spread) -> None:
    """As long as each step has a cell of its own, a group of equal curves is the curve, and its band has no width."""
    steps = np.arange(len(values), dtype=np.float64)
    made = bands.band("g", [bands.cells(steps, values, whole=True)] * copies, spread=spread, whole=True)
    assert made.curves == copies
    np.testing.assert_array_equal(made.x, steps)
    for line in (made.mean, made.low, made.high):
        np.testing.assert_allclose(line, values, rtol=1e-12, atol=1e-9)


@settings(deadline=None)
@given(curves_=st.lists(FINITE, min_size=1, max_size=4), most=st.integers(1, 50), apart=st.sampled_from([1, 3, 1000]))
def test_a_band_of_the_whole_range_has_every_spike(curves_: list[Any], most: int, apart: int) -> None:
    """However coarse the cells are, and however differently the curves were cut: the band reaches the lowest and the highest value."""
    cut = [bands.cells(np.arange(len(one), dtype=np.float64) * apart, one, whole=True, most=most) for one in curves_]
    made = bands.band("g", cut, whole=True)
    assert len(made.x) <= 2 * most + 2 * len(cut) + 2
    assert made.low.min() == min(one.min() for one in curves_)
    assert made.high.max() == max(one.max() for one in curves_)
    near = 1e-9 * (1 + np.abs(made.mean))
    assert ((made.low <= made.mean + near) & (made.mean <= made.high + near)).all()


def test_a_curve_with_fewer_points_counts_in_between() -> None:
    """A run that logged each tenth step stands in the mean with the line between its points, and not beyond its end."""
    often = bands.cells(np.arange(21.0), np.zeros(21), whole=True)
    seldom = bands.cells(np.array([0.0, 10.0]), np.array([0.0, 10.0]), whole=True)
    made = bands.band("g", [often, seldom], whole=True)
    assert made.mean[5] == 2.5
    assert made.mean[15] == 0.0


@settings(deadline=None, max_examples=20)
@given(values=VALUES)
def test_groups_of_anything_make_a_figure(values: Any) -> None:
    """NaN and infinities are left out of a group, and break nothing."""
    cut = bands.cells(np.arange(len(values), dtype=np.float64), values, whole=True)
    assert np.isfinite(cut.mean).all()
    assert bands.figure([bands.band(HOSTILE[0], [cut], whole=True)], "step", smoothing=0.9).to_json()


# --- parameters and metrics -------------------------------------------------------------------------------------------------------------

TEXTS = st.one_of(
    st.none(), st.sampled_from([*HOSTILE, "1", "0.5", "1e-9", "nan", "inf", "True", "", "xgb"]), st.floats(), st.text(max_size=5)
)


@settings(deadline=None, max_examples=20)
@given(rows=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=40))
@pytest.mark.long
def test_any_parameters_make_every_figure(rows: list[tuple[object, ...]]) -> None:
    """Whatever runs have: each chart is drawn of those that can be, says how many are left out, and has no tags in its texts."""
    a, b, c = (columns.column(HOSTILE[at], [row[at] for row in rows]) for at in range(3))
    names = [HOSTILE[0]] * len(rows)
    for made, left_out in (
        parallel.figure([a, b], c),
        scatter.figure(a, b, names, c),
        contour.figure(a, b, c, names),
        boxes.figure(a, b, names),
    ):
        assert 0 <= left_out <= len(rows)
        assert not TAGS.search(made.to_json())
    assert not TAGS.search(importance.figure(importance.shares([a, b], c), HOSTILE[0]).to_json())


def test_numbers_are_numbers_and_texts_are_categories() -> None:
    """A parameter is text in the ledger: it is an axis of numbers where all that is there reads as numbers, of logarithms where wide."""
    rate = columns.column("rate", ["0.1", "0.001", None])
    assert rate.wide
    assert rate.label == "rate (log)"
    assert rate.ticks() == ([-3.0, -2.0, -1.0], ["0.001", "0.01", "0.1"])
    mixed = columns.column("depth", ["3", "none", None])
    assert mixed.words == ("3", "none")
    assert mixed.there.tolist() == [True, True, False]
    assert not columns.column("loss", [0.5, 0.4]).wide


def test_axes_that_families_have_for_themselves_are_not_chosen_for_all() -> None:
    """Two families with a parameter each: both would leave no line; what all have stays, and one that few lack."""
    first, other = columns.column("hidden", ["1"] * 10 + [None] * 10), columns.column("rounds", [None] * 10 + ["2"] * 10)
    most, metric = columns.column("seed", [str(one) for one in range(19)] + [None]), columns.column("auc", [0.5] * 20)
    found = parallel.shared([first, other, most], metric, 6)
    assert [one.name for one in found] == ["seed"]
    assert parallel.figure([*found, metric], metric)[1] == 1


def test_parallel_axes_leave_room_for_their_words() -> None:
    """Categories are ticks with their words, and the margin is wide enough for those of the first axis."""
    first = columns.column("model", ["a rather long name", "b"])
    made, left_out = parallel.figure([first, columns.column("auc", [0.5, None])])
    assert left_out == 1
    assert made.data[0].dimensions[0].ticktext == ("a rather long name", "b")
    assert made.layout.margin.l > 60 + 5 * len("a rather long name")


def test_a_landscape_stays_between_its_runs() -> None:
    """Nothing is made up: the landscape is as low and as high as the runs, and goes through them."""
    x, y, z = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0]), np.array([1.0, 2.0, 3.0, 4.0])
    _, _, found = contour.landscape(x, y, z)
    np.testing.assert_allclose([found[0, 0], found[0, -1], found[-1, 0], found[-1, -1]], z, atol=1e-4)
    assert (found >= 1).all()
    assert (found <= 4).all()


def test_boxes_hold_each_run_once() -> None:
    """Few different numbers have a box each, many are put together by quarters; each run that has both values is in one box."""
    metric = columns.column("auc", [float(at) for at in range(40)])
    for by in ([str(at % 3) for at in range(40)], [str(at) for at in range(40)], ["ab"[at % 2] for at in range(40)]):
        made, _ = boxes.figure(columns.column("p", by), metric, ["run"] * 40)
        assert sorted(value for box in made.data for value in box.y) == list(range(40))
    made, _ = boxes.figure(columns.column("p", [str(at) for at in range(40)]), metric, ["run"] * 40)
    assert made.data[0].name == "0 to 9.75 (10)"


def test_importance_tells_what_goes_with_a_metric() -> None:
    """What decides the order of the metric has a share of 1, whichever way and however bent; what has nothing to do with it, near 0."""
    random = np.random.default_rng(7)
    deciding, noise = random.permutation(200), random.permutation(200)
    metric = columns.column("loss", [math.exp(-one / 20) for one in deciding])
    params = [
        columns.column("deciding", deciding.tolist()),
        columns.column("half", ["low" if one < 100 else "high" for one in deciding]),
        columns.column("noise", noise.tolist()),
        columns.column("unique", [f"run-{at}" for at in range(200)]),
        columns.column("same", [1] * 200),
    ]
    found = {one.name: one for one in importance.shares(params, metric)}
    assert found["deciding"].share == pytest.approx(1)
    assert found["deciding"].correlation == pytest.approx(-1)
    assert 0.7 < found["half"].share < 0.8
    assert found["noise"].share < 0.05
    assert found["unique"].share == 0
    assert "same" not in found
    assert importance.shares(params, columns.column("loss", [None] * 196 + [1.0, 2.0, 3.0, 4.0])) == []


@settings(deadline=None)
@given(groups=st.lists(st.integers(0, 3), min_size=5, max_size=40), data=st.data())
def test_shares_are_shares(groups: list[int], data: st.DataObject) -> None:
    """From 0 to 1, whatever the values are."""
    metric = [data.draw(st.floats(-1e6, 1e6)) for _ in groups]
    params = [columns.column("word", [f"w{one}" for one in groups]), columns.column("number", groups)]
    assert all(0 <= one.share <= 1 for one in importance.shares(params, columns.column("m", metric)))
