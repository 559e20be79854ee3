"""Whether a run came out the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger.errors import InvalidValue
from prefect_ledger.verdict import Curve, Difference, Outcome, Reproduced, Tolerance, judge

VALUES = st.lists(st.floats(width=64), max_size=12)
CURVES = st.dictionaries(st.sampled_from(["loss", "auc", "val.f1", "seconds"]), VALUES, max_size=3)


def outcome(curves: dict[str, list[float]], **causes: dict[str, object]) -> Outcome:
    """A run with curves at the steps 0, 1, 2 …"""
    made = {key: Curve(np.arange(len(values)), np.array(values, np.float64)) for key, values in curves.items()}
    return Outcome(causes, made)


@settings(deadline=None)
@given(CURVES.filter(bool))
def test_a_run_beside_itself_is_identical(curves: dict[str, list[float]]) -> None:
    """Whatever its values, NaN and infinities among them."""
    verdict = judge(outcome(curves), outcome(curves))
    assert (verdict.result, verdict.first) == (Reproduced.IDENTICAL, None)


@settings(max_examples=200, deadline=None)
@given(CURVES, CURVES, st.floats(0, 1e3), st.floats(0, 1e3))
def test_the_law_of_tolerances(one: dict[str, list[float]], other: dict[str, list[float]], narrow: float, more: float) -> None:
    """It is the same from both sides; a wider tolerance never judges worse; identical means that no bit is off."""
    before, after, order = outcome(one), outcome(other), list(Reproduced)
    tight, wide = {"*": Tolerance(absolute=narrow)}, {"*": Tolerance(absolute=narrow + more)}
    assert judge(before, after, tight).result is judge(after, before, tight).result
    assert order.index(judge(before, after, wide).result) <= order.index(judge(before, after, tight).result)
    same = one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    exactly = judge(before, after, {"*": Tolerance()})
    assert (exactly.result is Reproduced.IDENTICAL) == (same and bool(one))


def _equal(one: list[float], other: list[float]) -> bool:
    return len(one) == len(other) and all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(one, other, strict=True))


def test_a_curve_that_leaves_says_from_which_step_and_how_far() -> None:
    """The first step beyond the tolerance, the greatest distance, and the metric that left first before the others."""
    was = outcome({"loss": [3.0, 2.0, 1.0, 0.5], "auc": [0.1, 0.2, 0.3, 0.4], "same": [1.0]})
    now = outcome({"loss": [3.0, 2.0, 1.5, 0.4], "auc": [0.1, 0.3, 0.3, 0.4], "same": [1.0]})
    verdict = judge(was, now)
    assert [(one.key, one.result.value, one.first_step) for one in verdict.metrics] == [
        ("auc", "different", 1),
        ("loss", "different", 2),
        ("same", "identical", None),
    ]
    assert verdict.metrics[1].furthest == 0.5
    near = judge(was, now, {"auc": Tolerance.read("0.11"), "lo*": Tolerance.read("40%")})
    assert near.result is Reproduced.WITHIN_TOLERANCE
    assert near.metrics[0].first_step == 1


def test_fewer_points_other_steps_and_metrics_of_one_run_alone_are_different() -> None:
    """Points that are not there cannot be near, and the reason is said."""
    was = outcome({"a": [1.0, 2.0, 3.0], "b": [1.0], "c": [1.0]})
    now = outcome({"a": [1.0, 2.0], "b": [1.0]})
    moved = Outcome({}, {**now.curves, "b": Curve(np.array([7]), np.array([1.0]))})
    told = {one.key: (one.result.value, one.why, one.first_step) for one in judge(was, moved, {"*": Tolerance(absolute=9)}).metrics}
    assert told == {
        "a": ("different", "3 points, then 2", 2),
        "b": ("different", "logged at other steps", 0),
        "c": ("different", "only the first run has it", 0),
    }


def test_nothing_to_compare_is_no_proof() -> None:
    """A run without metrics, or with ignored ones alone, is not said to have come out the same."""
    assert judge(outcome({}), outcome({})).result is Reproduced.DIFFERENT
    verdict = judge(outcome({"seconds": [1.0]}), outcome({"seconds": [1.0]}), ignore=["sec*"])
    assert (verdict.result, verdict.ignored) == (Reproduced.DIFFERENT, ("seconds",))


def test_causes_are_said_first_and_decide_nothing() -> None:
    """The same result from other packages is the same result; what changed is named, inputs first, with both values."""
    was = outcome({"auc": [0.5]}, packages={"numpy": "2.0", "old": "1"}, inputs={"depth": "3"})
    now = outcome({"auc": [0.5]}, packages={"numpy": "2.1", "new": "1"}, inputs={"depth": "4"})
    verdict = judge(was, now)
    assert verdict.result is Reproduced.IDENTICAL
    assert verdict.first == Difference("inputs", "depth", "3", "4")
    assert [(one.name, one.before, one.after) for one in verdict.differences[1:]] == [
        ("new", None, "1"),
        ("numpy", "2.0", "2.1"),
        ("old", "1", None),
    ]


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "1 %", "%", "1e", "0x1", "1.2.3"])
def test_what_is_no_tolerance_is_refused(text: str) -> None:
    """With the forms that there are."""
    with pytest.raises(InvalidValue, match="a tolerance is"):
        Tolerance.read(text)
