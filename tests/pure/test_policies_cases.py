"""Recorded cases: a policy is tried on them without a registry, and says why it decides as it does."""

from __future__ import annotations

import json
import tomllib

import pytest

from prefect_ledger.errors import InvalidValue
from prefect_ledger.gates import Evidence, Side
from prefect_ledger.policies import Policy, Rule, read_cases, read_policy, try_cases

POLICY = read_policy(
    """
[[rule]]
model = "churn*"
stage = "production"
gates = ["metrics.auc >= champion.metrics.auc - 0.002", "metrics.auc >= 0.8"]
approvals = 2
approvers = ["bob", "carol", "dave"]
expires = "7d"
"""
)
START = '[[case]]\nmodel = "churn"\nstage = "production"\n'
GOOD = f'{START}candidate = {{auc = 0.91}}\nchampion = {{auc = 0.90}}\nauthor = "alice"\n'


def tried(text: str) -> tuple[str, tuple[str, ...], bool]:
    (outcome,) = try_cases(POLICY, read_cases(text))
    return outcome.verdict, outcome.reasons, outcome.ok


def test_a_better_model_that_two_agree_to_passes() -> None:
    """Gates and approvals together let a case pass."""
    assert tried(f'{GOOD}votes = ["bob", "carol"]\nexpect = "passes"') == ("passes", (), True)


@pytest.mark.parametrize(
    ("rest", "because"),
    [
        ('votes = ["bob"]', "1 of 2 approvals is missing, approved by bob"),
        ('votes = ["bob", "BOB"]', "BOB has approved already"),
        ('votes = ["bob", "alice"]', "alice made the version"),
        ('requester = "carol"\nvotes = ["bob", "carol"]', "carol opened the request"),
        ('votes = ["bob", {by = "carol", strength = "claimed"}]', "carol is known by claimed alone"),
        ('votes = ["bob", {by = "carol", stale = true}]', "carol was shown other evidence"),
        ('votes = ["bob", {by = "carol", after = "8d"}]', "expired on 1970-01-08"),
        ('votes = ["bob", "carol"]\nafter = "1w"', "expired on 1970-01-08"),
        ('votes = ["bob", "carol"]\nwithdrawn = true', "the request was withdrawn"),
        ('votes = ["bob", {by = "dave", approve = false, comment = "drifts"}, "carol"]', "dave rejected the request on"),
    ],
)
def test_a_case_is_refused_with_the_reason(rest: str, because: str) -> None:
    """Each way in which votes do not suffice is found in the reasons, and another expected reason is not."""
    verdict, reasons, ok = tried(f'{GOOD}{rest}\nexpect = "refused"\nbecause = "{because}"')
    assert (verdict, ok) == ("refused", True), reasons
    assert not tried(f'{GOOD}{rest}\nexpect = "refused"\nbecause = "the moon"')[2]
    assert not tried(f'{GOOD}{rest}\nexpect = "passes"')[2]


def test_gates_refuse_what_everybody_agreed_to() -> None:
    """A worse model, and a first one where the gate wants a champion, are refused by the gate's own words."""
    worse = f'{START}candidate = {{auc = 0.79}}\nchampion = {{auc = 0.90}}\nvotes = ["bob", "carol"]\nexpect = "refused"'
    verdict, reasons, ok = tried(worse)
    assert (verdict, ok, len(reasons)) == ("refused", True, 2)
    assert "metrics.auc is 0.79" in reasons[1]
    first = f'{START}candidate = {{auc = 0.9}}\nvotes = ["bob", "carol"]\nexpect = "refused"\nbecause = "there is no champion"'
    assert tried(first)[2]


def test_recorded_evidence_is_judged_as_it_was_recorded() -> None:
    """The JSON of evidence, with numbers that JSON has no word for, is judged like the evidence itself, in TOML and JSON files alike."""
    evidence = Evidence(Side("churn", 8, "ab", {"auc": 0.95, "loss": float("nan")}), Side("churn", 7, "cd", {"auc": 0.9}))
    case = {"model": "churn", "stage": "production", "evidence": evidence.to_json(), "votes": ["bob", "carol"], "expect": "passes"}
    assert tried(json.dumps({"case": [case]})) == ("passes", (), True)


