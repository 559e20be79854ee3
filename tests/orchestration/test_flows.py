"""What runs of tracked flows leave in the ledger: of each kind of function, and however they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator

import pytest
from prefect import task
from prefect.client.schemas.objects import State
from prefect.exceptions import ParameterTypeError
from prefect.states import Failed

from prefect_ledger import (
    current_run,
    get_run,
    log_metric,
    log_param,
    search_runs,
    start_run,
    tracked_flow,
)
from prefect_ledger.tracking.ledger import Ledger
from tests.orchestration.helpers import run_async, the_run

# --- kinds of functions -------------------------------------------------------------------------------------------------


def test_a_flow_run_is_a_run(ledger: Ledger) -> None:
    """The run has the flow run's id and name, its arguments with defaults, what it logged, what it returned, and a status."""
    ids: list[str] = []

    @tracked_flow
    def plain(depth: int, rate: float = 0.5) -> dict[str, float]:
        from prefect.runtime import flow_run

        ids.extend((str(flow_run.id), str(flow_run.name)))
        for step in range(3):
            log_metric("loss", 1 / (step + 1), step=step)
        return {"auc": 0.9}

    assert plain(depth="6") == {"auc": 0.9}  # type: ignore[call-overload]  # Prefect makes a number of it
    run = get_run(ids[0])
    assert (run.name, run.experiment, run.kind) == (ids[1], "plain", "flow")
    assert run.params == {"depth": "6", "rate": "0.5"}
    assert run.metrics == {"auc": 0.9, "loss": pytest.approx(1 / 3)}
    assert list(run.metric("loss").steps) == [0, 1, 2]
    assert run.status == "COMPLETED"
    assert run.ended_at is not None


def test_an_async_flow(ledger: Ledger) -> None:
    """Flows that run side by side in one event loop each log into their own run."""

    @tracked_flow
    async def waiting(number: int) -> int:
        for step in range(3):
            log_metric("number", number, step=step)
            await asyncio.sleep(0)
        return number

    async def both() -> list[int]:
        return list(await asyncio.gather(waiting(1), waiting(2)))

    assert run_async(both()) == [1, 2]
    runs = {run.params["number"]: run for run in search_runs("waiting")}
    assert {number: set(run.metric("number").values) for number, run in runs.items()} == {"1": {1.0}, "2": {2.0}}
    assert {run.status for run in runs.values()} == {"COMPLETED"}


def test_a_generator_flow(ledger: Ledger) -> None:
    """A generator's run is entered while it works, not while its caller does, and what it returns is logged."""

    @tracked_flow(experiment="generated")
    def counting(limit: int) -> Generator[int, None, dict[str, float]]:
        for number in range(limit):
            log_metric("number", number)
            yield number
        return {"total": limit}

    @tracked_flow
    def reading() -> None:
        for number in counting(3):
            log_metric("read", number)

    reading()
    run = the_run("generated")
    assert list(the_run("reading").metric("read").values) == [0, 1, 2]
    assert list(run.metric("number").values) == [0, 1, 2]
    assert run.metrics["total"] == 3
    assert run.status == "COMPLETED"


def test_a_generator_flow_left_early(ledger: Ledger) -> None:
    """A caller that wants no more has the run completed, as Prefect has the flow run."""

    @tracked_flow
    def endless() -> Iterator[int]:
        while True:
            yield 1

    items = endless()
    next(iter(items))
    with pytest.raises(GeneratorExit):
        items.throw(GeneratorExit)  # type: ignore[attr-defined]
    assert the_run("endless").status == "COMPLETED"


def test_an_async_generator_flow(ledger: Ledger) -> None:
    """An async generator's values come through and its run completes."""

    @tracked_flow
    async def streaming(limit: int) -> AsyncIterator[int]:
        for number in range(limit):
            log_metric("number", number)
            yield number

    async def collect() -> list[int]:
        return [number async for number in streaming(3)]

    assert run_async(collect()) == [0, 1, 2]
    run = the_run("streaming")
    assert list(run.metric("number").values) == [0, 1, 2]
    assert run.status == "COMPLETED"


class Trainer:
    """Holds flows as methods."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    @tracked_flow
    def fit(self, depth: int) -> float:
        """An instance's flow."""
        log_metric("score", self.factor * depth)
        return self.factor * depth

    @classmethod
    @tracked_flow(name="make")
    def wrong_way_round(cls) -> None:
        """Prefect wants the decorators the other way round."""

    @tracked_flow(name="build")
    @classmethod
    def build(cls, depth: int) -> str:
        """The class's flow."""
        log_metric("depth", depth)
        return f"{cls.__name__} {depth}"


def test_flows_that_are_methods(ledger: Ledger) -> None:
    """Methods and class methods are flows, also with other options; the object they belong to is no parameter."""
    assert Trainer(2.0).fit(3) == 6.0
    assert Trainer(2.0).fit.with_options(name="refit")(4) == 8.0
    assert Trainer.build(5) == "Trainer 5"  # type: ignore[call-overload]  # a class method keeps its first parameter, as with Prefect
    assert the_run("fit").params == {"depth": "3"}
    assert the_run("refit").metrics == {"score": 8.0}
    assert the_run("build").params == {"depth": "5"}


def test_the_function_itself_is_not_tracked(ledger: Ledger) -> None:
    """``flow.fn()`` is a plain call, outside a run, and inside its own run too."""

    @tracked_flow
    def doubled(number: int, again: bool = False) -> int:
        if again:
            return doubled.fn(number)
        return 2 * number

    assert doubled.fn(4) == 8
    assert len(search_runs()) == 0
    assert doubled(4, again=True) == 8
    assert the_run("doubled").params == {"number": "4", "again": "True"}


