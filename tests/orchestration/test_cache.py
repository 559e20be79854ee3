"""A task whose result came from Prefect's cache shows what the task that had run logged: by link, marked, at no cost."""

from __future__ import annotations

import os
import uuid
from typing import Annotated

import pytest
from prefect import task
from prefect.cache_policies import INPUTS, TASK_SOURCE
from prefect.task_runners import ProcessPoolTaskRunner

from prefect_ledger import Metrics, Model, get_run, log_metric, log_text, search_runs, tracked_flow, tracked_task
from prefect_ledger.cli.run_page import show_run
from prefect_ledger.entities import Run
from prefect_ledger.tracking.ledger import Ledger
from tests.orchestration.helpers import run_async, the_run

outside_flows = pytest.mark.filterwarnings("ignore:Logger 'prefect.task_runs' attempted to send logs:UserWarning")  # Prefect's own


@pytest.fixture
def salt() -> str:
    """What no other test, and no earlier session, has in its cache."""
    return str(uuid.uuid4())


Trained = tuple[Annotated[dict[str, int], Model("digits")], Annotated[dict[str, float], Metrics(prefix="val")]]


@tracked_task(cache_policy=INPUTS + TASK_SOURCE)
def train(salt: str, depth: int) -> Trained:
    """Says in every way what it came to."""
    for step in range(3):
        log_metric("loss", depth - step / 10, step=step)
    log_text(f"pid {os.getpid()}", f"notes/{depth}.txt")
    return {"depth": depth}, {"auc": depth / 10}


@tracked_flow(task_runner=ProcessPoolTaskRunner(max_workers=2))  # type: ignore[arg-type]  # its futures are of a narrower kind
def spread(salt: str) -> list[int]:
    """Trains in processes of a pool."""
    return [model["depth"] for model, _ in train.map(salt, [1, 2, 3]).result()]


@tracked_task
def fold_of(number: int) -> None:
    """A step of a step."""
    log_metric("fold", number, step=number)


@tracked_task(cache_policy=INPUTS + TASK_SOURCE)
def validate(salt: str) -> int:
    """Has its work done by other tasks."""
    fold_of(0)
    fold_of.submit(1).result()
    return 2


@tracked_flow
def nesting(salt: str) -> int:
    """Calls a task that calls tasks."""
    return validate(salt)


nesting_elsewhere = nesting.with_options(task_runner=ProcessPoolTaskRunner(max_workers=1))  # type: ignore[arg-type]


def shown(run: Run, capsys: pytest.CaptureFixture[str]) -> str:
    """The page of a run."""
    show_run(run)
    return capsys.readouterr().out


