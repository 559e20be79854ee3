"""Brings what the registry still has to do to its end, as a flow to be scheduled."""

from __future__ import annotations

from prefect import flow, get_run_logger

from prefect_ledger import registry, webhooks
from prefect_ledger.orchestration.outbox import send_events
from prefect_ledger.orchestration.waking import wake
from prefect_ledger.tracking.ledger import ledger
from prefect_ledger.webhooks import telling


@flow(name="prefect-ledger-outbox", retries=1, retry_delay_seconds=30)
def outbox() -> dict[str, int]:
    """Register models that were logged where the registry may not be written, end requests that expired or are void, post events to
    webhooks and send those that Prefect was not yet told of, tell of alerts that wait, and resume promotions whose request is decided.
    Gives back how many each."""
    done = {"registered": registry.register_logged(), "ended": len(registry.settle())}
    try:
        done["sent"] = send_events()
    finally:  # neither waits for the other's trouble
        done["posted"] = webhooks.deliver().done
    done["told"] = telling.tell_alerts().done
    done["resumed"] = len(wake(ledger().database))
    get_run_logger().info(
        "%(registered)d models registered, %(ended)d requests ended, %(posted)d deliveries posted, %(sent)d events sent,"
        " %(told)d alerts told, %(resumed)d runs resumed",
        done,
    )
    return done
