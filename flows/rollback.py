"""Goes back to the version that was in production before, as a flow: checked before anything moves, deployed and verified after it."""

from __future__ import annotations

from typing import Any

from prefect import State

from prefect_ledger import tracked_flow
from prefect_ledger.orchestration.promotions import publish, rolled_back, state_of
from prefect_ledger.promotion.places import check_endpoints, check_targets
from prefect_ledger.promotion.promoter import aliases_of


@tracked_flow(name="prefect-ledger-rollback", experiment="promotions", flow_run_name="rollback-{name}-in-{stage}", log_returns=False)
def rollback(
    name: str,
    why: str,
    to: int | None = None,
    stage: str = "production",
    aliases: list[str] | None = None,
    deploy: bool = True,
    targets: list[str] | None = None,
    endpoints: list[str] | None = None,
) -> State[Any]:
    """As ``prefect_ledger.promotion.rollback``.

    Ends as Completed where the version before is in the stage and whatever serves it answers as it does; as Refused where the policy says
    no; as Failed where something does not work. Begun anew after a crash, it does not go back once more.
    """
    where = {"targets": check_targets(targets) if deploy else (), "endpoints": check_endpoints(endpoints or ())}
    told = rolled_back(name, why, to, stage, aliases_of("production", aliases), **where)  # of these those that mean the one that leaves
    publish(told)
    return state_of(told)
