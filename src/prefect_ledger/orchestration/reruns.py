"""Floor 6. A run once more by the deployment that it was started by, in that deployment's own surroundings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from prefect.deployments import run_deployment

from prefect_ledger.errors import NotReproducible


def by_deployment(deployment: str, parameters: Mapping[str, Any]) -> tuple[str, int]:
    """Start it, wait for its end; returns the id of the flow run and 0 where it completed.

    Raises:
        NotReproducible: Prefect has no such deployment, or cannot be asked.
    """
    try:
        run: Any = run_deployment(UUID(deployment), parameters=dict(parameters), timeout=None, poll_interval=1, as_subflow=False)
    except Exception as error:  # whatever Prefect's client raises: no server, no such deployment, parameters that it refuses
        raise NotReproducible(f"the deployment {deployment} cannot be run: {type(error).__name__}: {error}") from error
    return str(run.id), 0 if run.state is not None and run.state.is_completed() else 1
