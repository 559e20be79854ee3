"""Flows that meet their fate: served from this file, run by a worker, or run as a script. Each says in a file who it is and waits."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from prefect import serve
from prefect.flow_runs import suspend_flow_run
from prefect.runtime import flow_run

from prefect_ledger import current_run, log_metric, log_param, start_run, tracked_flow, tracked_task

PATIENCE = 180


def _mark(folder: str) -> None:
    """Say that this run is on its way: its id names a file that holds the process's id."""
    part = Path(folder) / f".{os.getpid()}"
    part.write_text(str(os.getpid()), encoding="ascii")
    part.replace(Path(folder) / str(flow_run.id))


@tracked_flow(experiment="fates", log_prints=False)
def waits(folder: str) -> None:
    """Logs and waits for whatever comes."""
    log_metric("loss", 0.5)
    _mark(folder)
    time.sleep(PATIENCE)


@tracked_flow(experiment="fates")
def strict(depth: int) -> None:
    """Takes a number."""
    log_metric("depth", depth)


@tracked_task
def look(number: int) -> None:
    """A step that logs."""
    for step in range(3):
        log_metric("score", number + step, step=step)


@tracked_task(retries=1)
def shaky() -> None:
    """Fails at its first try."""
    from prefect.runtime import task_run

    log_metric("tries", task_run.run_count)
    if task_run.run_count < 2:
        raise ConnectionError("not yet")


@tracked_flow(experiment="fates")
def suspends(timeout: int = 600) -> None:
    """Waits for a person, without a process; begins anew when resumed."""
    log_metric("before", 1)
    look(10)
    suspend_flow_run(timeout=timeout)
    log_metric("after", 1)


@tracked_flow(experiment="fates", retries=1)
def fails_at_first() -> None:
    """Fails twice, by itself, and goes through when somebody asks for another attempt."""
    count = int(flow_run.run_count or 0)
    log_param("count", count)
    log_metric("count", count)
    look(count)
    shaky()
    if count < 3:
        raise RuntimeError(f"attempt {count}")


@tracked_flow(experiment="chaos", log_prints=False)
def toils(folder: str, seconds: float, fails: bool) -> None:
    """Logs without a pause, and keeps beside it how many calls had returned; then fails at its first attempt, if it is to."""
    run = current_run()
    _mark(folder)
    end, step = time.monotonic() + seconds, 0
    with (Path(folder) / f"logged-{run.id}-{run.attempt}").open("w", encoding="ascii") as count:
        while time.monotonic() < end:
            log_metric("step", step, step=step)
            step += 1
            count.seek(0)
            count.write(str(step))
            count.flush()
            time.sleep(0.001)
    look(step)
    if fails and run.attempt == 1:
        raise RuntimeError("as asked")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        kinds: tuple[Any, ...] = (waits, strict, suspends, fails_at_first)
        serve(*(kind.to_deployment("served", enforce_parameter_schema=False) for kind in kinds), limit=20)
    elif sys.argv[1] == "bare":
        run = start_run(experiment="fates")
        run.log_metric("loss", 0.5)
        (Path(sys.argv[2]) / run.id).write_text(str(os.getpid()), encoding="ascii")
        time.sleep(PATIENCE)
    else:
        waits(sys.argv[2])
