"""Gates as mappings: what is refused when they are read, and gates that other packages bring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefect_ledger.errors import InvalidFilter, InvalidValue
from prefect_ledger.gates import Evidence, parse_gate
from tests.pure.gates.cases import CANDIDATE, evidence, rows, verdict

REFUSED: list[tuple[Any, str]] = [
    (3, "an expression or a mapping"),
    ({}, "a text under 'gate' or 'expression'"),
    ({"gate": 3}, "a text under 'gate' or 'expression'"),
    ({"gate": "size", "expression": "size > 1"}, "a text under 'gate' or 'expression'"),
    ({"gate": "bootstap", "metric": "auc"}, "there is no gate 'bootstap'; near are: 'bootstrap'"),
    ({"gate": "bootstrap"}, "needs 'metric': a text"),
    ({"gate": "bootstrap", "metric": "acc"}, "no metric 'acc' of rows; near are: 'auc', 'accuracy'"),
    ({"gate": "bootstrap", "metric": "auc", "at_lest": 0}, "no option 'at_lest'; near are: 'at_least'"),
    ({"gate": "bootstrap", "metric": "auc", "at_least": "0"}, "'at_least' is a number, not '0'"),
    ({"gate": "bootstrap", "metric": "auc", "at_least": float("nan")}, "'at_least' is a number, not 'NaN'"),
    ({"gate": "bootstrap", "metric": "auc", "at_least": True}, "'at_least' is a number, not True"),
    ({"gate": "bootstrap", "metric": "auc", "confidence": 1}, "from 0.5 to 0.9999, not 1"),
    ({"gate": "bootstrap", "metric": "auc", "resamples": 10}, "from 1,000 to 1,000,000, not 10"),
    ({"gate": "bootstrap", "metric": "auc", "seed": -1}, "'seed' is a whole number"),
    ({"gate": "slices", "metric": "auc"}, "needs 'by'"),
    ({"gate": "slices", "metric": "auc", "by": ["region"]}, "'by' is a text"),
    ({"gate": "threshold", "metric": "auc"}, "needs 'at_least' or 'at_most'"),
    ({"gate": "latency"}, "needs 'at_most' or 'times'"),
    ({"gate": "size", "at_most": -1}, "of at least 0, not -1"),
    ({"gate": "signature", "strict": True}, "no option 'strict'"),
    ({"gate": "drift", "method": "js"}, "one of psi, ks, not 'js'"),
    ({"gate": "drift", "columns": "age"}, "'columns' is a list of names"),
    ({"gate": "metrics.a > 1", "without_champion": "yes"}, "one of fail, pass, skip, not 'yes'"),
    ({"gate": "metrics.a > 1", "seed": 1}, "no option 'seed'"),
    ({"gate": "size", "at_most": 1, "name": ""}, "'name' is a text"),
    ({"gate": "size", "at_most": object()}, "which JSON has not"),
]

MODULE = """
def passes(evidence, options): return True, f"all is well with {evidence.candidate.name}, {options['most']}", {"most": options["most"]}
def refuses(evidence, options): return False, "the moon is full"
def raises(evidence, options): raise RuntimeError("no moon")
def leaves(evidence, options): raise SystemExit(0)
def bare(evidence, options): return True
def one(evidence, options): return 1, "well"
def silent(evidence, options): return True, " "
def strange(evidence, options): return True, "well", {"f": object()}
def nothing(evidence, options): pass
def writes(evidence, options):
    evidence.candidate.metrics["auc"] = 1.0
    evidence.holdout.candidate[:] = 1
    return True, "well"
def changes(evidence, options):
    evidence.candidate.metrics["auc"] = 1.0
    return True, "well"
passes.needs_rows = True
"""
NAMES = ("passes", "refuses", "raises", "leaves", "bare", "one", "silent", "strange", "nothing", "writes", "changes")


@pytest.fixture
def moon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that brings gates, as pip would install it."""
    (tmp_path / "moon_gates.py").write_text(MODULE)
    info = tmp_path / "moon_gates-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: moon-gates\nVersion: 1.0\n")
    lines = [f"moon-{name} = moon_gates:{name}" for name in (*NAMES, "gone")]
    (info / "entry_points.txt").write_text("\n".join(["[prefect_ledger.gates]", *lines, ""]))
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize(("spec", "words"), REFUSED)
def test_a_mapping_that_is_no_gate_is_refused_by_name(spec: Any, words: str) -> None:
    """What is unknown, missing or of another type raises when the gate is read, long before a promotion."""
    with pytest.raises(InvalidValue) as caught:
        parse_gate(spec)
    assert words in str(caught.value)


