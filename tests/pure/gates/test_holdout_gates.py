"""Gates on the rows of a holdout: bootstrap, slices and threshold, and all that can be wrong with rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from prefect_ledger.gates import Evidence
from prefect_ledger.gates.row_metrics import METRICS
from tests.pure.gates.cases import CANDIDATE, evidence, on, rows, verdict

GREATER = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "auc")
BETTER = (*GREATER, "log_loss", "brier", "squared_error", "absolute_error")
BROKEN: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"candidate": np.full(1_000, np.nan)}, "auc", ["1,000 of 1,000 values that are not finite", "auc cannot be judged"]),
    ({"candidate": np.append(np.full(999, 0.5), np.inf)}, "brier", ["1 of 1,000 values that are not finite"]),
    ({"champion": np.append(np.full(999, 0.5), np.nan)}, "accuracy", ["1 of 1,000 values"]),
    ({"target": np.full(1_000, np.nan)}, "log_loss", ["the targets have 1,000"]),
    ({"target": np.array(["yes", "no"] * 500)}, "auc", ["the targets are texts, where auc takes numbers"]),
    ({"target": np.array(["yes", "no"] * 500)}, "accuracy", ["text labels"]),
    ({"candidate": np.array(["yes", None] * 500)}, "squared_error", ["the predictions are texts"]),
    ({"candidate": np.arange(1_000)}, "f1", ["the predictions have other values than 0 and 1, which f1 takes"]),
    ({"target": np.zeros(1_000)}, "recall", ["divides by zero"]),
    ({"candidate": np.zeros(1_000)}, "precision", ["divides by zero"]),
    ({"target": np.repeat([0, 1], [999, 1])}, "recall", ["recall has no value in", "too few positives"]),
    ({"target": np.arange(1_000)}, "auc", ["other values than 0 and 1"]),
    ({"target": np.ones(1_000)}, "auc", ["all of one class"]),
    ({"candidate": np.linspace(-1, 3, 1_000)}, "log_loss", ["between -1 and 3", "takes probabilities"]),
    ({"candidate": np.full((1_000, 3), 0.3)}, "brier", ["(1000, 3)", "one value for each row"]),
    ({"candidate": np.full(999, 0.5)}, "accuracy", ["1,000 targets and 999 predictions of the candidate"]),
    ({"champion": np.full(7, 0.5)}, "accuracy", ["7 predictions of the champion"]),
    ({"champion": None}, "accuracy", ["no predictions of the champion"]),
    ({"candidate": np.full(1_000, 1e200)}, "squared_error", ["too large for a float"]),
    ({"candidate": np.full(1_000, 1j)}, "squared_error", ["of the type complex128"]),
    ({"target": np.float64(1)}, "accuracy", ["the shape ()"]),
    ({"target": [], "candidate": [], "champion": []}, "accuracy", ["has 0 rows"]),
]


@pytest.mark.parametrize("metric", BETTER)
def test_a_clearly_better_candidate_passes_each_metric(metric: str) -> None:
    """Whatever direction a metric has, better is better: the difference is oriented, and the report says how."""
    assert set(BETTER) == set(METRICS)
    found = on(rows(), "bootstrap", metric=metric, at_least=0)
    assert found.passed, found.reason
    assert "greater is better" in found.reason
    low, high = found.values["interval"]
    assert 0 < low <= found.values["difference"] <= high
    assert found.values["oriented"] == ("candidate - champion of " if metric in GREATER else "champion - candidate of ") + metric
    holdout = rows()
    assert holdout.champion is not None
    worse = on(replace(holdout, candidate=holdout.champion, champion=holdout.candidate), "bootstrap", metric=metric, at_least=0)
    assert not worse.passed
    assert worse.values["interval"] == pytest.approx([-high, -low], rel=0.1)


@pytest.mark.parametrize("metric", BETTER)
def test_the_same_predictions_are_not_worse_and_never_better(metric: str) -> None:
    """A candidate that predicts what the champion predicts passes with a margin, and never as the better one."""
    holdout = rows(300)
    same = replace(holdout, champion=holdout.candidate)
    assert on(same, "bootstrap", metric=metric, at_least=-0.001, resamples=1_000).passed
    for least in (0, 1e-9):
        assert not on(same, "bootstrap", metric=metric, at_least=least, resamples=1_000).passed


def test_metrics_are_what_they_are_called() -> None:
    """Each metric of rows is the number that its definition gives."""
    target, found = np.array([1, 0, 1, 0]), np.array([0.9, 0.2, 0.4, 0.5])
    told = {name: metric.value(target, found) for name, metric in METRICS.items()}
    assert told == pytest.approx(
        {
            "accuracy": 0.5,
            "balanced_accuracy": 0.5,
            "precision": 0.5,
            "recall": 0.5,
            "f1": 0.5,
            "auc": 0.75,
            "log_loss": float(-np.log([0.9, 0.8, 0.4, 0.5]).mean()),
            "brier": 0.165,
            "squared_error": 0.165,
            "absolute_error": 0.35,
        }
    )
    target, found = np.array([1, 1, 1, 1, 0, 0, 0]), np.array([1, 1, 1, 0, 1, 0, 0])
    told = {name: METRICS[name].value(target, found) for name in ("precision", "recall", "f1", "balanced_accuracy")}
    assert told == pytest.approx({"precision": 3 / 4, "recall": 3 / 4, "f1": 3 / 4, "balanced_accuracy": (3 / 4 + 2 / 3) / 2})
    target, found = np.array([1, 1, 0, 0, 0]), np.array([1, 1, 1, 1, 0])
    told = {name: METRICS[name].value(target, found) for name in ("precision", "recall", "f1", "balanced_accuracy")}
    assert told == pytest.approx({"precision": 1 / 2, "recall": 1, "f1": 2 / 3, "balanced_accuracy": (1 + 1 / 3) / 2})
    assert METRICS["accuracy"].value(np.array(["a", "b"]), np.array(["a", "c"])) == 0.5


@pytest.mark.parametrize(("changed", "metric", "words"), BROKEN)
def test_rows_that_cannot_be_judged_do_not_pass(changed: dict[str, Any], metric: str, words: list[str]) -> None:
    """Whatever is wrong with the rows, the verdict is no, with what it is, and nothing is raised."""
    for gate, options in (("bootstrap", {"at_least": -100}), ("slices", {"by": "region", "at_least": -100, "min_rows": 1})):
        found = on(rows(**changed), gate, metric=metric, **options)
        assert not found.passed
        if gate == "bootstrap":
            assert [word for word in words if word not in found.reason] == []


def test_a_holdout_that_is_not_there_or_too_small_does_not_pass() -> None:
    """Without a holdout, and with fewer rows than the least, nothing passes."""
    for gate, options in (("bootstrap", {}), ("slices", {"by": "region"}), ("threshold", {"at_most": 2})):
        found = on(None, gate, metric="accuracy", **options)
        assert (found.passed, "has no holdout" in found.reason) == (False, True)
    for gate, options in (("bootstrap", {}), ("threshold", {"at_most": 2})):
        found = on(rows(40), gate, metric="accuracy", **options)
        assert (found.passed, "has 40 rows, where" in found.reason) == (False, True)


def test_threshold_holds_the_candidate_alone() -> None:
    """A threshold needs no champion, and goes either way."""
    alone = Evidence(CANDIDATE, None, rows(champion=None))
    found = verdict({"gate": "threshold", "metric": "auc", "at_least": 0.8}, alone)
    assert (found.passed, found.values["rows"]) == (True, 1_000)
    assert "auc is 0.9" in found.reason
    assert not verdict({"gate": "threshold", "metric": "log_loss", "at_most": 0.01}, alone).passed
    assert not verdict({"gate": "threshold", "metric": "auc", "at_least": 0.5, "at_most": 0.6}, alone).passed


def test_each_slice_must_hold() -> None:
    """A candidate that is better in all, and worse in one region, is found there."""
    holdout = rows(2_000)
    assert holdout.champion is not None
    south = holdout.columns["region"] == "south"
    assert on(holdout, "slices", metric="accuracy", by="region").passed
    worse = replace(holdout, candidate=np.where(south, 0.5, holdout.candidate), champion=np.where(south, holdout.target, holdout.champion))
    found = on(worse, "slices", metric="accuracy", by="region", at_least=-0.01)
    assert not found.passed
    assert "1 of 2 slices by 'region'" in found.reason
    assert "south" in found.reason
    assert [found.values["slices"][name]["passed"] for name in ("north", "south")] == [True, False]


def test_small_slices_are_named_and_never_pass_silently() -> None:
    """Slices below the least are told; where no slice is large enough, nothing passes."""
    region = np.array(["north"] * 985 + ["south"] * 10 + [None] * 5, dtype=object)
    holdout = rows(columns={"region": region})
    found = on(holdout, "slices", metric="accuracy", by="region", min_rows=50)
    assert found.passed
    assert "not judged, with fewer than 50 rows: (missing) (5), south (10)" in found.reason
    assert found.values["too_small"] == {"(missing)": 5, "south": 10}
    found = on(holdout, "slices", metric="accuracy", by="region", min_rows=5_000)
    assert (found.passed, "no slice by 'region' has 5,000 rows" in found.reason) == (False, True)


def test_a_slice_that_cannot_be_measured_does_not_pass() -> None:
    """A slice of one class has no area under the curve, and that is told."""
    holdout = rows(target=np.repeat([0, 1, 1], [250, 250, 500]), columns={"half": np.repeat(["a", "b"], 500)})
    found = on(holdout, "slices", metric="auc", by="half", at_least=-1)
    assert not found.passed
    assert "b (500 rows) cannot be judged: the targets are all of one class" in found.reason


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"regio": ["a"] * 1_000}, "has no column 'region' to slice by; near are: 'regio'"),
        ({"region": ["a"] * 999}, "has 999 rows, and the holdout 1,000"),
        ({"region": np.zeros((1_000, 2))}, "the shape (1000, 2)"),
    ],
)
def test_a_column_that_does_not_fit_is_told(columns: dict[str, Any], words: str) -> None:
    """A column to slice by that is missing or of other rows does not pass."""
    found = on(rows(columns=columns), "slices", metric="accuracy", by="region")
    assert (found.passed, words in found.reason) == (False, True), found.reason


def test_a_column_of_very_many_values_is_no_slicing() -> None:
    """A column where each row has its own value is refused by name."""
    found = on(rows(3_000), "slices", metric="accuracy", by="age", min_rows=1)
    assert (found.passed, "more than 1,000 values" in found.reason) == (False, True)


def test_seed_resamples_and_confidence_are_told_and_used() -> None:
    """Another seed gives another interval, more confidence a wider one; what is not asked for is in the values all the same."""
    holdout = rows(500)
    one, again, other, wide = (
        on(holdout, "bootstrap", metric="brier", **options).values
        for options in ({}, {}, {"seed": 1}, {"confidence": 0.99, "resamples": 20_000})
    )
    assert one == again
    assert one["interval"] != other["interval"]
    assert wide["interval"][0] < one["interval"][0] < one["interval"][1] < wide["interval"][1]
    assert (one["seed"], one["resamples"], one["confidence"], one["rows"]) == (0, 10_000, 0.95, 500)


def test_a_champion_that_is_not_there_needs_a_word() -> None:
    """A first version passes a comparing function only where the gate says so."""
    alone = Evidence(CANDIDATE, None, rows(champion=None))
    for spec in ({"gate": "bootstrap", "metric": "auc"}, {"gate": "slices", "metric": "auc", "by": "region"}, {"gate": "signature"}):
        assert not verdict(spec, alone).passed
        assert verdict({**spec, "without_champion": "skip"}, alone).values["skipped"]
    assert verdict({"gate": "threshold", "metric": "auc", "at_least": 0.5}, evidence(holdout=rows())).passed
