"""One pipeline for every place where tasks run, as a script that knows nothing of the ledger but its decorators and verbs."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from prefect import serve, task
from prefect.deployments import run_deployment
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner
from prefect.task_worker import serve as serve_tasks

from prefect_ledger import log_metric, log_text, tracked_flow, tracked_task


@tracked_task(persist_result=True)
def train(depth: int) -> int:
    """Logs a series, an artifact and which process it is."""
    for step in range(3):
        log_metric("loss", depth - step / 10, step=step)
    log_text(f"pid {os.getpid()}", f"notes/{depth}.txt")
    return os.getpid()


@task
def plain(number: int) -> int:
    """Not tracked itself."""
    log_metric("plain", number, step=number)
    return os.getpid()


@tracked_task
async def waiting(number: int) -> int:
    """Async."""
    log_metric("waiting", number)
    return os.getpid()


@tracked_task
def outer(depth: int) -> int:
    """Calls a task, which belongs to the same run."""
    log_metric("outer", depth)
    return train(depth)


@tracked_task(retries=1)
def shaky() -> int:
    """Succeeds when it is tried again."""
    from prefect.runtime import task_run

    log_metric("tries", task_run.run_count)
    if task_run.run_count < 2:
        raise ConnectionError("not yet")
    return os.getpid()


@tracked_flow(experiment="anywhere")
def pipeline() -> list[int]:
    """Submits and maps all of them; gives back in which processes they ran."""
    log_metric("flow", 1)
    futures: list[Any] = [*train.map([1, 2, 3]), plain.submit(7), waiting.submit(5), outer.submit(4), shaky.submit()]
    return [future.result() for future in futures]


@tracked_flow(experiment="anywhere")
def delaying() -> list[int]:
    """Leaves its tasks to a task worker."""
    futures = [train.delay(depth) for depth in (1, 2)]
    for future in futures:
        _wait(future)
    return [future.result() for future in futures]


def _wait(future: Any) -> None:
    """As long as a minute. Prefect's own wait raises where its server has not yet noted a first state, and may miss the last one."""
    until = time.monotonic() + 60
    while not future.state.is_final() and time.monotonic() < until:
        time.sleep(0.2)


@tracked_flow(experiment="below")
def child(depth: int) -> int:
    """Runs as a deployment."""
    log_metric("child", depth)
    return train.submit(depth).result()


spread: Any = ProcessPoolTaskRunner(max_workers=1)
child_spread = child.with_options(name="child-spread", task_runner=spread)


@tracked_flow(experiment="anywhere")
def parent(deployment: str, depth: int) -> None:
    """Has a deployment run a flow, and waits for it."""
    log_metric("parent", 1)
    run = run_deployment(deployment, parameters={"depth": depth}, timeout=120, poll_interval=1)
    assert not hasattr(run, "__await__")
    assert run.state is not None
    assert run.state.is_completed(), run.state


def runner(name: str) -> Any:
    """The task runner of this name, small."""
    if name == "processes":
        return ProcessPoolTaskRunner(max_workers=2)
    if name == "dask":
        from prefect_dask.task_runners import DaskTaskRunner

        options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "host": "127.0.0.1", "dashboard_address": None}
        return DaskTaskRunner(cluster_kwargs=options)
    if name == "ray":
        from prefect_ray import RayTaskRunner  # type: ignore[import-untyped]

        local = {"_node_ip_address": "127.0.0.1", "_temp_dir": os.environ["RAY_TMPDIR"], "include_dashboard": False}
        return RayTaskRunner(init_kwargs={"num_cpus": 2, "object_store_memory": 100 << 20, "log_to_driver": False, **local})
    return ThreadPoolTaskRunner(max_workers=2)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["task-worker"]:
            serve_tasks(train)
        case ["serve"]:
            serve(child.to_deployment("served"))  # type: ignore[arg-type]  # not a coroutine outside of a loop
        case ["delaying"]:
            delaying()
        case ["parent", deployment]:
            parent(deployment, 5)
        case [where]:
            pids = pipeline.with_options(task_runner=runner(where))()
            sys.stdout.write(" ".join(map(str, [os.getpid(), *pids])))
