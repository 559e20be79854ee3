"""Takes away what nobody can want any more, as a flow to be scheduled."""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger

from prefect_ledger import collect_garbage


@flow(name="prefect-ledger-gc", retries=1, retry_delay_seconds=60)
def clear_away(
    dry_run: bool = True,
    retention_days: float = 30.0,
    retention: dict[str, float] | None = None,
    grace_days: float = 7.0,
    caches_days: float = 30.0,
) -> dict[str, Any]:
    """Deleted runs, bytes without a row, unfinished uploads, what this machine keeps unused; a dry run only says what would go.

    Gives back how much it was.
    """
    found = collect_garbage(
        dry_run=dry_run, retention_days=retention_days, retention=retention, grace_days=grace_days, caches_days=caches_days
    )
    log = get_run_logger()
    for run in found.runs:
        log.info("run %s %s: %s artifacts, %s bytes", run.id, run.name, run.files, run.size)
    for stray in found.strays:
        log.info("%s: %s bytes, %s", stray.path, stray.size, stray.why)
    for unused in found.caches:
        log.info("%s %s: %s bytes", unused.kind, unused.path, unused.size)
    if found.deliveries:
        log.info("%s deliveries of webhooks", found.deliveries)
    for sentence in found.left:
        log.warning("left: %s", sentence)
    return {
        "runs": len(found.runs),
        "files": len(found.strays),
        "uploads": len(found.uploads),
        "caches": len(found.caches),
        "size": found.size,
        "caches_size": found.caches_size,
        "dry_run": dry_run,
    }
