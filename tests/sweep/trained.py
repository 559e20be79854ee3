"""A flow to be swept over, and what sweeps over it on Dask: ``python trained.py [RUN]`` goes on with a sweep."""

from __future__ import annotations

import sys
import time

from prefect_ledger import log_metric, tracked_flow
from prefect_ledger.orchestration.sweeping import FlowRunner, on_tasks, task_runner
from prefect_ledger.sweep.plan import Limits, Plan
from prefect_ledger.sweep.space import Space
from prefect_ledger.sweep.sweeping import resume, sweep


@tracked_flow
def train(x: float, kind: str = "plain", seconds: float = 0.0) -> None:
    """Best at 2."""
    time.sleep(seconds)
    log_metric("loss", (x - 2) ** 2 + (kind != "plain"))
    if kind == "bad":
        raise ValueError("bad")


@tracked_flow(retries=2)
def train_in_steps(x: float) -> None:
    """Falls with each step; that of 9 goes on for a minute, and after whatever fails."""
    for step in range(8 if x != 9 else 600):
        try:
            log_metric("loss", x / (min(step, 7) + 1), step=step)
            time.sleep(0 if x != 9 or step < 8 else 0.1)
        except Exception:  # noqa: BLE001  # as such loops are
            continue


if __name__ == "__main__":
    runner = FlowRunner(f"{__file__}:train", {"seconds": 0.5})
    limits = Limits(trials=30, at_once=2)
    plan = Plan(Space.read({"x": "-10..10", "kind": "plain,other"}), "loss", "optuna", 3, target=runner.target)

    def work(ids: list[str] = sys.argv[1:]) -> object:
        """Begin, or go on."""
        if ids:
            return resume(runner, ids[0], limits)
        return sweep(runner, plan, limits, begun=lambda run: print(run, flush=True))  # for whoever kills us

    on_tasks(task_runner("dask", 2), work)  # type: ignore[arg-type]
