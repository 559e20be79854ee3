"""Runs an entry point of a project, as a flow to be scheduled."""

from __future__ import annotations

from typing import Any

from prefect import get_run_logger

from prefect_ledger import run_project, tracked_flow
from prefect_ledger.projects.deployments import FLOW


@tracked_flow(name=FLOW, flow_run_name="project-{entry_point}")
def run_entry_point(
    uri: str,
    entry_point: str = "main",
    parameters: dict[str, Any] | None = None,
    version: str | None = None,
    env_manager: str | None = None,
    experiment: str | None = None,
    rebuild: bool = False,
    defaults: dict[str, Any] | None = None,
) -> str:
    """As ``prefect_ledger.run_project``; gives back the id of the project's run, which is a run below this one.

    ``defaults`` are parameters too, which a deployment sets; those of ``parameters`` go before them, and what is null there is as not
    said. What is fetched and built is told to Prefect's log. When the flow run is cancelled, the project ends with all it started.
    """
    said = {name: value for name, value in (parameters or {}).items() if value is not None}
    done = run_project(
        uri,
        entry_point,
        {**(defaults or {}), **said},
        version=version,
        env_manager=env_manager,
        experiment=experiment,
        rebuild=rebuild,
        progress=get_run_logger().info,
    )
    return done.id
