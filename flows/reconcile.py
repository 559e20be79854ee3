"""Brings runs whose end nobody could write to the end they had, as a flow to be scheduled."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prefect import flow, get_run_logger

from prefect_ledger import reconcile


@flow(name="prefect-ledger-reconcile", retries=1, retry_delay_seconds=30)
def reconcile_runs(dry_run: bool = False) -> list[dict[str, Any]]:
    """Ask Prefect, locks and leases about every run without a known end; gives back what changed."""
    found = reconcile(dry_run=dry_run)
    log = get_run_logger()
    for change in found.changes:
        log.info("run %s: %s -> %s %s", change.run, change.before, change.after, change.reason)
    if found.trouble:
        raise RuntimeError(f"Prefect could not be asked: {found.trouble}")
    return [asdict(change) for change in found.changes]