def test_json_and_toml_say_the_same() -> None:
    """A file of cases may be either."""
    text = f'{GOOD}votes = ["bob", {{by = "carol", after = "2d"}}]\nexpect = "passes"'
    assert read_cases(json.dumps(tomllib.loads(text))) == read_cases(text)


def test_an_outcome_is_a_line_for_people() -> None:
    """What came out, why, and what was expected stand in one sentence."""
    (outcome,) = try_cases(Policy((Rule("*", "*", approvals=1),)), read_cases(f'{GOOD}name = "lonely"\nexpect = "passes"'))
    assert str(outcome) == "lonely: refused (1 of 1 approvals is missing), expected: passes"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cases begin with [[case]]"),
        ("{", "the cases are neither TOML nor JSON"),
        ("[[cases]]", "the file of cases has no key 'cases': did you mean 'case'?"),
        ("[[case]]\nmodel = 'm'", "case 1: says no stage"),
        ("[[case]]\nmodel = 1", "case 1: model is a text, not 1"),
        (f"{START}", "case 1: says no expect"),
        (f"{START}expect = 'pass'", "case 1: expect is 'passes' or 'refused', not 'pass'"),
        (
            "[[case]]\nmodel = 'm'\nstage = 'prod'\nexpect = 'passes'",
            "case 1: stage is one of none, staging, production, archived, not 'prod'",
        ),
        (f"{START}expect = 'passes'", "case 1: says no candidate"),
        (f"{START}expect = 'passes'\ncandidate = 1", "case 1: candidate is a table of metrics, such as {auc = 0.9}, not 1"),
        (f"{START}expect = 'passes'\ncandidate = {{auc = 'high'}}", "case 1: the metric 'auc'"),
        (f"{START}expect = 'passes'\nevidence = 1", "case 1: evidence is a table, not 1"),
        (f"{START}expect = 'passes'\nevidence = {{candidat = 1}}", "case 1: evidence is a JSON object with candidate"),
        (f"{GOOD}expect = 'passes'\nevidence = {{}}", "case 1: evidence is the whole of it: leave candidate and champion out"),
        (f"{GOOD}expect = 'passes'\nbecause = 'x'", "case 1: name is a text, and because a part of the reason for which it is refused"),
        (f"{GOOD}expect = 'passes'\nvote = []", "case 1: a case has no key 'vote': did you mean 'votes'?"),
        (f"{GOOD}expect = 'passes'\nvotes = 'bob'", "case 1: votes is a list of names or tables"),
        (f"{GOOD}expect = 'passes'\nvotes = [1]", "case 1: a vote: an identity has a name of 1 to 250 printable characters, not 1"),
        (f"{GOOD}expect = 'passes'\nvotes = [{{aprove = true}}]", "case 1: a vote has no key 'aprove': did you mean 'approve'?"),
        (f"{GOOD}expect = 'passes'\nvotes = [{{by = 'bob', approve = 1}}]", "case 1: approve is true or false, not 1"),
        (f"{GOOD}expect = 'passes'\nvotes = [{{by = 'bob', strength = 'big'}}]", "case 1: by: a strength is one of claimed"),
        (f"{GOOD}expect = 'passes'\nvotes = [{{by = 'bob', comment = 1}}]", "case 1: the comment of a vote is a text, not 1"),
        (f"{GOOD}expect = 'passes'\nafter = 'later'", "case 1: after: a duration is a whole number and s, m, h, d or w"),
        (f"{GOOD}expect = 'passes'\n{GOOD}expect = 'maybe'", "case 2: expect is 'passes' or 'refused', not 'maybe'"),
    ],
)
def test_a_case_that_cannot_be_is_refused_with_its_number(text: str, message: str) -> None:
    """The message says which case, which key, what stands there and what may."""
    with pytest.raises(InvalidValue) as caught:
        read_cases(text)
    assert message in str(caught.value)


def test_cases_are_text() -> None:
    """Anything but text is refused by the ledger's own error."""
    with pytest.raises(InvalidValue, match="cases are a TOML or JSON text, not NoneType"):
        read_cases(None)  # type: ignore[arg-type]
