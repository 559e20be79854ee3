"""Tracked tasks: steps of their flow's run in every task runner, runs of their own outside."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import pytest
from prefect import flow, task
from prefect.cache_policies import TASK_SOURCE
from prefect.task_runners import ProcessPoolTaskRunner

from prefect_ledger import (
    Artifact,
    Metrics,
    current_run,
    get_run,
    log_metric,
    log_metrics,
    log_text,
    search_runs,
    start_run,
    tracked_flow,
    tracked_task,
)
from prefect_ledger.tracking.ledger import Ledger
from tests.orchestration.helpers import run_async, the_run

outside_flows = pytest.mark.filterwarnings("ignore:Logger 'prefect.task_runs' attempted to send logs:UserWarning")  # Prefect's own


@tracked_task
def train(depth: int) -> int:
    """Logs two points, from whatever process it runs in."""
    for step in range(2):
        log_metric("loss", depth + step / 10, step=step)
    log_text(f"pid {os.getpid()}", f"notes/{depth}.txt")
    return os.getpid()


@task
def plain(number: int) -> int:
    """Not tracked itself."""
    log_metric("plain", number, step=number)
    return os.getpid()


@tracked_flow(task_runner=ProcessPoolTaskRunner(max_workers=1))  # type: ignore[arg-type]  # its futures are of a narrower kind
def spread() -> list[int]:
    """Has its tasks run in processes of a pool."""
    log_metric("flow", 1)
    pids = train.map([1, 2, 3]).result()
    return [*pids, plain.submit(7).result(), inner.submit().result()]


@tracked_task
def inner() -> int:
    """A sub-flow and a nested task, in a pool's process."""
    log_metrics({"inner": 1})
    return below() + train(9)


@tracked_flow
def below() -> int:
    """A flow called by a task."""
    log_metric("below", 1)
    return 0


# --- steps of a run -----------------------------------------------------------------------------------------------------


def test_task_runs_are_steps(ledger: Ledger) -> None:
    """Called, submitted, mapped and nested task runs are steps of the run, with names, states and times, and each has its own series."""

    @tracked_task
    def outer(depth: int) -> None:
        train(depth)

    @tracked_flow
    def stepping() -> None:
        train(1)
        train.submit(2).result()
        train.map([3, 4]).result()
        outer(5)

    stepping()
    run = the_run("stepping")
    assert sorted(step.name.split("-")[0] for step in run.task_runs) == ["outer", *["train"] * 5]
    assert {(step.state, step.tries, step.cached) for step in run.task_runs} == {("Completed", 1, False)}
    for step in run.task_runs:
        assert step.started_at is not None
        assert step.ended_at is not None
        assert step.started_at <= step.ended_at
    trained = [step for step in run.task_runs if step.name.startswith("train")]
    series = [list(run.metric("loss", task_run_id=step.id).values) for step in trained]
    assert sorted(series) == [[n, n + 0.1] for n in range(1, 6)]
    assert len(run.metric("loss")) == 10
    assert {artifact.task_run_id for artifact in run.artifacts} == {step.id for step in trained}


def test_async_and_generator_tasks(ledger: Ledger) -> None:
    """Tasks of the other kinds are steps too."""

    @tracked_task
    async def waiting(number: int) -> int:
        log_metric("waiting", number)
        return number

    @tracked_task
    def counting(limit: int) -> Iterator[int]:
        for number in range(limit):
            log_metric("counting", number)
            yield number

    @tracked_flow
    async def mixed() -> list[int]:
        return [await waiting(5), *counting(3)]

    assert run_async(mixed()) == [5, 0, 1, 2]
    run = the_run("mixed")
    assert run.metrics == {"waiting": 5, "counting": 2}
    assert sorted(step.state for step in run.task_runs) == ["Completed", "Completed"]


def test_a_task_is_retried(ledger: Ledger) -> None:
    """A retried task is one step with its tries counted; each try has series of its own."""
    tries: list[int] = []

    @tracked_task(retries=2)
    def flaky() -> None:
        tries.append(1)
        log_metric("try", len(tries))
        if len(tries) < 3:
            raise RuntimeError("again")

    @tracked_flow
    def patient() -> None:
        flaky()

    patient()
    run = the_run("patient")
    (step,) = run.task_runs
    assert (step.state, step.tries, dict(step.exception)) == ("Completed", 3, {})
    assert run.metrics["try"] == 3


