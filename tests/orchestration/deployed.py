"""A file of flows as a deployment loads it, and as a script runs it."""

from __future__ import annotations

import os
import sys

from prefect.flow_runs import suspend_flow_run

from prefect_ledger import log_metric, tracked_flow, tracked_task


@tracked_task
def square(number: int) -> int:
    """A step."""
    log_metric("square", number**2, step=number)
    return number**2


@tracked_flow(experiment="deployed", log_prints=False)
def deployed(limit: int, scale: float = 1.0) -> float:
    """Adds squares up, or ends badly."""
    total = scale * sum(square(number) for number in range(limit))
    if limit > 100:
        os._exit(3)
    log_metric("total", total)
    return total


@tracked_flow(experiment="suspended")
def suspended() -> None:
    """Waits for a person, without a process."""
    log_metric("before", 1)
    suspend_flow_run(timeout=600)
    log_metric("after", 1)


if __name__ == "__main__":
    deployed(int(sys.argv[1]))
