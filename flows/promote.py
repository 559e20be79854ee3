"""Brings a version of a registered model into production, as a flow: judged, agreed to, moved, deployed, verified, or taken back."""

from __future__ import annotations

from typing import Any

from prefect import State

from prefect_ledger import tracked_flow
from prefect_ledger.orchestration.promotions import PromoterInFlow, candidate, left_alone, publish, state_of
from prefect_ledger.promotion import Rows
from prefect_ledger.promotion.places import check_endpoints, check_targets
from prefect_ledger.promotion.promoter import aliases_of
from prefect_ledger.promotion.promoting import carry_out


@tracked_flow(
    name="prefect-ledger-promote", experiment="promotions", flow_run_name="promote-{name}-{version}-to-{stage}", log_returns=False
)
def promote(
    name: str,
    version: int | str = "staging",
    stage: str = "production",
    holdout: str | None = None,
    target: str = "target",
    query: str | None = None,
    columns: list[str] | None = None,
    reference: str | None = None,
    method: str = "predict",
    evaluator: str = "rows",
    aliases: list[str] | None = None,
    deploy: bool = True,
    targets: list[str] | None = None,
    endpoints: list[str] | None = None,
    wait_hours: float | None = None,
    by_request_only: bool = False,
    approved_only: bool = False,
    why: str = "",
) -> State[Any]:
    """As ``prefect_ledger.promotion.promote``: ``version`` is a number, a stage, "@alias" or "latest"; ``holdout`` a file or database of
    rows with the column ``target``.

    A run of a deployment is suspended until its request is decided, any other is paused; at most ``wait_hours``, as long as the request is
    open if not said. For runs that nobody started: ``by_request_only`` leaves alone what no policy has gates or wants approvals for, and
    what it has gates on rows for, where none are given; ``approved_only`` all but what people have agreed to.

    Ends as Completed where the version is in the stage, as Refused (a Completed too) where gates, people or the policy say no, as Failed
    where it does not work or had to go back. Begun anew after a crash, it goes on where it was.
    """
    rows = None if holdout is None else Rows(holdout, target, query, tuple(columns or ()), reference, method)
    placed = check_targets(targets) if deploy else ()
    given = (rows, evaluator, aliases_of(stage, aliases), placed, check_endpoints(endpoints or ()), why)
    one = PromoterInFlow(name, candidate(name, version, stage), stage, *given)
    if (alone := left_alone(one, by_request_only=by_request_only, approved_only=approved_only)) is not None:
        return alone
    told = carry_out(one, None if wait_hours is None else wait_hours * 3600)
    publish(told)
    return state_of(told)