def test_a_task_fails(ledger: Ledger) -> None:
    """A failed step says why, also when the flow goes on."""

    @tracked_task
    def failing() -> None:
        raise ValueError("no convergence")

    @tracked_flow
    def tolerant() -> int:
        failing(return_state=True)
        return 1

    tolerant()
    run = the_run("tolerant")
    (step,) = run.task_runs
    assert (run.status, step.state, step.exception["message"]) == ("COMPLETED", "Failed", "no convergence")
    assert step.ended_at is not None


def test_a_step_is_broken_off(ledger: Ledger) -> None:
    """A step whose body is interrupted is Crashed."""

    @tracked_task
    def interrupted() -> None:
        raise KeyboardInterrupt

    @tracked_flow
    def stopped() -> None:
        interrupted()

    with pytest.raises(KeyboardInterrupt):
        stopped()
    run = the_run("stopped")
    assert (run.status, run.task_runs[0].state) == ("CRASHED", "Crashed")


def test_attempts_of_a_flow_reach_its_tasks(ledger: Ledger) -> None:
    """What a task logs in a flow's second attempt belongs to that attempt."""
    tries: list[int] = []

    @tracked_flow(retries=1)
    def again() -> None:
        tries.append(1)
        train.submit(len(tries)).result()
        if len(tries) == 1:
            raise RuntimeError("again")

    again()
    run = the_run("again")
    assert list(run.metric("loss").values) == [2, 2.1]
    assert list(run.metric("loss", attempt=1).values) == [1, 1.1]
    assert sorted(step.attempt for step in run.task_runs) == [1, 2]


def test_annotated_returns_of_tasks(ledger: Ledger) -> None:
    """A task's returned values are logged by annotation alone: a bare mapping is not taken for metrics."""

    @tracked_task
    def evaluate() -> tuple[Annotated[dict[str, float], Metrics(prefix="val")], Annotated[str, Artifact("report.txt")]]:
        return {"auc": 0.9}, "fine"

    @tracked_task
    def bare() -> dict[str, float]:
        return {"rows": 3}

    @tracked_flow
    def judging() -> None:
        evaluate()
        bare()

    judging()
    run = the_run("judging")
    assert run.metrics == {"val.auc": 0.9}
    assert [artifact.path for artifact in run.artifacts] == ["report.txt"]


# --- other threads and processes ----------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_pool_of_processes(ledger: Ledger) -> None:
    """Tasks, tracked or not, and sub-flows that run in other processes log into the run of their flow."""
    *pids, _ = spread()
    assert os.getpid() not in pids
    run = next(run for run in search_runs("spread") if run.parent_id is None)
    assert run.status == "COMPLETED"
    assert dict(run.metrics).keys() == {"flow", "loss", "plain", "inner"}
    assert len(run.metric("loss")) == 8
    assert {step.state for step in run.task_runs} == {"Completed"}
    assert len(run.task_runs) == 5
    assert len({artifact.path for artifact in run.artifacts}) == 4
    (child,) = run.children
    assert (child.experiment, child.metrics, child.status) == ("spread", {"below": 1}, "COMPLETED")


def test_threads_within_a_task(ledger: Ledger) -> None:
    """Threads of the user's own log through the task's handle, into the task's series."""

    @tracked_task
    def threaded() -> None:
        run = current_run()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: run.log_metric("x", n, step=n), range(100)))

    @tracked_flow
    def wide() -> None:
        threaded()

    wide()
    run = the_run("wide")
    assert list(run.metric("x", task_run_id=run.task_runs[0].id).values) == list(range(100))


