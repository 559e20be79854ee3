"""Brings what the registry still has to do to its end, as a flow to be scheduled."""

from __future__ import annotations

from prefect import flow, get_run_logger

from prefect_ledger import registry
from prefect_ledger.orchestration.outbox import send_events


@flow(name="prefect-ledger-outbox", retries=1, retry_delay_seconds=30)
def outbox() -> dict[str, int]:
    """Register models that were logged where the registry may not be written, end requests that expired or are void, and send the events
    that Prefect was not yet told of; gives back how many of each."""
    done = {"registered": registry.register_logged(), "ended": len(registry.settle()), "sent": send_events()}
    get_run_logger().info("%(registered)d models registered, %(ended)d requests ended, %(sent)d events sent", done)
    return done