def test_across_runs(ledger: Ledger, salt: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Metrics, artifacts and model of the run that had computed are shown by the run that hit: in tables, filters, series, on its page."""

    @tracked_flow
    def caching(salt: str) -> None:
        train(salt, 6)

    caching(salt)
    caching(salt)
    second, first = search_runs("caching", "metrics.loss < 5.9 and metrics.val.auc = 0.6 and count(metrics.loss) = 3")
    (hit,), (computed,) = second.task_runs, first.task_runs
    assert (computed.state, computed.cached, computed.source_run_id) == ("Completed", False, None)
    assert (hit.state, hit.cached, hit.source_run_id, hit.source_task_run_id) == ("Cached", True, first.id, computed.id)
    assert hit.cost == 0
    assert computed.cost == computed.duration
    assert dict(second.metrics) == dict(first.metrics) == {"loss": 5.8, "val.auc": 0.6}
    assert {key: one.sources for key, one in second.summaries.items()} == {"loss": (first.id,), "val.auc": (first.id,)}
    assert list(second.metric("loss").values) == list(second.metric("loss", task_run_id=hit.id).values) == [6, 5.9, 5.8]
    assert [(one.path, one.run_id) for one in second.artifacts] == [(one.path, first.id) for one in first.artifacts]
    assert "notes/6.txt" in {one.path for one in second.artifacts}
    assert any(one.kind == "model" for one in second.artifacts)
    assert second.read_artifact("notes/6.txt").decode() == f"pid {os.getpid()}"
    assert f"from {first.id[:8]}, cost 0" in shown(second, capsys)
    assert "cost" not in shown(first, capsys)


def test_within_a_run(ledger: Ledger, salt: str) -> None:
    """A retry of the flow whose tasks come from the cache shows what its first attempt logged, once; the attempt itself stays as it was."""
    tries: list[int] = []

    @tracked_flow(retries=1)
    def again(salt: str) -> None:
        tries.append(1)
        train(salt, 4)
        train(salt, 4)
        log_metric("attempt", len(tries))
        if len(tries) == 1:
            raise RuntimeError("again")

    again(salt)
    run = the_run("again")
    assert [(one.attempt, one.cached) for one in run.task_runs] == [(1, False), (1, True), (2, True), (2, True)]
    assert {one.source_task_run_id for one in run.task_runs if one.cached} == {run.task_runs[0].id}
    assert dict(run.metrics) == {"loss": 3.8, "val.auc": 0.4, "attempt": 2}
    assert (run.summaries["loss"].count, run.summaries["loss"].sources, run.summaries["attempt"].sources) == (3, (run.id,), ())
    assert len(run.metric("loss")) == len(run.metric("loss", attempt=1)) == 3


@pytest.mark.long
def test_in_other_processes(ledger: Ledger, salt: str) -> None:
    """Sources and hits in the processes of pools, mapped: each hit finds its own source."""
    assert spread(salt) == spread(salt) == [1, 2, 3]
    second, first = search_runs("spread")
    assert {one.state for one in first.task_runs} == {"Completed"}
    assert {one.state for one in second.task_runs} == {"Cached"}
    assert {one.source_run_id for one in second.task_runs} == {first.id}
    assert {one.source_task_run_id for one in second.task_runs} == {one.id for one in first.task_runs}
    assert (second.summaries["loss"].count, second.summaries["loss"].min, second.summaries["loss"].max) == (9, 0.8, 3)
    assert [one.path for one in second.artifacts] == [one.path for one in first.artifacts]


@pytest.mark.parametrize("flow", [nesting, nesting_elsewhere], ids=["threads", "processes"])
@pytest.mark.long
def test_what_a_cached_task_had_called(ledger: Ledger, salt: str, flow: object) -> None:
    """What other tasks logged that the cached one had called is shown as well, wherever they ran."""
    assert nesting(salt) == 2 if flow is nesting else nesting_elsewhere(salt) == 2
    nesting(salt)
    second, first = search_runs("nesting")
    assert list(first.metric("fold").values) == list(second.metric("fold").values) == [0, 1]
    assert [one.cached for one in second.task_runs] == [True]


def test_a_result_that_is_refreshed(ledger: Ledger, salt: str) -> None:
    """Who asks for fresh results pays and logs; later hits belong to that run."""

    @tracked_flow
    def refreshing(salt: str, *, fresh: bool) -> None:
        train.with_options(refresh_cache=fresh)(salt, 2)

    for fresh in (False, True, False):
        refreshing(salt, fresh=fresh)
    third, second, first = search_runs("refreshing")
    assert [run.task_runs[0].cached for run in (first, second, third)] == [False, False, True]
    assert third.task_runs[0].source_run_id == second.id
    assert second.summaries["loss"].sources == ()


def test_an_async_task(ledger: Ledger, salt: str) -> None:
    """Async tasks are sources and hits like others."""

    @tracked_task(cache_policy=INPUTS)
    async def fetch(salt: str) -> int:
        log_metric("rows", 7)
        return 7

    @tracked_flow
    async def fetching(salt: str) -> int:
        return await fetch(salt)

    assert run_async(fetching(salt)) == run_async(fetching(salt)) == 7
    second, first = search_runs("fetching")
    assert (second.metrics["rows"], second.task_runs[0].source_run_id) == (7, first.id)


def test_a_source_that_is_not_tracked(ledger: Ledger, salt: str) -> None:
    """A result that a task of plain Prefect had computed has no source, and the hit says only that it was one."""

    def load(salt: str) -> int:
        return 3

    @tracked_flow
    def mixed(salt: str) -> None:
        task(cache_policy=INPUTS)(load)(salt)
        tracked_task(cache_policy=INPUTS)(load)(salt)

    mixed(salt)
    (hit,) = the_run("mixed").task_runs
    assert (hit.cached, hit.source_run_id, hit.cost) == (True, None, 0)


@outside_flows
@pytest.mark.long
def test_tasks_outside_flows(ledger: Ledger, salt: str) -> None:
    """A task that is a run of its own is source and hit as well, also for steps of flows."""

    @tracked_flow
    def around(salt: str) -> None:
        train(salt, 8)

    train(salt, 8)
    train(salt, 8)
    around(salt)
    second, first = search_runs("train")
    assert (second.status_reason, dict(second.metrics)) == ("taken from the cache", dict(first.metrics))
    assert second.summaries["loss"].sources == (first.id,)
    assert get_run(the_run("around").id).task_runs[0].source_run_id == first.id
    assert the_run("around").metrics["val.auc"] == 0.8
