"""A canary as a flow on a real Prefect server, beside a real server of two models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import get_run, registry, start_run
from prefect_ledger.errors import StoreUnavailable
from prefect_ledger.flows.canary import canary
from prefect_ledger.identities import Strength
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.tracking.ledger import Ledger
from tests.promotion.helpers import ALICE, BOB
from tests.serving.running import Server, server


@pytest.fixture
def two(ledger: Ledger, tmp_path: Path) -> Iterator[Server]:
    """Version 1 is in production and the champion, version 2 the challenger, which fails below zero; it answers half of the requests."""
    for factor in (2.0, 3.0):
        with start_run(experiment="churn") as run:
            model = run.log_model(_multiplying(factor), "churn", input_example=[1.0, 2.0], requirements=[])
        registry.register_model("churn", model, by=ALICE)
    registry.set_policy(Policy((Rule("churn", "production", identity=Strength.CLAIMED, aliases=("champion",)),)), by=BOB)
    registry.transition("churn", 1, "production", by=BOB)
    registry.set_alias("churn", "challenger", 2)
    ledger.flush()
    words = ("--beside", "models:/churn@challenger", "--share", "0.5", "--follow", "0.2")
    with server("models:/churn@champion", tmp_path, *words, home=ledger.settings.home) as one:
        yield one


def _multiplying(factor: float) -> Any:
    def ask(data: list[float]) -> list[float]:
        if factor == 3.0 and min(data) < 0:
            raise ValueError("below zero")
        return [factor * x for x in data]

    return ask


def watched(one: Server, **words: Any) -> Any:
    """The state that it ended in; the bound of seconds is wide, since this machine does other things too."""
    given = {"every": 0.1, "seconds": 0.0, "min_requests": 20, "latency_times": 1000.0, **words}
    return canary(f"http://127.0.0.1:{one.port}", "churn", return_state=True, **given)


@pytest.mark.long
def test_a_challenger_goes_on_and_is_promoted_where_that_is_asked_for(two: Server) -> None:
    """Too few requests are refused; with enough it is Completed, with counts as metrics and a report; promoted, it is in production."""
    state = watched(two)
    assert (state.name, state.is_completed()) == ("Refused", True)
    assert "0 of 20 times" in str(state.message)
    assert {two.ask({"inputs": [float(number)]})[0] for number in range(100)} == {200}
    state = watched(two)
    assert state.name == "Completed", state
    assert state.result()["verdict"] == "go on"
    run = get_run(str(state.state_details.flow_run_id))
    assert run.metrics["challenger.requests"] + run.metrics["champion.requests"] == 100
    assert {"canary.md", "canary.json"} <= {one.path for one in run.artifacts}
    assert run.tags["canary.verdict"] == "go on"
    assert registry.get_version("churn", "production").version == 1
    state = watched(two, promote=True, deploy=False, endpoints=[f"http://127.0.0.1:{two.port}"])
    assert state.name == "Completed", state
    assert registry.get_version("churn", "@champion").version == 2
    moved = [change for change in registry.history("churn", 2) if change.action == "version.moved"]
    assert moved[-1].why.startswith("canary: the challenger failed 0 of ")


def test_a_challenger_that_fails_goes_back(two: Server) -> None:
    """Refused, with the reason, and nothing is promoted though that was asked for."""
    assert {two.ask({"inputs": [-1.0 - number]})[0] for number in range(100)} == {200}
    state = watched(two, promote=True)
    assert state.name == "Refused", state
    assert state.result()["verdict"] == "go back"
    assert "the challenger failed" in str(state.message)
    assert registry.get_version("churn", "production").version == 1


@pytest.mark.long
def test_what_was_let_go_on_is_not_watched_again_when_it_is_begun_anew(two: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was about to promote and failed at that tries that again: the second attempt has asked the server for nothing."""
    assert {two.ask({"inputs": [float(number)]})[0] for number in range(100)} == {200}
    more: dict[str, Any] = {"every": 0.1, "seconds": 0.0, "min_requests": 20, "latency_times": 1000.0, "deploy": False}

    def away(*_words: object, **_more: object) -> None:
        raise StoreUnavailable("the store is away")

    monkeypatch.setattr(registry, "transition", away)
    state = canary.with_options(retries=1)(f"http://127.0.0.1:{two.port}", "churn", promote=True, return_state=True, **more)
    assert state.is_failed(), state
    run = get_run(str(state.state_details.flow_run_id))
    assert (len(run.attempts), run.tags["canary.verdict"]) == (2, "go on")
    assert "challenger.requests" not in run.metrics


@pytest.mark.long
def test_a_server_that_compares_nothing_fails_the_flow(ledger: Ledger, two: Server, tmp_path: Path) -> None:
    """It is told what to start."""
    (tmp_path / "alone").mkdir()
    with server("models:/churn@champion", tmp_path / "alone", home=ledger.settings.home) as alone:
        state = watched(alone)
    assert state.is_failed()
    assert "--beside" in str(state.message)
