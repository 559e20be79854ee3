"""Goes back to the version that was in production before, as a flow: checked before anything moves, deployed and verified after it."""

from __future__ import annotations

from typing import Any

from prefect import State

from prefect_ledger import tracked_flow
from prefect_ledger.orchestration.promotions import publish, rolled_back, state_of


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
    placed = None if targets is None else tuple(targets)
    alias = ("champion",) if aliases is None else tuple(aliases)
    told = rolled_back(name, why, to, stage, alias, targets=placed if deploy else (), endpoints=tuple(endpoints or ()))
    publish(told)
    return state_of(told)
