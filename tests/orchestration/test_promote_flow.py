"""Promotion as a flow on a real server: with no wait, paused for a person, suspended on a worker, killed and begun anew."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from prefect_ledger import get_run, registry, start_run
from prefect_ledger.flows.promote import promote
from prefect_ledger.orchestration.waking import TAG, wake
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.tracking import ledger as module
from prefect_ledger.tracking.ledger import Ledger
from tests.promotion.helpers import ASKED, BOB, CAROL, GATED, trained
from tests.services_real.prefect_server import pointed_at, restartable_server

APPROVE = """
import sys
from prefect_ledger import registry
from prefect_ledger.identities import Identity, Strength
registry.approve(int(sys.argv[1]), "looks well", by=Identity("carol", Strength.OS, "user carol"))
"""


@pytest.fixture
def client(ledger: Ledger) -> Iterator[SyncPrefectClient]:
    """The server."""
    with get_client(sync_client=True) as found:
        yield found


def approve(request: int) -> None:
    """Another identity agrees, from another process."""
    subprocess.run([sys.executable, "-c", APPROVE, str(request)], check=True, timeout=120, env=dict(os.environ))


class Running:
    """The flow in a thread of its own, as a person who waits for it has it."""

    def __init__(self, *words: Any, **options: Any) -> None:
        self.states: list[Any] = []
        self.thread = threading.Thread(target=lambda: self.states.append(promote(*words, return_state=True, **options)))
        self.thread.start()

    def request(self, number: int = 1) -> int:
        """The open request, once it is there."""
        until = time.monotonic() + 60
        while len(found := registry.list_requests("churn")) < number:
            assert time.monotonic() < until
            assert self.thread.is_alive(), self.states
            time.sleep(0.1)
        return found[0].id

    def run_id(self, request: int) -> str:
        """The run that waits for it."""
        from prefect_ledger import search_runs

        until = time.monotonic() + 60
        while not (found := search_runs(filter=f"tags.`{TAG}` = '{request}'")):
            assert time.monotonic() < until
            time.sleep(0.1)
        return found[0].id

    def ended(self) -> Any:
        """The state it ended in."""
        self.thread.join(90)
        assert not self.thread.is_alive()
        return self.states[0]


def paused(client: SyncPrefectClient, run: str) -> None:
    """Wait until the run waits."""
    until = time.monotonic() + 60
    while str(client.read_flow_run(run).state_name) not in ("Paused", "Suspended"):  # type: ignore[arg-type]  # it takes texts too
        assert time.monotonic() < until
        time.sleep(0.1)


def steps(client: SyncPrefectClient, run: str) -> set[str]:
    """The names of a run's tasks."""
    found = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[UUID(run)])))
    return {one.name.rpartition("-")[0] for one in found}


@pytest.mark.long
def test_with_no_wait_it_moves_and_tells(client: SyncPrefectClient) -> None:
    """Gates pass, no approvals are wanted: Completed, in production, the report is an artifact of the run and in Prefect, and an event."""
    registry.set_policy(GATED, by=BOB)
    trained()
    state = promote("churn", 1, targets=[], why="nightly", return_state=True)
    assert (state.type.value, state.name) == ("COMPLETED", "Completed"), state
    assert registry.get_version("churn", "@champion").stage == "production"
    run = get_run(str(state.state_details.flow_run_id))
    assert run.tags["promotion.state"] == "promoted"
    assert {one.path for one in run.artifacts} == {"promotion.md", "promotion.json"}
    wanted, until = {"try-version", "request-transition", "move", "follow", "smoke-test"}, time.monotonic() + 30
    while steps(client, run.id) != wanted:  # Prefect hears of tasks by events, a little later
        assert time.monotonic() < until, steps(client, run.id)
        time.sleep(0.2)
    shown = client.read_artifacts()
    assert any("churn 1 to production: promoted" in str(one.data) for one in shown if one.key == "promotion-churn")


def test_what_gates_refuse_ends_as_refused(ledger: Ledger) -> None:
    """A refusal is an answer: the flow is Completed under the name Refused, with the reason, and its run says so too."""
    registry.set_policy(GATED, by=BOB)
    trained(auc=0.2)
    state = promote("churn", 1, targets=[], return_state=True)
    assert (state.type.value, state.name) == ("COMPLETED", "Refused")
    assert "metrics.auc >= 0.5" in (state.message or "")
    run = get_run(str(state.state_details.flow_run_id))
    assert (run.status, run.tags["promotion.state"]) == ("COMPLETED", "refused")


@pytest.mark.long
def test_a_paused_flow_goes_on_when_somebody_approves(client: SyncPrefectClient) -> None:
    """An approval by another identity, from another process that only knows the store, is acted on, and the version moves."""
    registry.set_policy(ASKED, by=BOB)
    trained()
    running = Running("churn", 1, targets=[])
    request = running.request()
    paused(client, running.run_id(request))
    approve(request)
    state = running.ended()
    assert state.is_completed(), state
    assert registry.get_request(request).state == "done"
    assert registry.get_version("churn", "production").version == 1


def test_a_rejection_ends_it(client: SyncPrefectClient) -> None:
    """Who rejects ends the waiting flow as Refused, with what they said."""
    registry.set_policy(ASKED, by=BOB)
    trained()
    running = Running("churn", 1, targets=[])
    request = running.request()
    paused(client, running.run_id(request))
    registry.reject(request, "too few rows", by=BOB)
    state = running.ended()
    assert (state.name, state.is_completed()) == ("Refused", True)
    assert "too few rows" in (state.message or "")
    assert registry.get_version("churn", 1).stage == "none"


