"""SIGKILL at every step of a promotion and a rollback: begun anew, the same run ends what it began, and nothing is done twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.states import Pending

from prefect_ledger import get_run, registry
from prefect_ledger.flows.promote import promote
from prefect_ledger.flows.rollback import rollback
from prefect_ledger.tracking.ledger import Ledger, ledger
from tests.orchestration import promoting_child
from tests.promotion.helpers import BOB, GATED, trained
from tests.registry.folding import agrees

STEPS = ("try_it", "ask", "move", "follow", "check")
NOWHERE = ["http://127.0.0.1:9"]


@pytest.fixture
def client(ledger: Ledger) -> Iterator[SyncPrefectClient]:
    """The server."""
    with get_client(sync_client=True) as found:
        yield found


def soaked(moments: list[tuple[str, str]], quick: tuple[str, str]) -> list[Any]:
    """All moments, of which one is for every day."""
    return [pytest.param(*one, marks=() if one == quick else pytest.mark.soak) for one in moments]


def killed_and_again(client: SyncPrefectClient, flow: Any, parameters: dict[str, Any], *kills: str) -> tuple[str, str]:
    """The name of the state that the run ends in when it is begun anew after each kill (at a step and moment), and its id."""
    run = str(client.create_flow_run(flow, parameters=parameters, state=Pending()).id)
    words = [sys.executable, promoting_child.__file__, flow.fn.__name__, run, json.dumps(parameters)]
    given: dict[str, Any] = {
        "capture_output": True,
        "text": True,
        "timeout": 120,
        "env": dict(os.environ),
        "cwd": Path(__file__).parents[2],
    }
    for step, moment in zip(kills[::2], kills[1::2], strict=True):
        first = subprocess.run([*words, step, moment], check=False, **given)
        assert first.returncode == -9, first.stdout + first.stderr
        client.set_flow_run_state(run, Pending(), force=True)  # as "retry" in Prefect's UI
    again = subprocess.run(words, check=False, **given)
    assert again.returncode == 0, again.stdout + again.stderr
    return again.stdout.splitlines()[-1], run


def moves(name: str, version: int) -> list[tuple[str, str]]:
    """Where a version went, and how."""
    return [(one.after["stage"], one.after.get("how", "")) for one in registry.history(name, version) if one.action == "version.moved"]


def whole() -> None:
    """Tables, log and events say the same."""
    with ledger().database.read() as tx:
        agrees(tx)


def two_versions() -> None:
    """Version 1 is in production, and version 2 is better."""
    registry.set_policy(GATED, by=BOB)
    trained()
    request = registry.request_transition("churn", 1, "production", by=BOB)
    assert request.passed
    registry.transition("churn", 1, "production", by=BOB)
    trained(3.0)


@pytest.mark.parametrize(
    ("step", "moment"), soaked([(step, moment) for step in STEPS for moment in ("before", "after")], ("move", "after"))
)
@pytest.mark.long
def test_a_killed_promotion_is_gone_on_with(client: SyncPrefectClient, step: str, moment: str) -> None:
    """Whatever step it was killed at, the run that is begun anew ends with the version in production, moved and asked for once."""
    two_versions()
    state, run = killed_and_again(client, promote, {"name": "churn", "version": 2, "targets": []}, step, moment)
    assert state == "Completed"
    assert get_run(run).tags["promotion.state"] in ("promoted", "already")
    assert [stage for stage, _ in moves("churn", 2)] == ["production"]
    assert registry.get_version("churn", "@champion").version == 2
    assert [one.state for one in registry.list_requests("churn") if one.version == 2] == ["done"]
    whole()


@pytest.mark.parametrize(
    ("step", "moment"),
    soaked(
        [(step, moment) for step in ("move", "follow", "check", "undo", "go_back") for moment in ("before", "after")], ("undo", "after")
    ),
)
@pytest.mark.long
def test_a_killed_promotion_that_has_to_go_back_does(client: SyncPrefectClient, step: str, moment: str) -> None:
    """Where the endpoint does not serve the version: killed wherever, begun anew it ends with the version before in production, once."""
    two_versions()
    given = {"name": "churn", "version": 2, "targets": [], "endpoints": NOWHERE}
    state, run = killed_and_again(client, promote, given, step, moment)
    assert state == "Failed"
    assert get_run(run).tags["promotion.state"] == "went back"
    assert moves("churn", 2)[-1] == ("archived", "undo")
    assert len(moves("churn", 2)) == 2
    assert registry.get_version("churn", "@champion").version == 1
    whole()


@pytest.mark.long
def test_killed_right_after_the_move_and_after_going_back(client: SyncPrefectClient) -> None:
    """Killed before it could write down that it moved, and again after it went back, the third beginning knows that it did both."""
    two_versions()
    given = {"name": "churn", "version": 2, "targets": [], "endpoints": NOWHERE}
    state, run = killed_and_again(client, promote, given, "transition", "after", "undo", "after")
    assert (state, get_run(run).tags["promotion.state"]) == ("Failed", "went back")
    assert [stage for stage, _ in moves("churn", 2)] == ["production", "archived"]
    assert len([one for one in registry.list_requests("churn") if one.version == 2]) == 1
    whole()


@pytest.mark.long
def test_killed_and_another_was_promoted_meanwhile(client: SyncPrefectClient) -> None:
    """A run that was killed after its move, begun anew when another version took its place, moved it, and says who came after."""
    two_versions()

    def another(*_: object, **__: object) -> None:
        trained(4.0)
        registry.request_transition("churn", 3, "production", by=BOB)
        registry.transition("churn", 3, "production", why="better still", by=BOB)

    state, run = killed_and_again(Between(client, another), promote, {"name": "churn", "version": 2, "targets": []}, "follow", "before")  # type: ignore[arg-type]
    assert (state, get_run(run).tags["promotion.state"]) == ("Completed", "promoted")
    assert registry.get_version("churn", "production").version == 3
    whole()


class Between:
    """The server's client, with something that happens between a kill and the next beginning."""

    def __init__(self, client: SyncPrefectClient, happens: Callable[..., None]) -> None:
        self._client, self._happens = client, happens

    def create_flow_run(self, *words: Any, **more: Any) -> Any:
        """The client's."""
        return self._client.create_flow_run(*words, **more)

    def set_flow_run_state(self, *words: Any, **more: Any) -> Any:
        """The client's, after that."""
        self._happens()
        return self._client.set_flow_run_state(*words, **more)


@pytest.mark.parametrize(
    ("step", "moment"),
    soaked([(step, moment) for step in ("rollback", "try_it", "follow", "check") for moment in ("before", "after")], ("rollback", "after")),
)
@pytest.mark.long
def test_a_killed_rollback_goes_back_once(client: SyncPrefectClient, step: str, moment: str) -> None:
    """Killed at whatever step and begun anew, it goes back to the version before, and not to the one before that."""
    registry.set_policy(GATED, by=BOB)
    for _ in range(3):
        number = trained().version
        registry.request_transition("churn", number, "production", by=BOB)
        registry.transition("churn", number, "production", by=BOB)
    state, _ = killed_and_again(client, rollback, {"name": "churn", "why": "3 is wrong", "targets": []}, step, moment)
    assert state == "Completed"
    assert registry.get_version("churn", "@champion").version == 2
    assert [how for _, how in moves("churn", 2)].count("rollback") == 1
    assert moves("churn", 1)[-1][0] == "archived"
    whole()
