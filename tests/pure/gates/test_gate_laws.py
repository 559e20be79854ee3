"""Laws of judging: what holds for every evidence."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from prefect_ledger.errors import InvalidFilter, InvalidValue
from prefect_ledger.gates import Evidence, Holdout, Report, Side, Verdict, evidence_of, judge, parse_gate

FLOATS = st.floats() | st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 0.5])
KEYS = st.text(min_size=1, max_size=8).filter(lambda key: not any("\ud800" <= c <= "\udfff" for c in key))
TEXTS = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
SHORT = st.text(max_size=3).filter(lambda text: not text.endswith("\0"))  # numpy's own texts end before zeros
SIDES = st.builds(
    Side,
    name=TEXTS,
    version=st.integers(0, 2**40),
    digest=TEXTS,
    metrics=st.dictionaries(KEYS | st.sampled_from(["auc", "loss"]), FLOATS, max_size=4),
    params=st.dictionaries(KEYS, TEXTS, max_size=3),
    tags=st.dictionaries(KEYS, TEXTS, max_size=3),
    size=st.none() | st.integers(0, 2**50),
    signature=st.none() | st.dictionaries(st.sampled_from(["inputs", "outputs", "params"]), JSON, max_size=3),
    latency=st.lists(FLOATS, max_size=5).map(tuple),
)
COLUMN = st.one_of(
    arrays.arrays(st.sampled_from([np.float64, np.float32, np.int64, np.int8, np.bool_]), st.integers(0, 6)),
    arrays.arrays("datetime64[us]", st.integers(0, 6)),
    arrays.arrays("U3", st.tuples(st.integers(0, 3), st.integers(0, 3)), elements=SHORT),
    arrays.arrays(np.float64, st.tuples(st.integers(0, 3), st.integers(0, 3))),
    st.lists(TEXTS | st.none(), max_size=6).map(lambda values: np.array(values, dtype=object)),
    st.lists(st.sampled_from([0, 1]), max_size=300).map(np.array),
)
HOLDOUTS = st.builds(
    Holdout,
    name=TEXTS,
    digest=TEXTS,
    columns=st.dictionaries(KEYS | st.just("region"), COLUMN, max_size=3),
    target=COLUMN,
    candidate=COLUMN,
    champion=st.none() | COLUMN,
    reference=st.dictionaries(KEYS, COLUMN, max_size=2),
)
EVIDENCE = st.builds(Evidence, SIDES, st.none() | SIDES, st.none() | HOLDOUTS, st.dictionaries(TEXTS, JSON, max_size=3))
GATES = [
    parse_gate(spec)
    for spec in (
        "metrics.auc >= champion.metrics.auc - 0.002",
        "not metrics.loss > 1 and size < champion.size * 2",
        {"gate": "bootstrap", "metric": "accuracy", "resamples": 1_000, "min_rows": 2, "at_least": -0.5},
        {"gate": "bootstrap", "metric": "auc", "resamples": 1_000, "min_rows": 2, "without_champion": "pass"},
        {"gate": "bootstrap", "metric": "f1", "resamples": 1_000, "min_rows": 2},
        {"gate": "threshold", "metric": "brier", "at_most": 0.5, "min_rows": 1},
        {"gate": "slices", "metric": "absolute_error", "by": "region", "min_rows": 1},
        {"gate": "latency", "quantile": 0.5, "at_most": 1, "times": 2},
        {"gate": "size", "times": 2},
        {"gate": "signature"},
        {"gate": "drift", "min_rows": 1},
        {"gate": "drift", "min_rows": 1, "method": "ks"},
    )
]


@settings(max_examples=150, deadline=None)
@given(EVIDENCE)
def test_the_same_evidence_gives_the_same_report(evidence: Evidence) -> None:
    """Judging raises for no evidence, and again, also of evidence that was stored, the report is the same to the last byte."""
    report = judge(GATES, evidence)
    assert judge(GATES, evidence).to_text() == report.to_text()
    assert judge(GATES, evidence_of(evidence.to_json(), evidence.arrays())).to_text() == report.to_text()
    assert all("could not be judged:" not in one.reason for one in report.verdicts), report.to_markdown()
    assert report.to_markdown()


@settings(max_examples=150, deadline=None)
@given(EVIDENCE)
def test_evidence_survives_its_file(evidence: Evidence) -> None:
    """Through JSON text and a file of arrays without pickles, evidence comes back the same to the last bit."""
    text, file = json.dumps(evidence.to_json(), allow_nan=False), io.BytesIO()
    np.savez(file, **evidence.arrays())  # type: ignore[arg-type]
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        again = evidence_of(json.loads(text), dict(stored))
    assert again.to_json() == evidence.to_json()
    assert again.holdout == evidence.holdout
    assert json.dumps(again.to_json()) == text


@settings(max_examples=100, deadline=None)
@given(EVIDENCE)
def test_a_report_survives_its_json(evidence: Evidence) -> None:
    """Through JSON text a report comes back as the same one."""
    report = judge(GATES, evidence)
    assert Report.from_json(json.loads(report.to_text())) == report


@settings(max_examples=60, deadline=None)
@given(SIDES, arrays.arrays(np.float64, st.integers(2, 80), elements=st.floats(0, 1)), st.integers(0, 5))
def test_a_candidate_like_the_champion_is_never_better(side: Side, found: Any, seed: int) -> None:
    """Of the same model none is strictly better, by any metric, and whatever the rows are."""
    target = (np.arange(len(found)) % 3 == 0).astype(int)
    evidence = Evidence(side, side, Holdout("h", "d", {}, target, found, found))
    gates = [parse_gate(f"metrics.`{key}` > champion.metrics.`{key}`") for key in side.metrics if "`" not in key and "\0" not in key]
    for metric in ("accuracy", "f1", "auc", "log_loss", "squared_error"):
        gates.append(parse_gate({"gate": "bootstrap", "metric": metric, "min_rows": 2, "resamples": 1_000, "seed": seed}))
    assert not any(one.passed for one in judge(gates, evidence).verdicts)


@settings(max_examples=60, deadline=None)
@given(EVIDENCE, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), st.booleans(), FLOATS.filter(math.isfinite))
def test_a_gate_on_what_is_missing_never_passes(evidence: Evidence, op: str, negated: bool, number: float) -> None:
    """No comparison of a metric that is not there, or that is not a number, passes, also turned around by `not`."""
    lacking = {key: value for key, value in evidence.candidate.metrics.items() if key != "x"}
    text = f"{'not ' if negated else ''}metrics.x {op} {number!r}"
    for metrics in (lacking, {**lacking, "x": math.nan}):
        found = judge([parse_gate(text)], replace(evidence, candidate=replace(evidence.candidate, metrics=metrics)))
        assert not found.passed
        assert "x" in found.verdicts[0].reason


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            "metrics.a champion.metrics.b params.c tags.d size ( ) + - * / 1 0.5 -2 'x' < >= = and or not in , is null".split()
        ),
        max_size=12,
    )
)
def test_any_words_are_a_gate_or_refused(words: list[str]) -> None:
    """Whatever words stand in a text, it is a gate that judges without raising, or it is refused with a place."""
    text = " ".join(words)
    side = Side("m", 1, "d", {"a": 1.0, "b": 0.5}, {"c": "3"}, {"d": "x"}, size=7)
    try:
        gate = parse_gate(text)
    except InvalidFilter as error:
        place = error.position
    else:
        [found] = judge([gate], Evidence(side, side)).verdicts
        assert "could not be judged" not in found.reason
        place = 0
    assert 0 <= place <= len(text)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: Side("m", 1, "d", {"auc": "high"}), "the metric 'auc' is a number"),  # type: ignore[dict-item]
        (lambda: Side("m", -1, "d"), "a version has a name"),
        (lambda: Side("m", 1, "d", size=-1), "a size is a whole number"),
        (lambda: Side("m", 1, "d", params={"a": 1}), "the param 'a' is a text"),  # type: ignore[dict-item]
        (lambda: Side("m", 1, "d", signature=[]), "a signature is a mapping"),  # type: ignore[arg-type]
        (lambda: Evidence(Side("m", 1, "d"), None, facts={"f": object()}), "which JSON has not"),
        (lambda: Verdict("g", "n", 1, "r"), "a verdict is True or False"),  # type: ignore[arg-type]
        (lambda: Verdict("g", "n", passed=True, reason=""), "has texts for its gate, name and reason"),
        (lambda: evidence_of({"candidate": 3}), "a version is a JSON object"),
        (lambda: evidence_of({"strange": 3}), "evidence is a JSON object"),
        (lambda: evidence_of({"candidate": {"name": "m"}}), "a version lacks version, digest"),
        (lambda: Side("m", 1, "d", metrics=[0.9]), r"metrics are a mapping of names to values, not \[0.9\]"),  # type: ignore[arg-type]
        (lambda: Side("m", 1, "d", params="a=1"), "params are a mapping of names to values, not 'a=1'"),  # type: ignore[arg-type]
        (lambda: Side("m", 1, "d", tags=None), "tags are a mapping of names to values, not None"),  # type: ignore[arg-type]
        (lambda: Side("m", 1, "d", latency="123"), "latency is a list of seconds, not '123'"),  # type: ignore[arg-type]
        (lambda: Side("m", 1, "d", latency=0.1), "latency is a list of seconds, not 0.1"),  # type: ignore[arg-type]
        (lambda: Side("m", 1, "d", latency=("0.1",)), "a latency is a number, not '0.1'"),  # type: ignore[arg-type]
        (lambda: Holdout("h", "d", ["a"], [1], [1]), "columns are a mapping of names to values"),  # type: ignore[arg-type]
        (lambda: Holdout("h", 7, {}, [1], [1]), "a holdout has texts for its name and digest, not 'h' and 7"),  # type: ignore[arg-type]
        (lambda: Evidence({"name": "m"}, None), "the candidate of evidence is a Side, not"),  # type: ignore[arg-type]
        (lambda: Evidence(Side("m", 1, "d"), "m/1"), "the champion of evidence is a Side, not 'm/1'"),  # type: ignore[arg-type]
        (lambda: Evidence(Side("m", 1, "d"), None, holdout=[1]), "the holdout of evidence is a Holdout, not"),  # type: ignore[arg-type]
        (
            lambda: Report.from_json({"passed": True, "verdicts": [Verdict("g", "n", passed=False, reason="r").to_json()]}),
            "says passed: True",
        ),
    ],
)
def test_evidence_and_verdicts_refuse_nonsense_when_they_are_made(made: Any, words: str) -> None:
    """What is no evidence, verdict or report raises where it is made, with the part that is wrong."""
    with pytest.raises(InvalidValue, match=words):
        made()


def test_a_lost_array_is_told() -> None:
    """Evidence whose arrays are gone does not read as one without them."""
    holdout = Holdout("h", "d", {"a": np.arange(3)}, np.arange(3), np.arange(3))
    evidence = Evidence(Side("m", 1, "d"), None, holdout)
    kept = {key: value for key, value in evidence.arrays().items() if key != "columns.0"}
    with pytest.raises(InvalidValue, match=r"lacks the array 'columns\.0'"):
        evidence_of(evidence.to_json(), kept)


def test_texts_that_were_changed_do_not_read() -> None:
    """Bytes that are no text, and ends that are no numbers, are told by the array's name."""
    evidence = Evidence(Side("m", 1, "d"), None, Holdout("h", "d", {"a": np.array(["Köln", "Ulm"])}, np.arange(2), np.arange(2)))
    kept = evidence.arrays()
    for changed in ({"columns.0.ends": np.array([2, 8])}, {"columns.0.ends": np.array(["x", "y"])}):
        with pytest.raises(InvalidValue, match=r"the texts of the array 'columns\.0'"):
            evidence_of(evidence.to_json(), {**kept, **changed})


def test_a_long_text_takes_its_own_length_alone() -> None:
    """One long text among many short ones does not make each as long."""
    values = np.array(["a"] * 10_000 + ["b" * 100_000], dtype=object)
    holdout = Holdout("h", "d", {"note": values}, np.zeros(10_001), np.zeros(10_001))
    assert sum(one.nbytes for one in holdout.arrays().values()) < 1_000_000
    assert evidence_of(Evidence(Side("m", 1, "d"), None, holdout).to_json(), holdout.arrays()).holdout == holdout


def test_names_in_a_report_are_no_markdown() -> None:
    """A metric's name that is HTML or a table's cell is shown as it is written."""
    side = Side("m", 1, "d", {"<b>|x": 1.0})
    text = judge([parse_gate("metrics.`<b>|x` > 2")], Evidence(side, None)).to_markdown()
    assert "<b>" not in text
    assert "&lt;b&gt;\\|x" in text
    assert text.startswith("**Not passed: 1 of 1 gates refused.**")