@pytest.mark.long
def test_nonsense_in_the_form_changes_nothing_and_a_typed_name_is_too_weak(client: SyncPrefectClient) -> None:
    """What is no answer is refused by Prefect; a name typed into its form does not satisfy the policy: the form comes again and says so."""
    registry.set_policy(ASKED, by=BOB)
    trained()
    running = Running("churn", 1, targets=[])
    request = running.request()
    run = running.run_id(request)
    paused(client, run)
    answer = client.resume_flow_run(run, run_input={"decision": "maybe"})  # type: ignore[arg-type]
    assert answer.status.value == "REJECT"
    client.resume_flow_run(run, run_input={"decision": "approve", "reviewer": "carol"})  # type: ignore[arg-type]
    until = time.monotonic() + 60
    while "does not count" not in (said := description(client, run)):
        assert time.monotonic() < until, said
        time.sleep(0.2)
    assert "carol is known by claimed alone" in said
    assert registry.get_request(request).votes == ()
    paused(client, run)
    approve(request)
    assert running.ended().is_completed()


def description(client: SyncPrefectClient, run: str) -> str:
    """What the form of a waiting run says at its top."""
    state = client.read_flow_run(run).state  # type: ignore[arg-type]
    keyset = getattr(getattr(state, "state_details", None), "run_input_keyset", None)
    if not keyset:
        return ""
    answer = client._client.get(f"/flow_runs/{run}/input/{keyset['description']}")
    return str(answer.json()) if answer.is_success else ""


@pytest.mark.long
def test_nobody_answers_in_time(ledger: Ledger) -> None:
    """When the time is over the flow ends as Refused, says what it waited for, and the request stays open for another time."""
    registry.set_policy(ASKED, by=BOB)
    trained()
    state = promote("churn", 1, targets=[], wait_hours=3 / 3600, return_state=True)
    assert (state.name, state.is_completed()) == ("Refused", True), state
    assert "waits for 1 of 1 approvals" in (state.message or "")
    assert registry.list_requests("churn")[0].state == "open"


@pytest.mark.long
def test_two_flows_of_one_model_at_once(client: SyncPrefectClient) -> None:
    """Both wait for approval, both get it: one moves; the other's approval rests on a champion that is none any more, and it is refused."""
    registry.set_policy(ASKED, by=BOB)
    trained()
    trained(3.0)
    first, second = Running("churn", 1, targets=[]), Running("churn", 2, targets=[])
    second.request(2)
    requests = {one.version: one.id for one in registry.list_requests("churn")}
    for number, running in ((1, first), (2, second)):
        paused(client, running.run_id(requests[number]))
    approve(requests[1])
    states = {first.ended().name, second.ended().name}
    assert states == {"Completed", "Refused"}
    assert registry.get_version("churn", "production").version == 1
    assert registry.get_request(requests[2]).state == "void"


@pytest.mark.parametrize("patience", ["5", pytest.param("0", marks=pytest.mark.soak)])
@pytest.mark.long
def test_a_server_that_restarts_meanwhile(home: Path, patience: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a paused run waits, Prefect's server may go and come back, also for longer than its client has patience: the run goes on."""
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    monkeypatch.setattr(module, "_ledger", None)
    monkeypatch.setattr("prefect_ledger.orchestration.approvals._AWAY", 1.0)
    with restartable_server() as server, pointed_at(server.url), temporary_settings({PREFECT_CLIENT_MAX_RETRIES: int(patience)}):
        registry.set_policy(ASKED, by=BOB)
        trained()
        running = Running("churn", 1, targets=[])
        request = running.request()
        with get_client(sync_client=True) as client:
            paused(client, running.run_id(request))
        server.stop()
        approve(request)
        time.sleep(3)
        server.start()
        assert running.ended().is_completed()
        assert registry.get_version("churn", "production").version == 1
    module.ledger().close()


@pytest.mark.long
def test_what_nobody_started_leaves_alone_what_it_has_nothing_to_do_with(ledger: Ledger) -> None:
    """A run of a trigger does nothing without a policy, for gates on rows that are not given, and where nobody agreed to anything."""
    trained()
    assert promote("churn", 1, by_request_only=True, return_state=True).name == "Left alone"
    for gate in ({"gate": "bootstrap", "metric": "squared_error", "at_least": 0}, {"gate": "latency", "at_most": 1}):
        registry.set_policy(Policy((Rule("churn", "production", gates=(gate,), approvals=1),)), by=BOB)
        state = promote("churn", 1, by_request_only=True, return_state=True)
        assert (state.name, "about rows" in str(state.message)) == ("Left alone", True)
    registry.set_policy(ASKED, by=BOB)
    assert promote("churn", 1, approved_only=True, return_state=True).name == "Left alone"
    request = registry.request_transition("churn", 1, "production", by=BOB)
    assert promote("churn", 1, approved_only=True, return_state=True).name == "Left alone"
    assert registry.get_request(request.id).state == "open"
    approve(request.id)
    assert promote("churn", 1, approved_only=True, targets=[], return_state=True).name == "Completed"


def test_a_run_that_prefect_does_not_know_holds_up_nobody(ledger: Ledger) -> None:
    """Tags are anybody's: a run outside Prefect with a decided request, or with nonsense for one, is passed over, and nothing is raised."""
    registry.set_policy(ASKED, by=BOB)
    trained()
    request = registry.request_transition("churn", 1, "production", by=BOB)
    registry.reject(request.id, "no", by=CAROL)
    with start_run(experiment="tagged") as one, start_run(experiment="tagged") as two:
        one.set_tags({TAG: str(request.id)})
        two.set_tags({TAG: "9" * 40, "promotion.until": "1"})
        ledger.flush()
        assert wake(ledger.database) == []
        assert wake(ledger.database, [request.id]) == []
