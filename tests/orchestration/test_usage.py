"""What runs and tasks used, under Prefect: retries, caches, pools of threads and processes, children. Nothing is counted twice."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from prefect.cache_policies import INPUTS
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

from prefect_ledger import Run, search_runs, tracked_flow, tracked_task
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.usage import Used
from tests.orchestration.helpers import run_async, the_run

PART = 0.1  # seconds of CPU that a task uses
LEAST = 0.9 * PART  # clocks of threads and of the process are not quite the same


def burn(seconds: float = PART) -> None:
    """Use that much of this thread's CPU time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(200))


def used(run: Run, name: str) -> list[Used]:
    """What the task runs of this name used, the first one first."""
    return [run.usage.tasks.get(step.id, Used()) for step in run.task_runs if step.name.startswith(f"{name}-")]


@contextmanager
def accounted(*experiments: str) -> Iterator[None]:
    """What the runs of these experiments used, all together, is not more than this process did."""
    before = time.process_time()
    yield
    spent = time.process_time() - before
    runs = [run for experiment in experiments for run in search_runs(experiment)]
    assert sum(run.usage.run.cpu for run in runs) <= spent + 0.001


@tracked_task
def works(number: int) -> int:
    """Uses CPU."""
    burn()
    return number


@tracked_task(retries=1)
def shaky() -> None:
    """Fails at its first try, after twice the work of the second."""
    from prefect.runtime import task_run

    burn(2 * PART if task_run.run_count == 1 else PART)
    if task_run.run_count == 1:
        raise ConnectionError("not yet")


@tracked_task(cache_policy=INPUTS, persist_result=True)
def cached(salt: str) -> None:
    """Does its work once."""
    burn()


# --- retries --------------------------------------------------------------------------------------------------------


def test_tries_of_a_task(ledger: Ledger) -> None:
    """A task that was tried again is charged for all its tries, and the time of the one that failed is told apart."""

    @tracked_flow(experiment="tries")
    def trying() -> None:
        shaky()

    with accounted("tries"):
        trying()
    run = the_run("tries")
    (one,) = used(run, "shaky")
    assert one.cpu >= 3 * LEAST
    assert one.retried >= 2 * LEAST
    assert one.ran >= one.retried + LEAST
    assert run.usage.run.retried == one.retried


def test_attempts_of_a_flow(ledger: Ledger) -> None:
    """A flow that was tried again is charged for each attempt, with its tasks; only its own time in the failed one was in vain."""

    @tracked_flow(experiment="attempts", retries=1)
    def again() -> None:
        from prefect.runtime import flow_run

        burn()
        works(1)
        if flow_run.run_count == 1:
            raise RuntimeError("once more")

    with accounted("attempts"):
        again()
    run = the_run("attempts")
    assert len(used(run, "works")) == 2
    assert all(one.cpu >= LEAST and one.retried == 0 for one in used(run, "works"))
    assert run.usage.own.cpu >= 2 * LEAST
    assert run.usage.own.retried >= LEAST
    assert run.usage.own.ran > run.usage.own.retried
    assert run.usage.run.cpu >= 4 * LEAST


def test_a_cached_task_used_nothing(ledger: Ledger) -> None:
    """A task whose result came from the cache is charged nothing, in the same run and in another; the one that had worked is."""
    salt = str(uuid4())

    @tracked_flow
    def caching() -> None:
        cached(salt)
        cached(salt)

    with accounted("first", "second"):
        caching.with_options(experiment="first")()
        caching.with_options(experiment="second")()
    first = used(the_run("first"), "cached")
    assert (first[0].cpu >= LEAST, first[1]) == (True, Used())
    assert used(the_run("second"), "cached") == [Used(), Used()]
    assert [step.cached for step in the_run("second").task_runs] == [True, True]


# --- pools ----------------------------------------------------------------------------------------------------------


def test_threads_of_a_pool(ledger: Ledger) -> None:
    """Tasks side by side in threads share what their process used: all of it, and no more."""

    @tracked_flow(experiment="threads", task_runner=ThreadPoolTaskRunner(max_workers=3))  # type: ignore[arg-type]
    def mapped() -> None:
        for future in works.map([1, 2, 3]):
            future.result()

    with accounted("threads"):
        mapped()
    parts = used(the_run("threads"), "works")
    assert len(parts) == 3
    assert sum(one.cpu for one in parts) >= 3 * LEAST


