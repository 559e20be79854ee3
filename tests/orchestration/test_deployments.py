"""``deployments/prefect.yaml`` deploys as it is, and a worker runs what stands in it with nothing but the package installed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectAlreadyExists

from prefect_ledger.tracking.ledger import Ledger
from tests.services_real import runners

FILE = Path(__file__).parents[2] / "deployments" / "prefect.yaml"
NAMES = ("prefect-ledger-reconcile/reconcile", "digits/digits", "prefect-ledger-gc/gc", "prefect-ledger-score/score")


@pytest.fixture
def client(prefect_server: str) -> Iterator[SyncPrefectClient]:
    """The server, with the work pool, and afterwards without the deployments."""
    with get_client(sync_client=True) as found:
        with contextlib.suppress(ObjectAlreadyExists):
            found.create_work_pool(WorkPoolCreate(name="ledger", type="process"))
        yield found
        for one in found.read_deployments():
            found.delete_deployment(one.id)


def _deploy(folder: Path) -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(FILE)]
    done = subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _shown(one: DeploymentResponse) -> dict[str, Any]:
    """What makes a deployment: all but when it was last touched."""
    schedules = [(schedule.slug, schedule.active, str(schedule.schedule)) for schedule in one.schedules]
    kept = {"id", "entrypoint", "parameters", "description", "work_pool_name", "pull_steps", "paused", "concurrency_options"}
    return {**one.model_dump(include=kept), "schedules": schedules}


@pytest.mark.long
def test_deployed_twice_is_deployed_once(client: SyncPrefectClient, tmp_path: Path) -> None:
    """Every deployment of the file is made, reconcile and gc on a schedule, and deploying again makes no second one and changes none."""
    _deploy(tmp_path)
    first = [_shown(client.read_deployment_by_name(name)) for name in NAMES]
    there = len(client.read_deployments())  # other tests' too
    _deploy(tmp_path)
    assert [_shown(client.read_deployment_by_name(name)) for name in NAMES] == first
    assert len(client.read_deployments()) == there
    assert [[active for _, active, _ in one["schedules"]] for one in first] == [[True], [False], [True], []]
    assert [one["pull_steps"] for one in first] == [[], [], [], []]
    assert first[2]["parameters"] == {"dry_run": True, "retention_days": 30, "grace_days": 7}


@pytest.mark.soak
def test_the_deployments_that_come_with_us(client: SyncPrefectClient, ledger: Ledger, tmp_path: Path) -> None:
    """A worker in an empty folder runs what was deployed from a folder that is gone: reconcile and a dry run of gc."""
    (tmp_path / "elsewhere").mkdir()
    _deploy(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").rmdir()
    runs = [client.create_flow_run_from_deployment(client.read_deployment_by_name(name).id).id for name in (NAMES[0], NAMES[2])]
    with runners.worker("ledger", tmp_path) as worker:
        for run in runs:
            ended = runners.until(lambda run=run: _final(client.read_flow_run(run).state_name), worker, tmp_path / "worker.log")  # type: ignore[misc]
            assert ended == "Completed", (tmp_path / "worker.log").read_text()


def _final(name: str | None) -> str | None:
    return name if name in ("Completed", "Failed", "Crashed", "Cancelled") else None


def test_no_logic_in_the_file() -> None:
    """Deployments are names, parameters and schedules, and their flows are those of the package."""
    found = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    for one in found["deployments"]:
        assert one["entrypoint"].startswith("prefect_ledger.flows."), json.dumps(one)
        assert set(one) <= {
            "name",
            "description",
            "entrypoint",
            "parameters",
            "work_pool",
            "concurrency_limit",
            "schedules",
            "tags",
            "triggers",
        }
