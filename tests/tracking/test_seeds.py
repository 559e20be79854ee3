"""One seed for all that draws, recorded with the run."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
from prefect.utilities.math import clamped_poisson_interval

from prefect_ledger import get_run, set_seed, start_run
from prefect_ledger.errors import InvalidValue
from prefect_ledger.tracking import seeds
from prefect_ledger.tracking.ledger import Ledger


@pytest.fixture(autouse=True)
def drawn() -> Iterator[None]:
    """What other tests draw stays what it is."""
    numbers = np.random.get_state()
    yield
    np.random.set_state(numbers)


def test_what_is_drawn_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed draws the same; a drawn one too, and a process that is told of one takes it where none is said."""
    first = set_seed(), random.random(), np.random.random()
    assert (set_seed(first[0]), random.random(), np.random.random()) == first
    monkeypatch.setenv(seeds.VARIABLE, "11")
    assert (set_seed(), set_seed(3)) == (11, 3)


def test_what_prefect_draws_beside_a_flow_is_not_the_flows() -> None:
    """Its delays are drawn in threads of its own, whenever it suits them: they take nothing from what was seeded."""
    first = set_seed(7), random.random(), random.random()
    set_seed(7)
    again = 7, random.random()
    clamped_poisson_interval(10)
    assert (*again, random.random()) == first


def test_runs_record_it_whenever_it_was_set(fresh_ledger: Ledger) -> None:
    """Before the run begins, and within it."""
    set_seed(5)
    with start_run(experiment="seeds") as before:
        pass
    with start_run(experiment="seeds") as within:
        set_seed(6)
    fresh_ledger.close()
    assert get_run(before.id).facts["seeds"]["seed"] == 5
    assert get_run(within.id).facts["seeds"]["seed"] == 6


@pytest.mark.parametrize("seed", [-1, 1 << 32, 1.5, "1", True])
def test_what_is_no_seed_is_refused(seed: object) -> None:
    """Nothing is seeded then."""
    state = random.getstate()
    with pytest.raises(InvalidValue, match="a seed is a whole number"):
        set_seed(seed)  # type: ignore[arg-type]
    assert random.getstate() == state
