"""Gates on the models themselves: latency, size, signature; and drift of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from prefect_ledger.gates import Evidence
from prefect_ledger.models.schema import Signature
from tests.pure.gates.cases import CANDIDATE, evidence, on, rows, verdict

FAST, SLOW = tuple(0.01 + i / 1e5 for i in range(200)), tuple(0.02 + i / 1e5 for i in range(200))


def columns(*fields: tuple[str, str, bool], outputs: Any = ({"type": "double", "required": True},), params: Any = None) -> dict[str, Any]:
    """A signature of named columns."""
    inputs = [{"type": kind, "name": name, "required": needed} for name, kind, needed in fields]
    return {"inputs": inputs, "outputs": outputs and list(outputs), "params": params}


def tensor(dtype: str, *shape: int) -> dict[str, Any]:
    """A signature of one tensor."""
    return {"inputs": [{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}}]}


def param(kind: str, default: Any, name: str = "alpha") -> list[dict[str, Any]]:
    """A parameter, as a signature has it."""
    return [{"name": name, "type": kind, "default": default, "shape": None}]


AGE = ("age", "integer", True)
COMPATIBLE = [
    (columns(AGE), columns(AGE)),
    (columns(AGE), columns(("age", "long", True))),
    (columns(AGE), columns(("age", "double", False))),
    (columns(("age", "float", True)), columns(("age", "double", True))),
    (columns(AGE, ("city", "string", True)), columns(AGE)),
    (columns(AGE), columns(AGE, ("city", "string", False))),
    (columns(("any", "string", True)), columns(("any", "any", True))),
    (columns(AGE, outputs=None), columns(AGE)),
    (columns(AGE, params=param("integer", 1)), columns(AGE, params=[*param("long", 2), *param("string", "x", "mode")])),
    (tensor("float32", -1, 13), tensor("float64", -1, 13)),
    (tensor("float32", 8, 13), tensor("float32", -1, 13)),
    (columns(AGE), {"inputs": None, "outputs": columns(AGE)["outputs"]}),
]
INCOMPATIBLE = [
    (columns(("age", "long", True)), columns(AGE), "'age' was long and is integer, which does not hold every long"),
    (columns(("age", "long", True)), columns(("age", "double", True)), "does not hold every long"),
    (columns(AGE), columns(("age", "float", True)), "does not hold every integer"),
    (columns(AGE), columns(("age", "string", True)), "was integer and is string"),
    (columns(AGE), columns(AGE, ("city", "string", True)), "'city' is new and required"),
    (columns(("age", "integer", False)), columns(AGE), "was optional and is required"),
    (columns(AGE), columns(AGE, outputs=({"type": "long", "required": True},)), "the outputs were (double) and are (long)"),
    (columns(AGE), columns(AGE, outputs=None), "are (not said)"),
    (columns(AGE, params=param("double", 1.0)), columns(AGE), "the parameter 'alpha' is not known any more"),
    (columns(AGE, params=param("double", 1.0)), columns(AGE, params=param("integer", 1)), "'alpha' was double and is integer"),
    (tensor("float64", -1, 13), tensor("float32", -1, 13), "was float64 and is float32"),
    (tensor("float32", -1, 13), tensor("float32", 8, 13), "had the shape (-1, 13) and has (8, 13)"),
    (tensor("float32", -1, 13), columns(AGE), "were tensors and are columns"),
    ({"inputs": None}, columns(AGE), "accepts any input"),
]


@pytest.mark.parametrize(("old", "new"), COMPATIBLE)
def test_what_accepts_all_that_was_accepted_passes(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Wider types, fewer columns, new optional ones and new parameters leave every caller as it was."""
    found = verdict({"gate": "signature"}, evidence(champion={"signature": old}, candidate={"signature": new}))
    assert found.passed, found.reason


