"""Floor 6. The Prefect rooms: what happens in a flow or task run becomes what a run of the ledger says. Nothing else imports Prefect."""

from __future__ import annotations

from prefect_ledger.orchestration.flow import TrackedFlow, tracked_flow
from prefect_ledger.orchestration.task import TrackedTask, tracked_task

__all__ = ["TrackedFlow", "TrackedTask", "tracked_flow", "tracked_task"]
