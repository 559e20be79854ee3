"""The registry's verbs as Prefect tasks, and the flow that brings its loose ends to an end."""

from __future__ import annotations

import time
from typing import Any

import pytest
from prefect import Task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from prefect_ledger import registry, tasks, tracked_flow
from prefect_ledger.flows.outbox import outbox
from prefect_ledger.tracking import context
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.helpers import ALICE, logged

_LAZY = {"export_audit", "to_sign"}  # a generator and bytes: for where they are called


def test_every_verb_is_a_task() -> None:
    """Whatever the registry can do is there as a task of the same name and arguments."""
    verbs = {name for name in registry.__all__ if name.islower() and callable(getattr(registry, name))} - _LAZY
    found = {name: getattr(tasks, name) for name in verbs}
    assert all(isinstance(task, Task) and task.fn is getattr(registry, name) for name, task in found.items())


def test_a_flow_registers_and_promotes_by_tasks(prefect_server: str, fresh_ledger: Ledger) -> None:
    """Verbs called as tasks change the registry, and are task runs of the flow that called them."""
    model, name = logged(), f"steps-{time.time_ns()}"

    @tracked_flow(experiment="promotion")
    def promote() -> str:
        one = tasks.register_model(name, model, by=ALICE)
        tasks.set_alias(name, "champion", one.version)
        return str(tasks.transition(name, one.version, "production", by=ALICE).stage)

    state = promote(return_state=True)
    assert state.result() == "production"
    assert state.state_details.flow_run_id is not None
    flow_run = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
    with get_client(sync_client=True) as client:
        for _ in range(100):  # the server writes task runs down a moment later
            steps = sorted(step.name.rsplit("-", 1)[0] for step in client.read_task_runs(flow_run_filter=flow_run))
            if len(steps) == 3:
                break
            time.sleep(0.1)
    assert steps == ["register-model", "set-alias", "transition"]


def test_the_outbox_flow_does_what_was_left(prefect_server: str, fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that nobody sent are sent, and a request whose time is over is ended, by the flow alone."""
    monkeypatch.setattr(context, "messenger", None)
    registry.set_policy('[[rule]]\nmodel = "*"\nstage = "production"\napprovals = 1\nexpires = "1s"')
    registry.register_model("churn", logged(), by=ALICE)
    registry.request_transition("churn", 1, "production", by=ALICE)
    time.sleep(1.1)
    done: dict[str, Any] = outbox()
    assert (done["ended"], done["sent"]) == (1, 5)
    assert registry.list_requests("churn")[0].state == "expired"
