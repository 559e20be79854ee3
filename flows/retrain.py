"""Trains a model anew by a tracked flow, registers what came of it, and asks for its promotion, as a flow to be scheduled or triggered."""

from __future__ import annotations

from typing import Any

from prefect import State

from prefect_ledger import tracked_flow
from prefect_ledger.orchestration.challenges import challenged, publish, state_of
from prefect_ledger.orchestration.retraining import staged, trained
from prefect_ledger.promotion import Rows


@tracked_flow(name="prefect-ledger-retrain", experiment="promotions", flow_run_name="retrain-{name}", log_returns=False)
def retrain(
    name: str,
    flow: str,
    parameters: dict[str, Any] | None = None,
    model: str | None = None,
    timeout_hours: float = 24.0,
    stage: str = "production",
    holdout: str | None = None,
    target: str = "target",
    query: str | None = None,
    columns: list[str] | None = None,
    reference: str | None = None,
    method: str = "predict",
    evaluator: str = "rows",
    why: str = "",
) -> State[Any]:
    """Run ``flow``, a deployment (``digits/digits``) or an entrypoint (``train.py:train``), take the model that it logged under the name
    ``model`` (``name`` if not said), register it under ``name``, and challenge the champion with it.

    Ends as ``challenge`` does; as Failed where the training does, or logged no such model. Begun anew after a crash, what was trained is
    not trained again.
    """
    rows = None if holdout is None else Rows(holdout, target, query, tuple(columns or ()), reference, method)
    run = trained(flow, parameters or {}, seconds=timeout_hours * 3600)
    version = staged(name, run, model or name, why=why)
    found = challenged(name, stage=stage, source="staging", rows=rows, evaluator=evaluator, why=why)
    publish(found)
    return state_of([one for one in found if one.version == version.version])