def test_an_expression_in_a_mapping_is_refused_at_its_place() -> None:
    """The place of what is wrong is that in the expression's own text."""
    with pytest.raises(InvalidFilter) as caught:
        parse_gate({"gate": "metrics.a > 'b'"})
    assert (caught.value.position, caught.value.text) == (12, "metrics.a > 'b'")


def test_a_verdict_has_the_gate_as_it_was_written() -> None:
    """The report has a text as it is and a mapping as its JSON, with its keys in order, and the name that was given."""
    found = verdict({"name": "small", "gate": "size", "at_most": 500})
    assert (found.gate, found.name) == ('{"at_most": 500, "gate": "size", "name": "small"}', "small")
    assert verdict(" size > 1 ").gate == " size > 1 "


@pytest.mark.usefixtures("moon")
def test_another_packages_gate_judges() -> None:
    """A function behind an entry point gets the evidence and its options, and its answer is the verdict."""
    found = verdict({"gate": "moon-passes", "most": 3})
    assert (found.passed, found.reason, found.values) == (True, "all is well with churn, 3", {"most": 3})
    found = verdict({"gate": "moon-refuses"})
    assert (found.passed, found.reason) == (False, "the moon is full")
    with pytest.raises(InvalidValue, match="near are: 'moon-raises'"):
        parse_gate({"gate": "moon-raise"})


@pytest.mark.usefixtures("moon")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", "raised RuntimeError: no moon"),
        ("leaves", "raised SystemExit: 0"),
        ("passes", "raised KeyError"),
        ("bare", "answered with the bool True"),
        ("one", "says the int 1 for passed"),
        ("silent", "gives no reason"),
        ("strange", "gives values that cannot be kept"),
        ("nothing", "answered with a NoneType"),
        ("writes", "read-only"),
        ("gone", "cannot be loaded"),
    ],
)
def test_another_packages_gate_never_passes_by_accident(name: str, words: str) -> None:
    """A function that raises, ends the process or answers nonsense did not let anything pass; the report says what it did."""
    found = verdict({"gate": f"moon-{name}"}, evidence(holdout=rows(10)))
    assert not found.passed
    assert words in found.reason
    assert f"moon-{name}" in found.reason


@pytest.mark.usefixtures("moon")
def test_another_packages_gate_cannot_change_the_evidence() -> None:
    """What a function writes into its evidence no other gate sees."""
    of = evidence()
    assert verdict({"gate": "moon-changes"}, of).passed
    assert of.candidate.metrics["auc"] == 0.908


@pytest.mark.usefixtures("moon")
def test_another_packages_gate_may_need_a_champion() -> None:
    """With the option, a function is not asked where there is no champion."""
    alone = Evidence(CANDIDATE, None)
    assert verdict({"gate": "moon-passes", "most": 1}, alone).passed
    assert verdict({"gate": "moon-raises", "without_champion": "skip"}, alone).values["skipped"]
    assert not verdict({"gate": "moon-passes", "most": 1, "without_champion": "fail"}, alone).passed


def test_a_gate_that_is_gone_when_it_judges_does_not_pass(moon: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that was there when the gate was read, and is not where it judges, did not let anything pass."""
    gate = parse_gate({"gate": "moon-passes", "most": 3})
    monkeypatch.setattr("sys.path", [one for one in __import__("sys").path if not (Path(one) / "moon_gates.py").exists()])
    found = gate.check(evidence())
    assert (found.passed, found.reason) == (False, "the gate 'moon-passes' is not installed here")


@pytest.mark.usefixtures("moon")
@pytest.mark.parametrize(
    ("spec", "wants"),
    [
        *(
            (one, True)
            for one in ({"gate": "bootstrap", "metric": "auc", "at_least": 0}, {"gate": "threshold", "metric": "auc", "at_least": 0})
        ),
        *((one, True) for one in ({"gate": "slices", "metric": "auc", "by": "a", "at_least": 0}, {"gate": "drift"})),
        *((one, True) for one in ({"gate": "latency", "at_most": 1}, {"gate": "moon-passes", "most": 1})),
        *((one, False) for one in ("metrics.auc > 0", {"gate": "size > 1"}, {"gate": "size", "at_most": 1}, {"gate": "signature"})),
        *(({"gate": f"moon-{name}"}, False) for name in ("refuses", "gone")),
    ],
)
def test_a_gate_says_itself_whether_it_wants_rows(spec: Any, wants: bool) -> None:
    """What judges rows, or what is measured with them, says so; another package's function by an attribute, and not by what it raises."""
    assert parse_gate(spec).needs_rows() is wants
