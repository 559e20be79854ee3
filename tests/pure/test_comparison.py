"""The logic of a comparison, without a ledger."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_ledger.comparison import Row, compare, direction
from prefect_ledger.entities import Run, RunStatus

NAN = float("nan")


def run(name: str, **fields: Any) -> Run:
    """A run made by hand."""
    return Run(id=name * 36, name=name, experiment="e", experiment_id=1, status=RunStatus.COMPLETED, **fields)


def rows(*runs: Run, facts: list[dict[str, Any]] | None = None, **options: Any) -> dict[tuple[str, str], Row]:
    found = compare(runs, facts or [{} for _ in runs], [{} for _ in runs], **options)
    return {(row.section, row.key): row for row in found}


@pytest.mark.parametrize("key", ["loss", "val_loss", "val/loss", "valLoss", "train.rmse", "error", "test.log_loss", "accuracy_loss"])
def test_losses_and_errors_are_better_when_lower(key: str) -> None:
    """The last telling word of a metric's name decides, however the words are joined."""
    assert direction(key) == "lower"


@pytest.mark.parametrize("key", ["acc", "val_accuracy", "auc", "f1", "valF1", "test/R2", "loss_accuracy"])
def test_scores_are_better_when_higher(key: str) -> None:
    """Names of scores are known."""
    assert direction(key) == "higher"


@pytest.mark.parametrize("key", ["epoch", "x", "lossy", "accent", "step", "mapped"])
def test_no_direction_is_guessed_from_half_a_word(key: str) -> None:
    """Where no whole word is known, no value is called the best."""
    assert direction(key) is None
    assert direction(key, lower=[key]) == "lower"
    assert direction(key, higher=[key]) == "higher"


def test_the_best_values_are_marked_ties_included_nan_left_out() -> None:
    """Every run that has the best value is named; NaN and a missing value never are."""
    found = rows(*(run(n, metrics=m) for n, m in zip("abcd", [{"loss": 0.2}, {"loss": NAN}, {"loss": 0.2}, {}], strict=True)))
    assert found["metrics", "loss"].best == frozenset()  # one distinct value: nothing to prefer
    found = rows(run("a", metrics={"loss": 0.2}), run("b", metrics={"loss": 0.5}), run("c", metrics={"loss": 0.2}), run("d"))
    assert found["metrics", "loss"].best == {0, 2}
    assert rows(run("a", metrics={"loss": 0.2}), run("b", metrics={"loss": 0.5}), higher=["loss"])["metrics", "loss"].best == {1}


def test_what_only_one_run_has_differs_and_nan_does_not_differ_from_nan() -> None:
    """Difference is what a person would call one."""
    found = rows(run("a", params={"x": "1", "y": "2"}, metrics={"m": NAN}), run("b", params={"x": "1"}, metrics={"m": NAN}))
    assert not found["params", "x"].differs
    assert found["params", "y"].differs
    assert not found["metrics", "m"].differs


def test_surroundings_are_compared_leaf_by_leaf() -> None:
    """Commit, Python and packages stand in rows of their own."""
    before, after = ({"git": {"commit": c, "dirty": False}, "packages": {"numpy": v}} for c, v in (("a1", "2.0"), ("b2", "2.0")))
    found = rows(run("a"), run("b"), facts=[before, after])
    assert found["git", "commit"].values == ("a1", "b2")
    assert not found["git", "dirty"].differs
    assert not found["packages", "numpy"].differs
