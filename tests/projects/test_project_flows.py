"""Projects and Prefect: a project as a flow, and flows in a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_ledger import get_run, run_project
from prefect_ledger.errors import ProjectFailed
from prefect_ledger.flows.project import run_entry_point
from prefect_ledger.tracking.ledger import Ledger
from tests.projects.conftest import Write


def test_a_project_runs_as_a_flow_and_below_it(prefect_server: str, fresh_ledger: Ledger, project: Write) -> None:
    """The project's run is a child of the flow run; where its program fails, so does the flow."""
    folder = project(main_py="import sys; raise SystemExit(int(sys.argv[-1]))")
    done = run_entry_point(str(folder), parameters={"code": 0})
    found = get_run(done)
    assert found.status == "COMPLETED"
    assert found.parent_id is not None
    flow = get_run(found.parent_id)
    assert (flow.kind, flow.status) == ("flow", "COMPLETED")
    with pytest.raises(ProjectFailed):
        run_entry_point(str(folder), parameters={"code": 3})


@pytest.mark.long
def test_a_flow_of_a_project_is_a_run_below_the_projects(prefect_server: str, fresh_ledger: Ledger, project: Write, home: Path) -> None:
    """Its own run, with its own state, in the project's experiment."""
    folder = project(
        main_py="""
        from prefect_ledger import log_metric, tracked_flow

        @tracked_flow
        def train():
            log_metric("loss", 0.5)

        train()
        """
    )
    done = run_project(folder, experiment="outer", echo=False)
    (child,) = get_run(done.id).children
    assert (child.kind, child.experiment, child.status) == ("flow", "outer", "COMPLETED")
    assert child.summaries["loss"].last == 0.5
