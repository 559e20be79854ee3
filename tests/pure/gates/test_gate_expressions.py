"""Gates as expressions: what passes, what does not, and in which words."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from dataclasses import replace

import pytest

from prefect_ledger import gates
from prefect_ledger.errors import InvalidFilter
from prefect_ledger.gates import Evidence, judge, parse_gate
from tests.pure.gates.cases import CANDIDATE, evidence, verdict

PASS = [
    "metrics.auc >= champion.metrics.auc - 0.002",  # 0.91 - 0.002 as decimals; as floats it would be 0.908 and a bit
    "metrics.auc -0.1 > 0.8",
    "champion.metrics.auc*1.1 > metrics.auc",
    "(metrics.auc + 1) * 2 > 3 and -metrics.loss < - 0.4",
    "size <= 2 * champion.size and not tags.team ilike '%FRAUD%'",
    "params.depth > champion.params.depth",
    "params.kind = champion.params.kind and params.kind in ('xgb', 'lgb')",
    "candidate.metrics.`auc` > .5 or metrics.gone > 1",
    "metrics.gone is null and metrics.auc is not null and champion.tags.team is null",
    "version > champion.version and digest != champion.digest and name = 'churn'",
    "metrics.auc < inf and metrics.auc / 2 < 0.5",
    "not (metrics.auc > 1 or size > 1e3)",
    "metrics.auc in (0.5, 0.908)",
]
FAIL = [
    ("metrics.auc >= champion.metrics.auc", ["does not hold", "metrics.auc is 0.908", "champion.metrics.auc is 0.91"]),
    ("metrics.acu > 0.5", ["no metric 'acu'", "near are: 'auc'", "unknown does not pass"]),
    ("not metrics.acu > 0.5", ["no metric 'acu'"]),
    ("champion.metrics.gini > 0.5", ["the champion has no metric 'gini'", "'auc', 'loss'"]),
    ("metrics.auc-0.1 > 0.5", ["'auc-0.1'", "spaces around them"]),
    ("metrics.nan > 0", ["metrics.nan is nan, which is no number"]),
    ("not metrics.nan > 0", ["metrics.nan is nan"]),
    ("metrics.nan != 1", ["metrics.nan is nan"]),
    ("metrics.nan is null", ["does not hold"]),
    ("metrics.auc / (metrics.loss - champion.metrics.loss) > 0", ["divides by zero"]),
    ("inf - inf < metrics.auc", ["is not a number"]),
    ("params.kind > 3", ["params.kind is 'xgb', which is no number"]),
    ("params.gone != 'a'", ["no parameter 'gone'", "'depth', 'kind'"]),
    ("champion.tags.team = 'risk'", ["no tag 'team'", "there are none"]),
    ("not size > 100", ["size > 100 holds", "so not size > 100 does not hold"]),
    ("metrics.auc > 0.5 and metrics.loss > 1", ["metrics.auc > 0.5 holds", "metrics.loss > 1 does not hold"]),
]
REFUSED = [
    ("▲", "this text is empty"),
    ("metrics.auc▲", "expected an operator such as >="),
    ("metrics.auc >▲", "expected a name such as metrics.auc"),
    ("metrics.auc > ▲'a'", "is compared with a number here"),
    ("tags.team > ▲1", "is compared with text here"),
    ("tags.team ▲> 'a'", "> compares numbers"),
    ("tags.team ▲+ 1 = 2", "+ computes with numbers"),
    ("size like ▲'a'", "is compared with a number"),
    ("params.a ▲like params.b", "with a quoted text"),
    ("(metrics.a > 1▲", "the ')' for the '(' at position 0"),
    ("metrics.a > 1▲)", "no '(' is open here"),
    ("▲metrcs.a > 1", "near are: 'metrics'"),
    ("champion.▲foo > 1", "there is no 'foo'; known: metrics"),
    ("champion▲ > 1", "expected what of the champion"),
    ("champion.metrics▲ > 1", "expected metrics.<key>"),
    ("metrics.▲`` > 1", "the key between the quotes is empty"),
    ("metrics.a = ▲nan", "never passes"),
    ("▲max(metrics.a) > 1", "last values"),
    ("metrics.a > ▲1e999", "too large for a float"),
    ("▲metrics.a + 1 is null", "computed"),
    ("metrics.a in (1, ▲'b')", "is compared with a number"),
    ("metrics.a in 1".replace("1", "▲1"), "'(' and a list"),
    ("metrics.a > 1 ▲metrics.b > 2", "expected 'and', 'or' or the end"),
    ("metrics.a ▲^ 2 > 1", "unexpected '^'"),
    ("▲auc > 1", "metrics.auc"),
    ("size▲", "{'gate': 'size'}"),
    ("metrics.a > ▲(metrics.b > 1)", "found the condition"),
]


@pytest.mark.parametrize("text", PASS)
def test_what_holds_passes(text: str) -> None:
    """An expression that holds passes, and the reason says that it does."""
    found = verdict(text)
    assert (found.passed, found.gate, found.name) == (True, text, text), found.reason
    assert "holds" in found.reason


@pytest.mark.parametrize(("text", "words"), FAIL)
def test_what_does_not_hold_does_not_pass_and_says_why(text: str, words: list[str]) -> None:
    """What is false, missing, not-a-number or no number does not pass, also below `not`; the reason has the names and values."""
    found = verdict(text)
    assert not found.passed
    assert [word for word in words if word not in found.reason] == []


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_what_cannot_be_asked_is_refused_where_it_stands(text: str, words: str) -> None:
    """A text that no gate is raises at once, with the place of the first wrong character."""
    position, text = text.index("▲"), text.replace("▲", "")
    with pytest.raises(InvalidFilter) as caught:
        parse_gate(text)
    assert (caught.value.position, caught.value.text) == (position, text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["(" * 60 + "metrics.a > 1" + ")" * 60, "not " * 60 + "metrics.a > 1", "metrics.a > " + "-" * 60 + "1", "1" + " + 1" * 200 + " > 1"],
)
def test_depth_is_bounded(text: str) -> None:
    """No text makes the parser run out of stack."""
    with pytest.raises(InvalidFilter, match="more than"):
        parse_gate(text)


def test_numbers_of_any_size_can_be_computed_with() -> None:
    """Products beyond a float are compared all the same, and told."""
    text = " * ".join(["1e300"] * 40)
    found = verdict(f"{text} > metrics.auc and metrics.auc < {text}")
    assert found.passed
    assert "2^39863 and more" in found.reason


@pytest.mark.parametrize(("word", "passed"), [("fail", False), ("pass", True), ("skip", True)])
def test_a_first_version_passes_only_where_the_gate_says_so(word: str, passed: bool) -> None:
    """Without a champion what compares with one does not pass, unless the gate says what then."""
    alone = Evidence(CANDIDATE, None)
    text = "metrics.auc > 0.5 or metrics.auc > champion.metrics.auc"
    assert not verdict(text, alone).passed
    assert "there is no champion" in verdict(text, alone).reason
    for key in ("gate", "expression"):
        found = verdict({key: text, "without_champion": word, "name": "auc holds"}, alone)
        assert (found.passed, found.name, found.values.get("skipped", False)) == (passed, "auc holds", word == "skip")
        assert "no champion" in found.reason
    assert verdict("metrics.auc > 0.5", alone).passed


def test_what_only_the_evidence_lacks_is_no_error_but_a_verdict() -> None:
    """A size that nobody recorded does not pass, and the report has each gate in its order."""
    report = judge([parse_gate("size < 1"), parse_gate("metrics.auc > 0")], evidence(candidate={"size": None}))
    assert [one.passed for one in report.verdicts] == [False, True]
    assert not report.passed
    assert "the candidate has no size on record" in report.verdicts[0].reason


def test_keys_with_odd_characters_stand_in_quotes() -> None:
    """Keys with odd characters stand in backticks, the champion's too."""
    odd = {"my key": 2.0}
    of = Evidence(replace(CANDIDATE, metrics=odd), replace(CANDIDATE, metrics=odd))
    assert verdict('metrics.`my key` = champion.metrics."my key"', of).passed


@pytest.mark.parametrize("module", [one.name for one in pkgutil.iter_modules(gates.__path__)])
def test_the_examples_in_docstrings_run(module: str) -> None:
    """What a docstring shows is what happens."""
    assert not doctest.testmod(importlib.import_module(f"prefect_ledger.gates.{module}")).failed