def test_a_task_outlives_its_flow(ledger: Ledger) -> None:
    """What a task still logs when its flow did not wait for it is kept, and the task does not fail for it."""
    began, may_go_on = threading.Event(), threading.Event()

    @tracked_task
    def late() -> None:
        began.set()
        may_go_on.wait(30)
        log_metric("late", 1)

    @tracked_flow(on_completion=[lambda *_: may_go_on.set()])
    def hasty() -> int:
        late.submit()
        began.wait(30)
        return 1

    hasty()
    run = the_run("hasty")
    assert (run.status, run.metrics) == ("COMPLETED", {"late": 1})
    assert [step.state for step in run.task_runs] == ["Completed"]


# --- runs of their own --------------------------------------------------------------------------------------------------


@outside_flows
def test_a_task_alone_is_a_run(ledger: Ledger) -> None:
    """Outside any flow a tracked task is a run of its own, with its arguments, attempts and status."""
    tries: list[int] = []

    @tracked_task(retries=1)
    def alone(depth: int, secret: str = "hunter2") -> None:
        tries.append(1)
        log_metric("try", len(tries))
        if len(tries) == 1:
            raise RuntimeError("again")

    alone(3)
    run = the_run("alone")
    assert (run.kind, run.status, run.attempt, run.name) == ("task", "COMPLETED", 2, "alone")
    assert run.params == {"depth": "3", "secret": "********"}
    assert run.metrics == {"try": 2}
    assert [(a.number, a.status) for a in run.attempts] == [(1, "FAILED"), (2, "COMPLETED")]


@outside_flows
@pytest.mark.parametrize(("error", "status"), [(ValueError("no"), "FAILED"), (KeyboardInterrupt(), "CRASHED")])
def test_a_task_alone_fails(ledger: Ledger, error: BaseException, status: str) -> None:
    """A run of a task alone ends as the task does."""

    @tracked_task
    def alone() -> None:
        raise error

    with pytest.raises(type(error)):
        alone()
    assert the_run("alone").status == status


@outside_flows
def test_a_task_within_start_run(ledger: Ledger) -> None:
    """A task that a script runs within a run is a step of it; so is one within a task that is a run."""

    @tracked_task
    def alone() -> None:
        train(2)

    with start_run(experiment="script") as run:
        train(1)
    alone()
    assert [step.state for step in get_run(run.id).task_runs] == ["Completed"]
    assert get_run(run.id).status == "COMPLETED"
    assert [step.name for step in the_run("alone").task_runs] == ["train"]
    assert len(search_runs()) == 2


def test_a_task_within_a_plain_flow(ledger: Ledger) -> None:
    """In a flow that is not tracked, a tracked task is a run of its own."""

    @flow
    def untracked() -> None:
        train(1)

    untracked()
    assert (the_run("train").kind, the_run("train").status) == ("task", "COMPLETED")


# --- the task object ----------------------------------------------------------------------------------------------------


def test_a_task_keeps_its_identity() -> None:
    """Key, source and description are those of the user's function, also with other options, so that caches go on hitting."""

    def work(number: int) -> int:
        """Does it."""
        return number

    ours, theirs = tracked_task(work), task(work)
    assert (ours.task_key, ours.source_code, ours.description, ours.name) == (
        theirs.task_key,
        theirs.source_code,
        theirs.description,
        theirs.name,
    )
    changed = ours.with_options(retries=3, cache_policy=TASK_SOURCE, log_returns=False)
    assert (type(changed), changed.task_key, changed.source_code, changed.retries) == (type(ours), ours.task_key, ours.source_code, 3)
    hooks = changed.with_options(on_completion=[print]).on_completion_hooks
    assert [getattr(hook, "__name__", "") for hook in hooks] == ["ledger_on_completion", "print"]
    assert changed.fn(4) == 4


def test_task_methods(ledger: Ledger, tmp_path: Path) -> None:
    """A task may be a method, bound to its object."""

    class Trainer:
        factor = 2

        @tracked_task
        def fit(self, depth: int) -> int:
            log_metric("score", self.factor * depth)
            return self.factor * depth

    @tracked_flow
    def methodical() -> int:
        return Trainer().fit(3) + Trainer().fit.with_options(retries=1)(4)

    assert methodical() == 14
    assert len(the_run("methodical").metric("score")) == 2