# --- how runs end -------------------------------------------------------------------------------------------------------


def test_an_exception(ledger: Ledger) -> None:
    """A flow that raises is FAILED, with the exception; what it had logged is there."""

    @tracked_flow
    def failing() -> None:
        log_metric("loss", 0.5)
        raise ValueError("no convergence with password=hunter2")

    with pytest.raises(ValueError, match="no convergence"):
        failing()
    run = the_run("failing")
    assert run.status == "FAILED"
    assert "no convergence" in run.status_reason
    assert run.metrics == {"loss": 0.5}
    assert run.attempts[0].exception["type"].endswith("ValueError")
    assert "hunter2" not in repr((run, run.attempts))


def test_retries_are_attempts(ledger: Ledger) -> None:
    """A retry is a further attempt of the same run: the run shows the last one, the failed one keeps its exception and its metrics."""
    tries: list[int] = []

    @tracked_flow(retries=2)
    def flaky() -> None:
        tries.append(1)
        log_param("try", len(tries))
        for step in range(2):
            log_metric("loss", 10 * len(tries) + step)
        if len(tries) < 3:
            raise RuntimeError(f"try {len(tries)}")

    flaky()
    run = the_run("flaky")
    assert (run.status, run.attempt, run.params["try"]) == ("COMPLETED", 3, "3")
    assert [(a.number, a.status) for a in run.attempts] == [(1, "FAILED"), (2, "FAILED"), (3, "COMPLETED")]
    assert [a.exception.get("message") for a in run.attempts] == ["try 1", "try 2", None]
    assert list(run.metric("loss").values) == [30, 31]
    assert list(run.metric("loss", attempt=1).values) == [10, 11]


def test_refused_parameters(ledger: Ledger) -> None:
    """A flow whose parameters Prefect refuses never begins; its run is FAILED and says why, and none is left RUNNING."""

    @tracked_flow
    def strict(depth: int) -> int:
        return depth

    with pytest.raises(ParameterTypeError):
        strict("deep")  # type: ignore[call-overload]
    run = the_run("strict")
    assert run.status == "FAILED"
    assert "depth" in run.status_reason
    assert run.attempts[0].exception["type"].endswith("ParameterTypeError")


def test_a_returned_state(ledger: Ledger) -> None:
    """What a flow's returned state says is the run's status."""

    @tracked_flow
    def judged() -> object:
        return Failed(message="not good enough")

    state = judged(return_state=True)
    assert state.is_failed()
    run = the_run("judged")
    assert (run.status, run.status_reason) == ("FAILED", "not good enough")


def test_a_timeout(ledger: Ledger) -> None:
    """A flow that takes too long is FAILED."""

    @tracked_flow(timeout_seconds=0.2)
    async def slow() -> None:
        await asyncio.sleep(30)

    state: State[None] = run_async(slow(return_state=True))  # type: ignore[arg-type]
    assert state.name == "TimedOut"
    run = the_run("slow")
    assert run.status == "FAILED"
    assert "timeout" in run.status_reason


def test_a_broken_off_run(ledger: Ledger) -> None:
    """A body that is broken off leaves a CRASHED run."""

    @tracked_flow
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert the_run("interrupted").status == "CRASHED"


# --- families -----------------------------------------------------------------------------------------------------------


def test_subflows_are_child_runs(ledger: Ledger) -> None:
    """A flow called by a flow, also from within a task, is a child run in its parent's experiment, unless it names its own."""

    @tracked_flow
    def inner(number: int) -> None:
        log_metric("number", number)

    @tracked_flow(experiment="elsewhere")
    def stranger() -> None:
        log_metric("number", 7)

    @task
    def step() -> None:
        inner(2)

    @tracked_flow(experiment="family")
    def outer() -> str:
        inner(1)
        step()
        stranger()
        log_metric("number", 0)
        return current_run().id

    outer_id = outer()
    run = get_run(outer_id)
    assert [(child.experiment, child.metrics["number"], child.parent_id) for child in run.children] == [
        ("family", 1, outer_id),
        ("family", 2, outer_id),
        ("elsewhere", 7, outer_id),
    ]
    assert run.metrics == {"number": 0}
    assert run.parent_id is None
    assert {child.status for child in run.children} == {"COMPLETED"}


def test_an_experiment_of_its_own(ledger: Ledger) -> None:
    """Runs started alone go to the flow's experiment, or to its name; with_options may name another."""

    @tracked_flow(experiment="churn")
    def fit() -> None: ...

    fit()
    fit.with_options(experiment="churn-2")()
    assert the_run("churn").name != the_run("churn-2").name
    assert (fit.experiment, fit.with_options(retries=1).experiment) == ("churn", "churn")


def test_a_flow_within_start_run(ledger: Ledger) -> None:
    """A flow that a script runs within a run of its own is that run's child."""

    @tracked_flow
    def part() -> None: ...

    with start_run(experiment="script") as run:
        part()
    (child,) = get_run(run.id).children
    assert child.kind == "flow"
    assert child.experiment == "script"


def test_a_subflow_with_refused_parameters(ledger: Ledger) -> None:
    """A sub-flow that never began is a failed child run all the same."""

    @tracked_flow
    def strict(depth: int) -> None: ...

    @tracked_flow
    def parent() -> None:
        strict("deep", return_state=True)

    parent(return_state=True)
    (outer,) = [run for run in search_runs("parent") if run.parent_id is None]
    (child,) = outer.children
    assert (child.status, child.experiment) == ("FAILED", "parent")
