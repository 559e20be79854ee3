"""The median rule."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_ledger.errors import InvalidValue
from prefect_ledger.sweep.stopping import Curve, Median

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12)
CURVES = VALUES.map(lambda values: list(enumerate(values)))


@given(CURVES, st.lists(CURVES, max_size=8), st.integers(0, 10), st.integers(1, 6))
def test_which_way_is_better_is_a_matter_of_the_sign_alone(curve: Curve, others: list[Curve], warm_up: int, trials: int) -> None:
    """A trial is stopped for high values where low ones are better exactly as its mirror image is for low ones."""
    rule = Median(warm_up, trials)
    mirrored = [[(step, -value) for step, value in one] for one in (curve, *others)]
    assert rule.stops(curve, others, lower=True) == rule.stops(mirrored[0], mirrored[1:], lower=False)


@given(st.lists(CURVES, min_size=1, max_size=8))
def test_the_best_of_all_is_never_stopped(curves: list[Curve]) -> None:
    """Nor is anything before the warm-up, and beside too few."""
    best = min(curves, key=lambda one: one[0][1])
    assert not Median(0, 1).stops(best[:1], curves, lower=True)
    assert not any(Median(12, 1).stops(one, curves, lower=True) for one in curves)
    assert not any(Median(0, len(curves) + 1).stops(one, curves, lower=True) for one in curves)


def test_what_is_only_nan_is_stopped_and_nonsense_is_refused() -> None:
    """Since nothing is worse."""
    assert Median(0, 1).stops([(0, math.nan)], [[(0, 5.0)]], lower=True)
    with pytest.raises(InvalidValue, match="warm_up"):
        Median(-1)
    with pytest.raises(InvalidValue, match="trials"):
        Median(1, 0)
