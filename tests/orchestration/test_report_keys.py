"""Reports in Prefect: each model has its own history of them, whatever it is called."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from prefect_ledger.orchestration.reports import key_of


def test_models_of_other_scripts_have_a_history_of_their_own() -> None:
    """A name that Prefect's keys cannot spell is told from others, and one that they can is spelled."""
    names = ["churn", "churn eu", "churn-eu", "churn_eu", "Churn", "模型", "модель", ""]
    keys = [key_of("promotion", name) for name in names]
    assert len(set(keys)) == len(names)
    assert (keys[0], keys[-1]) == ("promotion-churn", "promotion")


@given(st.text(max_size=40))
def test_every_key_is_one_that_prefect_takes(name: str) -> None:
    """Small letters, digits and dashes alone, for any name."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", key_of("promotion", name))
