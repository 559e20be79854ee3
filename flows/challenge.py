"""Compares what waits in staging with the champion, and asks for the promotion of what is better, as a flow to be scheduled."""

from __future__ import annotations

from typing import Any

from prefect import State

from prefect_ledger import tracked_flow
from prefect_ledger.orchestration.challenges import challenged, publish, state_of
from prefect_ledger.promotion import Rows


@tracked_flow(name="prefect-ledger-challenge", experiment="promotions", log_returns=False)
def challenge(
    name: str | None = None,
    stage: str = "production",
    source: str = "staging",
    holdout: str | None = None,
    target: str = "target",
    query: str | None = None,
    columns: list[str] | None = None,
    reference: str | None = None,
    method: str = "predict",
    evaluator: str = "rows",
    why: str = "",
) -> State[Any]:
    """As ``prefect_ledger.promotion.challenge``: of one registered model, or of all that have versions in ``source``.

    Ends as Completed where a request is open for some, or nothing was there to compare; as Refused (a Completed too) where none passed; as
    Failed where some could not be judged and no request is open. The request waits for people; ``promote`` carries it out.
    """
    rows = None if holdout is None else Rows(holdout, target, query, tuple(columns or ()), reference, method)
    found = challenged(name, stage=stage, source=source, rows=rows, evaluator=evaluator, why=why)
    publish(found)
    return state_of(found)