@pytest.mark.parametrize(("old", "new", "words"), INCOMPATIBLE)
def test_what_a_caller_would_notice_does_not_pass(old: dict[str, Any], new: dict[str, Any], words: str) -> None:
    """Narrower types, new duties and other outputs are told by name."""
    found = verdict({"gate": "signature"}, evidence(champion={"signature": old}, candidate={"signature": new}))
    assert not found.passed
    assert words in found.reason


def test_signatures_are_read_as_mlmodel_files_have_them() -> None:
    """Texts of JSON read as well; no signature, and what is none, do not pass."""
    texts = Signature.from_dict(columns(AGE)).to_mlmodel()
    assert verdict({"gate": "signature"}, evidence(champion={"signature": texts}, candidate={"signature": columns(AGE)})).passed
    for broken, words in ((None, "the candidate has no signature"), ({"inputs": "{"}, "does not read"), ({"inputs": [3]}, "does not read")):
        found = verdict({"gate": "signature"}, evidence(champion={"signature": texts}, candidate={"signature": broken}))
        assert (found.passed, words in found.reason) == (False, True), found.reason


def test_nested_types_widen_within() -> None:
    """Objects, arrays and maps are wider where their parts are; keys that an object does not know are refused by it."""

    def thing(kind: str, *more: str) -> dict[str, Any]:
        parts = {"ids": {"type": "array", "items": {"type": kind}, "required": True}}
        extra = {name: {"type": "string", "required": False} for name in more}
        return {"inputs": [{"name": "thing", "type": "object", "properties": {**parts, **extra}, "required": True}]}

    def passed(old: dict[str, Any], new: dict[str, Any]) -> bool:
        return verdict({"gate": "signature"}, evidence(champion={"signature": old}, candidate={"signature": new})).passed

    assert passed(thing("integer"), thing("long"))
    assert passed(thing("integer"), thing("integer", "note"))
    assert not passed(thing("integer", "note"), thing("integer"))
    assert not passed(thing("long"), thing("integer"))


def test_latency_is_a_quantile_of_what_was_measured() -> None:
    """The quantile is an observed call, held against seconds or the champion's; too few calls are told."""
    both = evidence(candidate={"latency": FAST}, champion={"latency": SLOW})
    found = verdict({"gate": "latency", "quantile": 0.5, "at_most": 0.05}, both)
    assert (found.passed, found.values["value"] in FAST) == (True, True)
    assert not verdict({"gate": "latency", "at_most": 0.001}, both).passed
    assert verdict({"gate": "latency", "times": 1.2}, both).passed
    slower = evidence(candidate={"latency": SLOW}, champion={"latency": FAST})
    found = verdict({"gate": "latency", "times": 1.2, "at_most": 1}, slower)
    assert not found.passed
    assert "1.2 times the champion's" in found.reason


@pytest.mark.parametrize(
    ("latency", "words"),
    [
        ((), "0 latencies of the candidate were measured, where 100 are the least"),
        (FAST[:99], "99 latencies"),
        ((*FAST, float("nan")), "not all finite"),
        ((*FAST, -1.0), "not all finite"),
    ],
)
def test_latencies_that_say_nothing_do_not_pass(latency: tuple[float, ...], words: str) -> None:
    """For the 99th of a hundred a hundred calls are needed, each a finite number of seconds."""
    found = verdict({"gate": "latency", "at_most": 100}, evidence(candidate={"latency": latency}))
    assert (found.passed, words in found.reason) == (False, True), found.reason


def test_size_is_held_against_bytes_or_the_champion() -> None:
    """A size passes below its limit; one that nobody recorded does not."""
    assert verdict({"gate": "size", "at_most": 120}).passed
    assert verdict({"gate": "size", "times": 1.2}).passed
    assert not verdict({"gate": "size", "times": 1.1}).passed
    assert not verdict({"gate": "size", "times": 2, "at_most": 110}).passed
    assert "the champion is not on record" in verdict({"gate": "size", "times": 2}, evidence(champion={"size": None})).reason
    assert verdict({"gate": "size", "at_most": 500}, Evidence(CANDIDATE, None)).passed
    assert not verdict({"gate": "size", "times": 2}, Evidence(CANDIDATE, None)).passed


