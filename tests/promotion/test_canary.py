"""Judging a canary: by enough requests, errors, seconds and answers, and watched at a server until that can be said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger.errors import DeploymentFailed, InvalidValue
from prefect_ledger.promotion.canary import Asked, Counts, Rules, judge_canary
from prefect_ledger.promotion.canary_report import markdown
from prefect_ledger.promotion.canary_watch import Watch, comparison
from tests.promotion.helpers import answering
from tests.services_real.processes import free_port

CASES = settings(max_examples=100, deadline=None)
RULES = Rules(min_requests=100, error_margin=0.01, latency_times=2.0, disagreement=0.1)


def counts(*, asked: int = 100, errors: int = 0, p99: float | None = 0.01, pairs: int | None = None, agree: int = 0) -> Counts:
    """A champion that was asked 1,000 times, failed ten times, and takes 10 ms; and a challenger."""
    return Counts(Asked("m-1", 1000, 10, 0.01), Asked("m-2", asked, errors, p99), pairs, agree)


@pytest.mark.parametrize(
    ("found", "word", "reason"),
    [
        (counts(), "go on", "failed 0 of 100 requests, the champion 10 of 1000"),
        (counts(errors=2), "go on", ""),
        (counts(errors=3), "go back", "failed 3 of 100 requests"),
        (counts(p99=0.02), "go on", ""),
        (counts(p99=0.021), "go back", "99th percentile is 21 ms"),
        (counts(errors=100, p99=None), "go back", "answered nothing"),
        (counts(p99=None), "wait", "the challenger's seconds are not known yet"),
        (counts(asked=1000, errors=3, pairs=99), "wait", "compared 99 of 100 times"),
        (counts(pairs=100, agree=90), "go on", "90 of 100 answers agree"),
        (counts(pairs=100, agree=89), "go back", "11 of 100 answers differ"),
        (counts(pairs=99, agree=99), "wait", "compared 99 of 100 times"),
        (counts(asked=99), "wait", "99 of 100 times"),
        (counts(asked=99, errors=2), "wait", "99 of 100 times"),
        (counts(asked=50, errors=3), "go back", "failed 3 of 50 requests"),
        (counts(asked=0, p99=None), "wait", "0 of 100 times"),
        (replace(counts(), champion=Asked("m-1", 99, 0, 0.01)), "wait", "the champion was asked 99"),
        (replace(counts(asked=50, errors=50), champion=Asked("m-1", 99, 0, 0.01)), "wait", "the champion was asked 99"),
    ],
)
def test_each_rule_decides_at_its_bound(found: Counts, word: str, reason: str) -> None:
    """What is just allowed goes on, and a little more goes back with that reason; too few requests wait."""
    judged = judge_canary(found, RULES)
    assert judged.word == word, judged
    assert reason in "; ".join(judged.reasons)


def test_rules_that_are_not_asked_for_do_not_judge() -> None:
    """Without bounds of seconds and answers these may be anything; nor do answers have to be compared."""
    found = counts(p99=100.0, pairs=50, agree=0)
    assert judge_canary(found, replace(RULES, latency_times=None, disagreement=None)).word == "go on"


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    count = draw(st.integers(0, 400))
    return Asked("m", count, draw(st.integers(0, count)), draw(st.none() | st.floats(0, 10)))


@st.composite
def counted(draw: st.DrawFn) -> Counts:
    pairs = draw(st.none() | st.integers(0, 400))
    return Counts(draw(asked()), draw(asked()), pairs, draw(st.integers(0, pairs or 0)))


RULED = st.builds(
    Rules, st.integers(1, 300), st.floats(0, 1), st.none() | st.floats(0, 10, allow_nan=False), st.none() | st.floats(0, 1, allow_nan=False)
)


@CASES
@given(counted(), RULED)
def test_nothing_goes_on_by_fewer_requests_than_are_wanted(found: Counts, rules: Rules) -> None:
    """Whatever else was counted; and every verdict has a reason."""
    judged = judge_canary(found, rules)
    assert judged.reasons
    assert all(judged.reasons)
    if min(found.champion.count, found.challenger.count) < rules.min_requests:
        assert judged.word != "go on"


@CASES
@given(counted(), RULED, st.data())
def test_a_worse_challenger_is_judged_no_better(found: Counts, rules: Rules, data: st.DataObject) -> None:
    """More errors, more seconds, fewer answers that agree: who went back does not go on by that."""
    one = found.challenger
    worse = replace(
        found,
        challenger=Asked(
            "m",
            one.count,
            data.draw(st.integers(one.errors, one.count)),
            None if one.p99 is None else one.p99 + data.draw(st.floats(0, 5)),
        ),
        agree=data.draw(st.integers(0, found.agree)),
    )
    if judge_canary(found, rules).word == "go back":
        assert judge_canary(worse, rules).word == "go back"


@CASES
@given(counted(), RULED)
def test_who_goes_back_early_would_have_gone_back(found: Counts, rules: Rules) -> None:
    """Were all the requests that lack answered well, it would go back all the same."""
    one = found.challenger
    lacking = min(one.count, rules.min_requests if found.pairs is None else found.pairs) < rules.min_requests
    if lacking and rules.disagreement is not None and judge_canary(found, rules).word == "go back":
        count = max(one.count, rules.min_requests)
        later = replace(
            found, champion=replace(found.champion, p99=1.0), challenger=replace(one, count=count, p99=0.0), pairs=count, agree=count
        )
        assert judge_canary(later, rules).word == "go back"


@pytest.mark.parametrize(
    "words",
    [{"min_requests": 0}, {"error_margin": -0.1}, {"error_margin": 1.1}, {"latency_times": float("nan")}, {"disagreement": 2.0}],
)
def test_rules_refuse_nonsense(words: dict[str, Any]) -> None:
    """A number that is out of its range is told at once."""
    with pytest.raises(InvalidValue, match=next(iter(words))):
        Rules(**words)


@pytest.mark.parametrize("words", [(3, 4, None), (3, -1, None), (3, 0, float("inf")), (3, 0, -1.0)])
def test_counts_refuse_nonsense(words: tuple[int, int, float | None]) -> None:
    """More errors than requests, or seconds that are none, are no counts."""
    with pytest.raises(InvalidValue):
        Asked("m", *words)


# --- watching ---------------------------------------------------------------------------------------------------------------


def said(found: int, *, model: str = "m-2", errors: int = 0, mode: str = "share") -> dict[str, Any]:
    """What a server says whose challenger was asked so often."""
    one = {"model_id": "m-1", "count": 1000, "errors": 0, "refused": 0, "seconds": {"p50": 0.01, "p90": 0.01, "p99": 0.01}}
    other = {**one, "model_id": model, "count": found, "errors": errors}
    pairs = {"count": found, "agree": found, "greatest_difference": 0.5}
    return {"mode": mode, "champion": one, "challenger": other, "pairs": pairs, "dropped": 3}


def watch(url: str, **more: Any) -> Watch:
    return Watch("churn", 8, "m-2", url, RULES, **more)


def test_a_server_is_watched_until_it_can_be_judged() -> None:
    """What it says is told each time, a time when it is away is passed over, and the last verdict stands with its counts."""
    seen: list[Counts] = []
    with answering(said(10), 503, said(50), said(120, mode="shadow")) as url:
        found = watch(url, seen=seen.append).until(60, every=0.01)
    assert (found.judged.word, [one.challenger.count for one in seen]) == ("go on", [10, 50, 120])
    assert (found.counts, seen[-1].pairs, seen[-1].dropped) == (seen[-1], 120, 3)
    assert found.to_json()["verdict"] == "go on"
    assert found.to_json()["counts"]["challenger.requests"] == 120
    text = markdown(found)
    assert text.startswith("### Canary churn 8: goes on\n")
    assert "| challenger | m-2 | 120 | 0 (0.00%) | 10 ms |" in text
    assert "120 of 120 answers agree" in text


def test_a_challenger_that_fails_goes_back_before_all_were_asked() -> None:
    """Nobody waits for more failures."""
    with answering(said(40, errors=20)) as url:
        found = watch(url).until(60, every=0.01)
    assert found.judged.word == "go back"
    assert "failed 20 of 40" in found.reason


def test_too_few_requests_in_time_decide_nothing() -> None:
    """When the time is over, it says what lacks."""
    with answering(said(40)) as url:
        found = watch(url).until(0)
    assert (found.judged.word, found.reason) == ("wait", "the challenger was asked 40 of 100 times")
    assert "not decided" in markdown(found)


def test_only_the_version_that_was_named_is_judged() -> None:
    """A server that does not compare it yet is waited for; one that came to compare another sends it back."""
    with answering(said(200, model="m-0"), said(200)) as url:
        assert watch(url).until(60, every=0.01).judged.word == "go on"
    with answering(said(10), said(200, model="m-3")) as url:
        found = watch(url).until(60, every=0.01)
    assert found.judged.word == "go back"
    assert "m-3, and not m-2" in found.reason
    with answering(said(200, model="m-0")) as url:
        assert watch(url).until(0).judged.word == "wait"


def test_a_worker_that_has_not_heard_yet_sends_nobody_back() -> None:
    """Of several workers each says for itself which two models it compares: one that is behind, now and then, is no other challenger."""
    with answering(said(10), said(300, model="m-0"), said(20), *[said(300, model="m-0")] * 4, said(120)) as url:
        found = watch(url).until(60, every=0.01)
    assert (found.judged.word, found.counts and found.counts.challenger.count) == ("go on", 120)


@pytest.mark.parametrize(
    ("answer", "words"), [(404, "--beside"), (b"<html>", "no server of ours"), ({"mode": "share"}, "no comparison"), ([1], "no comparison")]
)
def test_what_compares_no_models_is_told_at_once(answer: Any, words: str) -> None:
    """With what to do, and not after an hour."""
    with answering(answer) as url, pytest.raises(InvalidValue, match=words):
        watch(url).until(3600)


def test_a_server_that_stays_away_is_an_error() -> None:
    """Nobody answers until the time is over: that is told, and is no verdict."""
    with pytest.raises(DeploymentFailed, match="does not answer"):
        watch(f"http://127.0.0.1:{free_port()}").until(0)
    with pytest.raises(InvalidValue, match="no address"):
        comparison("127.0.0.1:8000")
    with pytest.raises(InvalidValue, match="seconds"):
        watch("http://127.0.0.1").until(float("nan"))
