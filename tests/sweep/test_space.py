"""What a sweep looks through, and who proposes what."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger.errors import InvalidValue
from prefect_ledger.sweep.proposing import proposer
from prefect_ledger.sweep.space import Choice, Range, Space

AXES = st.one_of(
    st.lists(st.integers(-9, 9), min_size=1, max_size=4, unique=True).map(lambda values: Choice(tuple(values))),
    st.builds(lambda low, wide, n: Range(low, low + wide, whole=True, points=n), st.integers(-9, 9), st.integers(1, 20), st.integers(2, 6)),
    st.builds(
        lambda low, times, n: Range(low, low * times, log=True, points=n), st.floats(1e-6, 1), st.floats(1.5, 1e6), st.integers(2, 6)
    ),
)
SPACES = st.dictionaries(st.sampled_from("abcd"), AXES, min_size=1, max_size=3).map(Space.read)


@settings(deadline=None)
@given(SPACES, st.integers(0, 99), st.integers(0, 999))
def test_what_is_proposed_lies_in_the_space(space: Space, seed: int, number: int) -> None:
    """Draws and places of the grid alike; and the same number is the same draw."""
    drawn = space.draw(seed, number)
    assert drawn == space.draw(seed, number)
    for values in (drawn, space.at(number % space.size())):
        for name, axis in space.axes.items():
            if isinstance(axis, Choice):
                assert values[name] in axis.values
            else:
                assert axis.low <= values[name] <= axis.high
                assert isinstance(values[name], int) or not axis.whole


@settings(deadline=None)
@given(SPACES)
def test_a_grid_has_each_of_its_places_once(space: Space) -> None:
    """All combinations, in order, and none after them."""
    grid = proposer("grid", space, 0, minimize=True)
    found = [grid.propose(number) for number in range(space.size())]
    expected = [dict(zip(space.axes, one, strict=True)) for one in itertools.product(*(axis.grid() for axis in space.axes.values()))]
    assert found == expected
    assert grid.propose(space.size()) is None


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("2,4,8", Choice((2, 4, 8))),
        ("xgb, lgbm", Choice(("xgb", "lgbm"))),
        ("true,null,1.5", Choice((True, None, 1.5))),
        ("0.001..0.1:log", Range(0.001, 0.1, log=True)),
        ("2..8:int", Range(2, 8, whole=True)),
        ("2..8:int:3", Range(2, 8, whole=True, points=3)),
        ("-1..1", Range(-1.0, 1.0)),
        ("1e-5..1e-2:log:4", Range(1e-5, 1e-2, log=True, points=4)),
    ],
)
def test_texts_are_read_as_people_write_them(text: str, axis: Any) -> None:
    """Values with commas, and ranges with their scale."""
    assert Space.read({"x": text}).axes["x"] == axis


@pytest.mark.parametrize("value", ["", ",", "1,", "a..b", "3..1", "0..1:log", "1.5..2:int", "1..2:int:1", [], 3, None, "1..inf"])
def test_what_is_no_set_of_values_is_refused_by_name(value: Any) -> None:
    """With the parameter in front."""
    with pytest.raises(InvalidValue, match=r"^rate: "):
        Space.read({"rate": value})


def test_an_empty_space_and_a_grid_beyond_measure_are_refused() -> None:
    """Before anything is begun."""
    with pytest.raises(InvalidValue, match="needs parameters"):
        Space.read({})
    wide = Space.read({name: Range(0, 1, points=100) for name in "abcd"})
    with pytest.raises(InvalidValue, match="100,000,000 trials"):
        proposer("grid", wide, 0, minimize=True)
    with pytest.raises(InvalidValue, match="no method"):
        proposer("genetic", wide, 0, minimize=True)


def test_optuna_learns_from_what_is_told_also_of_before() -> None:
    """Told of trials that others made, it proposes near the best of them; values that are no numbers come back as they were."""
    space = Space.read({"x": Range(-10.0, 10.0), "kind": [["a"], {"b": 1}]})
    found = proposer("optuna", space, 3, minimize=True)
    for number in range(30):
        values = space.draw(1, number)
        found.told(number, values, (values["x"] - 4) ** 2)
    proposed = []
    for number in range(30, 50):
        asked = found.propose(number)
        assert asked is not None
        values = asked
        assert values["kind"] in (["a"], {"b": 1})
        proposed.append(values["x"])
        found.told(number, values, (values["x"] - 4) ** 2)
    assert abs(sorted(proposed)[len(proposed) // 2] - 4) < 2