def test_a_task_that_had_to_wait(ledger: Ledger) -> None:
    """A task that found all threads taken says how long it waited; a task that was called did not wait for others."""

    gate = threading.Event()

    @tracked_task
    def holds() -> None:
        gate.wait(30)

    @tracked_flow(experiment="queue", task_runner=ThreadPoolTaskRunner(max_workers=1))  # type: ignore[arg-type]
    def queued() -> None:
        futures: list[Any] = [holds.submit(), works.submit(1)]
        time.sleep(3 * PART)
        gate.set()
        for future in futures:
            future.result()

    queued()
    [waiting] = used(the_run("queue"), "works")
    assert waiting.waited >= 2 * PART


@tracked_flow(experiment="processes", task_runner=ProcessPoolTaskRunner(max_workers=1))  # type: ignore[arg-type]
def spread() -> None:
    """Works in a process of a pool."""
    futures: list[Any] = [*works.map([1, 2]), shaky.submit()]
    for future in futures:
        future.result()


@pytest.mark.long
def test_processes_of_a_pool(ledger: Ledger) -> None:
    """What tasks used in processes of their own is theirs, tries that failed there too, and not the flow's."""
    before = time.process_time()
    spread()
    here = time.process_time() - before
    run = the_run("processes")
    assert [one.cpu >= LEAST for one in used(run, "works")] == [True] * 2
    (one,) = used(run, "shaky")
    assert (one.cpu >= 3 * LEAST, one.retried >= 2 * LEAST) == (True, True)
    assert run.usage.own.cpu <= here + 0.001
    assert run.usage.total.cpu == pytest.approx(run.usage.own.cpu + sum(task.cpu for task in run.usage.tasks.values()))


# --- children -------------------------------------------------------------------------------------------------------


@tracked_flow(experiment="family")
def child(depth: int) -> None:
    """Works, has a task work, and calls itself."""
    burn()
    works(depth)
    if depth > 1:
        child(depth - 1)


def test_children_are_added_up(ledger: Ledger) -> None:
    """A run's total has its children and theirs, each once; what they used is not its own."""

    @tracked_flow(experiment="family", name="root")
    def root() -> None:
        child(2)

    with accounted("family"):
        root()
    runs = {run.params.get("depth", "root"): run for run in search_runs("family")}
    top, middle, bottom = (runs[name].usage for name in ("root", "2", "1"))
    assert bottom.children == Used()
    assert all(usage.run.cpu >= 2 * LEAST for usage in (middle, bottom))
    assert middle.children.cpu == pytest.approx(bottom.run.cpu)
    assert top.children.cpu == pytest.approx(middle.run.cpu + bottom.run.cpu)
    assert top.total.cpu == pytest.approx(top.own.cpu + top.children.cpu)
    assert top.tasks == {}


def test_a_flow_called_by_a_task(ledger: Ledger) -> None:
    """What a flow used that a task called is the flow's, not the task's, and below the run of both."""

    @tracked_task
    def calls() -> None:
        burn()
        child(1)

    @tracked_flow(experiment="calling")
    def calling() -> None:
        calls()

    with accounted("calling"):
        calling()
    run = the_run("calling")
    (one,) = used(run, "calls")
    (below,) = run.children
    assert one.cpu >= LEAST
    assert below.usage.run.cpu >= 2 * LEAST
    assert run.usage.total.cpu == pytest.approx(run.usage.run.cpu + below.usage.run.cpu)


@pytest.mark.long
def test_flows_side_by_side(ledger: Ledger) -> None:
    """Flows that take turns in one event loop share what the process used, and all of it together is no more than that."""

    @tracked_flow(experiment="turns")
    async def turning() -> None:
        for _ in range(4):
            burn(PART / 4)
            await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(turning(), turning())

    with accounted("turns"):
        run_async(both())
    assert sum(run.usage.own.cpu for run in search_runs("turns")) >= 2 * LEAST


@pytest.mark.parametrize("how", ["raises", "leaves"])
def test_bodies_that_end_badly(ledger: Ledger, how: str) -> None:
    """A run that failed or was left by SystemExit is charged for what it did; only a failure is time in vain."""
    end: BaseException = RuntimeError("no") if how == "raises" else SystemExit(3)

    @tracked_flow(experiment="bad")
    def bad() -> None:
        burn()
        raise end

    with pytest.raises((RuntimeError, SystemExit)):
        bad()
    own = the_run("bad").usage.own
    assert own.cpu >= LEAST
    assert (own.retried > 0) is (how == "raises")