@pytest.mark.parametrize("method", ["psi", "ks"])
def test_drift_is_found_and_not_found(method: str) -> None:
    """The same distribution passes, a shifted one does not and is named."""
    assert on(rows(), "drift", method=method, at_most=0.1).passed
    moved = on(rows(columns={"age": np.random.default_rng(9).normal(1.5, 1, 1_000)}), "drift", method=method, at_most=0.1)
    assert not moved.passed
    assert "1 of 1 columns drifted" in moved.reason
    assert "age" in moved.reason


def test_psi_and_ks_are_what_they_are_called() -> None:
    """Both statistics are the numbers that their definitions give."""
    before, now = ["a"] * 600 + ["b"] * 400, ["a"] * 300 + ["b"] * 300
    found = on(rows(columns={"c": now}, reference={"c": before}), "drift", columns=["c"])
    assert found.values["columns"]["c"] == pytest.approx(0.1 * np.log(0.6 / 0.5) + 0.1 * np.log(0.5 / 0.4), rel=0.01)
    found = on(rows(columns={"c": [1, 2, 3, 4]}, reference={"c": [3, 4, 5, 6]}), "drift", method="ks", min_rows=4)
    assert found.values["columns"]["c"] == 0.5


def test_what_is_missing_or_new_is_drift_too() -> None:
    """A column that lost half its values, or has a value that training never saw, drifted by psi."""
    draw = np.random.default_rng(3)
    ages = draw.normal(size=1_000)
    lost = on(rows(columns={"c": np.where(draw.random(1_000) < 0.5, np.nan, ages)}, reference={"c": ages}), "drift")
    assert not lost.passed
    new = on(rows(columns={"c": ["a", "z"] * 500}, reference={"c": ["a"] * 1_000}), "drift")
    assert not new.passed
    assert np.isfinite(new.values["columns"]["c"])


@pytest.mark.parametrize(
    ("columns", "reference", "options", "words"),
    [
        ({}, {"c": [1.0] * 300}, {}, "the holdout has no column 'c'"),
        ({"c": [1.0] * 300}, {}, {}, "no columns of the training data"),
        ({"c": [1.0] * 300}, {"d": [1.0] * 300}, {"columns": ["c"]}, "the training data has no column 'c'"),
        ({"c": [1.0] * 30}, {"c": [1.0] * 300}, {}, "the holdout has 30 rows of 'c', where 200 are the least"),
        ({"c": ["a"] * 300}, {"c": [1.0] * 300}, {}, "no texts in the other"),
        ({"c": ["a"] * 300}, {"c": ["a"] * 300}, {"method": "ks"}, "texts, where numbers are wanted"),
        ({"c": [1.0] * 300}, {"c": [1.0, None] * 150}, {"method": "ks"}, "150 missing values in the training data"),
        ({"c": np.ones((300, 2))}, {"c": [1.0] * 300}, {}, "(300, 2)"),
    ],
)
def test_columns_that_cannot_be_compared_do_not_pass(columns: Any, reference: Any, options: dict[str, Any], words: str) -> None:
    """Columns that are missing, too short or of another kind are told by name."""
    found = on(rows(columns=columns, reference=reference), "drift", **options)
    assert (found.passed, words in found.reason) == (False, True), found.reason


def test_times_drift_as_numbers_do() -> None:
    """A column of times is compared whatever its unit, with missing ones as a bin."""
    before = np.datetime64("2026-01-01", "s") + np.arange(1_000) * np.timedelta64(3_600, "s")
    assert on(rows(columns={"c": before.astype("datetime64[ns]")}, reference={"c": before}), "drift", at_most=0.001).passed
    later = before + np.timedelta64(60, "D")
    assert not on(rows(columns={"c": later}, reference={"c": before}), "drift").passed
