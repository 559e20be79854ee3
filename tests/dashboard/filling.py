"""Fills the ledger of its environment with something for every page, and prints the ids as JSON: run as a process of its own."""

from __future__ import annotations

import json
import math
import sys
import threading
from typing import Any

import numpy as np

from prefect_ledger import create_experiment, log_metric, registry, start_run

HOSTILE = "<script>document.title='owned'</script>[x](javascript:alert(1)) ![p](http://192.0.2.1/p.png) $\\LaTeX$ :smile:"
POLICY = """
[[rule]]
model = "*"
stage = "production"
approvals = 1
identity = "claimed"
gates = ["metrics.auc > 0.5"]
"""


def fill() -> dict[str, Any]:
    """Runs, children, curves, artifacts, models and an open request."""
    ids: dict[str, Any] = {"churn": []}
    create_experiment("churn", tags={"team": "risk"})
    with start_run(experiment="churn", name="search") as parent:
        ids["parent"] = parent.id
    for number in range(12):
        depth, rate = 2 + number % 4, 10.0 ** -(1 + number % 3)
        with start_run(experiment="churn", name=f"trial {number}", tags={"team": "risk"}, parent=parent.id if number < 4 else None) as run:
            ids["churn"].append(run.id)
            run.log_params({"depth": depth, "rate": rate, "model": ("xgb", "lgbm")[number % 2], "seed": 0})
            for step in range(200):
                loss = 10 * math.exp(-step / 40) + depth / 10
                log_metric("train.loss", loss + (25 if number == 3 and step == 77 else 0), step=step)
            run.log_metrics({"auc": 0.7 + number / 50, "seconds": 3.0 + depth})
            run.record_dataset("train", f"{number % 2:02x}" * 32, context="train", rows=100)
    with start_run(experiment="odd", name=HOSTILE, tags={"note": HOSTILE}) as run:
        ids["hostile"] = run.id
        run.log_params({"text": HOSTILE})
        run.log_metrics({"nan": math.nan, "inf": math.inf})
        run.log_series("train.loss", np.array([3.0, 2.0, 2.5]))
        run.log_text(HOSTILE, "notes/hostile.md")
        run.log_text(f"<html><body>{HOSTILE}</body></html>", "page.html")
        run.log_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script><circle r='9'/></svg>", "evil.svg")
        run.log_dict({"a": [1, 2, {"b": HOSTILE}]}, "deep.json")
        run.log_text("a,b\n1,2\n3,4\n", "small.csv")
        run.log_table({"x": [1, 2, 3], "y": ["a", "b", "c"]}, "answers", step=0)
        run.log_table({"x": [4, 5], "y": ["d", "e"]}, "answers", step=1)
        for step in range(3):
            run.log_image(np.full((64, 64), step * 80, np.uint8), key="digits", step=step)
    try:
        with start_run(experiment="odd", name="failed") as run:
            ids["failed"] = run.id
            raise RuntimeError("no luck")
    except RuntimeError:
        pass
    ids |= register()
    for thread in threading.enumerate():
        if thread.name == "prefect-ledger-capture":
            thread.join()  # surroundings are found out beside a run
    return ids


def register() -> dict[str, Any]:
    """A registered model with two versions, one of them serving, and a request for the other that waits for an approval."""
    for number in range(2):
        with start_run(experiment="churn", name=f"fit {number}") as run:
            run.log_metric("auc", 0.8 + number / 10)
            run.log_model(_Constant(number), "churn")
            registry.register_model("churn", f"runs:/{run.id}/churn", by="alice")
    registry.transition("churn", 1, "staging", by="alice")
    registry.set_alias("churn", "champion", 1, by="alice")
    registry.set_policy(POLICY, by="alice")
    asked = registry.request_transition("churn", 2, "production", by="alice")
    return {"model": "churn", "request": asked.id}


class _Constant:
    """A model that says one number."""

    def __init__(self, number: float) -> None:
        self.number = number

    def predict(self, data: Any) -> list[float]:
        """That number for each row."""
        return [self.number] * len(data)


if __name__ == "__main__":
    json.dump(fill(), sys.stdout)
