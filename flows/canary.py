"""Watches a challenger that is served beside the champion, and says whether it goes on or back, as a flow; promotes it where asked to."""

from __future__ import annotations

from typing import Any

from prefect import State

from prefect_ledger import tracked_flow
from prefect_ledger.orchestration import canaries
from prefect_ledger.orchestration.promotions import PromoterInFlow, candidate, publish, state_of
from prefect_ledger.promotion.canary import Rules
from prefect_ledger.promotion.places import check_endpoints, check_targets
from prefect_ledger.promotion.promoter import aliases_of
from prefect_ledger.promotion.promoting import carry_out


@tracked_flow(name="prefect-ledger-canary", experiment="promotions", flow_run_name="canary-{name}-{version}", log_returns=False)
def canary(
    url: str,
    name: str,
    version: int | str = "@challenger",
    seconds: float = 3600.0,
    every: float = 5.0,
    min_requests: int = 500,
    error_margin: float = 0.01,
    latency_times: float | None = 2.0,
    disagreement: float | None = None,
    promote: bool = False,
    stage: str = "production",
    aliases: list[str] | None = None,
    deploy: bool = True,
    targets: list[str] | None = None,
    endpoints: list[str] | None = None,
    wait_hours: float | None = None,
    why: str = "",
) -> State[Any]:
    """Ask the server at ``url``, which was started with ``--beside``, every so many seconds how the two compare, for at most ``seconds``.

    ``min_requests`` to ``disagreement`` are as in ``prefect_ledger.promotion.canary.Rules``; ``stage`` to ``why`` are those of the flow
    ``promote``, which is gone on with where ``promote`` says so.

    Ends as Completed where the version goes on (and, with ``promote``, is in the stage), as Refused (a Completed too) where it goes back or
    could not be judged in time, as Failed where the server cannot be asked. Begun anew after a crash, it does not watch again what it had
    let go on and was about to promote.
    """
    placed, asked = check_targets(targets) if deploy else (), check_endpoints(endpoints or ())
    given = (None, "rows", aliases_of(stage, aliases), placed, asked)
    rules = Rules(min_requests, error_margin, latency_times, disagreement)
    if not (reason := canaries.gone_on() if promote else ""):
        found = canaries.watched(url, name, version, rules, seconds=seconds, every=every)
        canaries.publish(found)
        if found.judged.word != "go on" or not promote:
            return canaries.state_of(found)
        reason = found.reason
    one = PromoterInFlow(name, candidate(name, version, stage), stage, *given, why or f"canary: {reason}")
    told = carry_out(one, None if wait_hours is None else wait_hours * 3600)
    publish(told)
    return state_of(told)
