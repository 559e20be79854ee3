"""Floor 5. Under which surroundings a run of a script or notebook was started."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect_ledger.settings import Settings
    from prefect_ledger.tracking.runs import ActiveRun


def describe(run: ActiveRun, folder: Path, settings: Settings) -> None:
    """Record what can be known of the surroundings of a run started in ``folder``."""
    from prefect_ledger import capture

    facts: dict[str, Any] = {"environment": capture.environment()}
    if settings.capture_git and (state := capture.git(folder)) is not None:
        facts["git"] = asdict(state)
    run.describe(facts, capture.packages() if settings.capture_packages else None)
