"""Floor 5. A run once more by the deployment that it came from: its own, or, for a project's run, that of the flow run above it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import NotReproducible, RunNotFound
from prefect_ledger.projects.deployments import ENTRYPOINT
from prefect_ledger.projects.recording import KIND
from prefect_ledger.rerun.plan import Plan, plan
from prefect_ledger.rerun.recorded import Recorded

if TYPE_CHECKING:
    from prefect_ledger.entities import Run

# Starts a run by a deployment and waits for its end: given the deployment's id and the parameters, returns the run's id and an exit code.
Deploy = Callable[[str, Mapping[str, Any]], tuple[str, int]]


def by_deployment(before: Run, made: Plan, deploy: Deploy) -> tuple[str, int]:
    """Have it run again; returns the id of the run that stands for ``before`` ("" where none came of it), and the exit code.

    A project's run is one below a flow run, of the commit that ran before, whatever its branch is at now.

    Raises:
        NotReproducible: it did not come from a deployment, or parameters of it are not known.
    """
    if made.entry["kind"] == "flow" and made.recorded.deployment:
        return deploy(made.recorded.deployment, _at_commit(made.entry, before))
    above = _above(before) if made.entry["kind"] == "project" else None
    if above is None:
        raise NotReproducible(f"run {before.id[:8]} was not started by a deployment: leave --in-deployment out")
    flow, recorded = above
    given = recorded.entry.get("parameters", {})
    of_point = {**(given.get("defaults") or {}), **(given.get("parameters") or {}), **made.changed}
    again = plan(replace(recorded, entry={**recorded.entry, "parameters": {**given, "parameters": of_point}}))
    new, code = deploy(recorded.deployment, _at_commit(again.entry, flow))
    return _project_below(new), code


def _above(run: Run) -> tuple[Run, Recorded] | None:
    """The flow run that ran this project, and what it recorded, where a deployment of the project flow made it."""
    from prefect_ledger.tracking.reading import get_run

    if run.parent_id is None:
        return None
    try:
        flow = get_run(run.parent_id)
    except RunNotFound:
        return None
    recorded = Recorded.of(flow)
    return (flow, recorded) if recorded.deployment and _is_of_project(recorded.entry) else None


def _at_commit(entry: Mapping[str, Any], flow: Run) -> Mapping[str, Any]:
    """The parameters, where a project is run from git with the commit that was run then: a branch has gone on."""
    parameters: Mapping[str, Any] = entry["parameters"]
    if not _is_of_project(entry):
        return parameters
    commits = {commit for one in flow.children if one.kind == KIND and (commit := Recorded.of(one).code.commit)}
    return {**parameters, "version": commits.pop()} if len(commits) == 1 else parameters


def _is_of_project(entry: Mapping[str, Any]) -> bool:
    return f"{entry.get('module')}.{entry.get('function')}" == ENTRYPOINT


def _project_below(flow_run: str) -> str:
    from prefect_ledger.tracking.reading import get_run

    try:
        return next((one.id for one in get_run(flow_run).children if one.kind == KIND), "")
    except RunNotFound:
        return ""
