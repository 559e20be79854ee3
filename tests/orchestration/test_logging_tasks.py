"""The verbs that log as Prefect tasks: of the flow or task that calls them, of another run where one is named."""

from __future__ import annotations

import inspect
import uuid

import numpy as np
import pytest
from prefect import Task
from prefect.cache_policies import INPUTS

import prefect_ledger
from prefect_ledger import get_run, start_run, tasks, tracked_flow, tracked_task
from prefect_ledger.errors import InvalidName
from prefect_ledger.tracking import verbs
from prefect_ledger.tracking.ledger import Ledger


def test_every_verb_that_logs_is_a_task() -> None:
    """Whatever of the front door logs is there as a task of the same name, with the same arguments and ``run=``."""
    names = [name for name in prefect_ledger.__all__ if name.startswith(("log_", "set_tag"))]
    assert {"log_image", "log_table", "log_dataset", "set_tags"} <= set(names)
    for name in names:
        task = getattr(tasks, name)
        assert isinstance(task, Task), name
        assert inspect.unwrap(task.fn) is getattr(verbs, name)


def test_a_verb_called_as_a_task_belongs_to_who_calls_it(prefect_server: str, fresh_ledger: Ledger) -> None:
    """In a flow it logs for the flow, called or submitted; in a tracked task for that task; with ``run=`` for the run that is named."""
    with start_run(experiment="other") as other:
        pass

    @tracked_task
    def train() -> None:
        tasks.log_metric("loss", 0.5, step=0)

    @tracked_flow(experiment="tasks")
    def work() -> None:
        train()
        tasks.log_image(np.zeros((2, 2)), key="guess", step=3)
        tasks.log_table.submit([{"a": 1}], "t").wait()
        tasks.log_dataset([{"a": 1}], "train", run=other.id)
        tasks.set_tag("seen", "yes", run=get_run(other.id))

    state = work(return_state=True)
    assert state.is_completed()
    run = get_run(str(state.state_details.flow_run_id))
    (step,) = (one for one in run.task_runs if one.name.startswith("train"))
    assert list(run.metric("loss", task_run_id=step.id).values) == [0.5]
    assert [(one.path.partition("/")[0], one.task_run_id) for one in run.artifacts] == [("images", ""), ("tables", "")]
    assert run.table("t", as_="arrow").to_pylist() == [{"a": 1}]
    named = get_run(other.id)
    assert ([one.name for one in named.datasets], named.tags["seen"], run.datasets) == (["train"], "yes", [])


def test_what_a_verb_refuses_fails_its_task(prefect_server: str, fresh_ledger: Ledger) -> None:
    """A mistake is an error of the task run, at the caller's line, and nothing of it is kept."""

    @tracked_flow(experiment="tasks")
    def work() -> None:
        with pytest.raises(prefect_ledger.LedgerError, match="fractions are 0 to 1"):
            tasks.log_image(np.full((2, 2), 7.5), key="guess")

    state = work(return_state=True)
    assert state.is_completed()
    assert get_run(str(state.state_details.flow_run_id)).artifacts == []


def test_what_is_no_run_is_refused_in_words(prefect_server: str, fresh_ledger: Ledger) -> None:
    """A number, or anything else that names no run, given as ``run=`` is refused as no run's id."""

    @tracked_flow
    def outer() -> None:
        tasks.log_metric("loss", 0.5, run=5)

    with pytest.raises(InvalidName, match="not a run id: 5"):
        outer()


def test_a_task_from_the_cache_shows_its_pictures_and_tables(prefect_server: str, fresh_ledger: Ledger) -> None:
    """A second run whose task did not run has what the first one's task logged, by step."""

    @tracked_task(cache_policy=INPUTS)
    def draw(steps: int, salt: str) -> int:
        for step in range(steps):
            prefect_ledger.log_image(np.full((1, 1), step, "uint8"), key="guess", step=step)
            prefect_ledger.log_table({"n": [step]}, "t", step=step)
        return steps

    salt = str(uuid.uuid4())

    @tracked_flow(experiment="tasks")
    def work() -> None:
        draw(3, salt)

    first, second = (get_run(str(work(return_state=True).state_details.flow_run_id)) for _ in range(2))
    assert [one.cached for one in second.task_runs] == [True]
    assert [(one.step, one.artifact.run_id) for one in second.images("guess")] == [(step, first.id) for step in range(3)]
    assert second.table("t", as_="arrow").to_pydict() == {"step": [0, 1, 2], "n": [0, 1, 2]}
