"""Floor 5. Running a run again from what it recorded, and whether it came out the same."""

from __future__ import annotations

from prefect_ledger.rerun.again import Rerun, planned, rerun
from prefect_ledger.rerun.comparing import compare
from prefect_ledger.rerun.plan import Plan

__all__ = ["Plan", "Rerun", "compare", "planned", "rerun"]
