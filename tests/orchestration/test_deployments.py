"""``deployments/prefect.yaml`` deploys as it is, and a worker runs what stands in it with nothing but the package installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate

from prefect_ledger.tracking.ledger import Ledger
from tests.services_real import runners

FILE = Path(__file__).parents[2] / "deployments" / "prefect.yaml"


@pytest.mark.soak
def test_the_deployments_that_come_with_us(ledger: Ledger, tmp_path: Path) -> None:
    """Every deployment of the file is made, reconcile on a schedule, and a worker in an empty folder runs it."""
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="ledger", type="process"))
        command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(FILE)]
        done = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        reconciling = client.read_deployment_by_name("prefect-ledger-reconcile/reconcile")
        assert [schedule.active for schedule in reconciling.schedules] == [True]
        digits = client.read_deployment_by_name("digits/digits")
        assert [schedule.active for schedule in digits.schedules] == [False]
        run = client.create_flow_run_from_deployment(reconciling.id)
        with runners.worker("ledger", tmp_path) as worker:
            ended = runners.until(lambda: _final(client.read_flow_run(run.id).state_name), worker, tmp_path / "worker.log")
        assert ended == "Completed", (tmp_path / "worker.log").read_text()
        client.delete_deployment(UUID(str(reconciling.id)))
        client.delete_deployment(UUID(str(digits.id)))


def _final(name: str | None) -> str | None:
    return name if name in ("Completed", "Failed", "Crashed", "Cancelled") else None


def test_no_logic_in_the_file() -> None:
    """Deployments are names, parameters and schedules, and their flows are those of the package."""
    import yaml

    found = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    for one in found["deployments"]:
        assert one["entrypoint"].startswith("prefect_ledger.flows."), json.dumps(one)
        assert set(one) <= {"name", "description", "entrypoint", "parameters", "work_pool", "concurrency_limit", "schedules", "tags"}
