"""Deployments of projects, on a real Prefect server and with a real worker."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectAlreadyExists, PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.workers.process import ProcessWorker

from prefect_ledger import Run, deploy_project, get_run
from prefect_ledger.errors import DeploymentExists, DeploymentFailed, NotReproducible, ProjectInvalid
from prefect_ledger.orchestration.deployment_files import as_yaml
from prefect_ledger.orchestration.deployment_targets import Target
from prefect_ledger.orchestration.project_deployments import plan
from prefect_ledger.orchestration.reruns import by_deployment
from prefect_ledger.projects.deployments import Asked
from prefect_ledger.rerun import rerun
from prefect_ledger.tracking.ledger import Ledger
from tests.projects.conftest import Write, git, project, repository
from tests.services_real import runners
from tests.services_real.processes import free_port

__all__ = ["project"]

POOL, DOCKER = "projects", "projects-docker"
FLOW = "prefect-ledger-project"
CHURN = """
    [tool.prefect-ledger.project]
    name = "churn"
    [tool.prefect-ledger.project.entry-points.main]
    command = "python train.py {depth} {rate}"
    parameters.depth = { type = "int", default = 6 }
    parameters.rate = { type = "float", default = 0.5 }
    [tool.prefect-ledger.project.entry-points.check]
    command = "python train.py 1 {data}"
    parameters.data = "float"
"""
TRAIN = """
    import sys
    from prefect_ledger import log_metric, start_run
    with start_run():
        log_metric("product", int(sys.argv[1]) * float(sys.argv[2]))
"""


@pytest.fixture
def client(prefect_server: str) -> Iterator[SyncPrefectClient]:
    """The server with a pool of processes and one of containers, afterwards without deployments."""
    with get_client(sync_client=True) as found:
        template = {
            "job_configuration": {"image": "{{ image }}"},
            "variables": {"type": "object", "properties": {"image": {"type": "string"}, "env": {"type": "object"}}},
        }
        for pool in (
            WorkPoolCreate(name=POOL, type="process", base_job_template=ProcessWorker.get_default_base_job_template()),
            WorkPoolCreate(name=DOCKER, type="docker", base_job_template=template),
        ):
            with contextlib.suppress(ObjectAlreadyExists):
                found.create_work_pool(pool)
        yield found
        for one in found.read_deployments():
            found.delete_deployment(one.id)


@pytest.fixture
def churn(project: Write) -> Path:
    """A project with two entry points."""
    return project(pyproject_toml=CHURN, train_py=TRAIN)


def read(client: SyncPrefectClient, name: str) -> DeploymentResponse:
    """The deployment of this name."""
    return client.read_deployment_by_name(f"{FLOW}/{name}")


def ran(client: SyncPrefectClient, run: UUID, worker: subprocess.Popen[bytes], log: Path) -> Run:
    """The flow run, when it has ended, with what it logged."""

    def ended() -> str | None:
        state = client.read_flow_run(run).state
        return state.name if state is not None and state.is_final() else None

    assert runners.until(ended, worker, log) == "Completed", log.read_text()
    return get_run(str(run))


@pytest.mark.long
def test_a_deployed_entry_point_runs_as_its_types_allow(client: SyncPrefectClient, ledger: Ledger, churn: Path, tmp_path: Path) -> None:
    """A value of a wrong type and a parameter that is none are refused before anything starts; a right one reaches the program, whose run
    is below the flow's; and that run is run again by the deployment, at the commit that ran."""
    repository(churn)
    (done,) = deploy_project(churn, ["main"], pool=POOL, parameters={"rate": 0.25}, env_manager="local")
    for wrong in ({"depth": "deep"}, {"depth": 1.5}, {"rate": "fast"}, {"dept": 3}):
        with pytest.raises(PrefectHTTPStatusError, match="parameters"):
            client.create_flow_run_from_deployment(UUID(done.id), parameters={"parameters": wrong})
    with pytest.raises(PrefectHTTPStatusError, match="uri"):
        client.create_flow_run_from_deployment(UUID(done.id), parameters={"uri": "/elsewhere"})
    assert done.id not in {str(one.deployment_id) for one in client.read_flow_runs()}
    run = client.create_flow_run_from_deployment(UUID(done.id), parameters={"parameters": {"depth": 8}}).id
    with runners.worker(POOL, tmp_path) as worker:
        flow = ran(client, run, worker, tmp_path / "worker.log")
        (child,) = flow.children
        assert (child.kind, child.status, child.metrics["product"]) == ("project", "COMPLETED", 2.0)
        assert child.params == {"depth": "8", "rate": "0.25"}
        (churn / "train.py").write_text("raise SystemExit('of another commit')")
        git(churn, "commit", "-qam", "broken")
        again = rerun(child.id, verify=True, deploy=by_deployment)
    assert (again.run.kind, again.run.params, again.run.tags["rerun.of"]) == ("project", child.params, child.id)
    assert again.verdict is not None
    assert again.verdict.result == "identical"
    assert again.run.parent_id is not None
    assert get_run(again.run.parent_id).facts["prefect"]["deployment_id"] == done.id
    with pytest.raises(NotReproducible, match="depth"):
        rerun(child.id, {"depth": "deep"}, deploy=by_deployment)


@pytest.mark.soak  # what is above, by the other run, and with another value
def test_both_runs_are_run_again_by_the_deployment(client: SyncPrefectClient, ledger: Ledger, churn: Path, tmp_path: Path) -> None:
    """The flow's run, at the commit that ran, and the project's with a parameter changed."""
    repository(churn)
    (done,) = deploy_project(churn, ["main"], pool=POOL, parameters={"rate": 0.25}, env_manager="local")
    run = client.create_flow_run_from_deployment(UUID(done.id), parameters={"parameters": {"depth": 8}}).id
    with runners.worker(POOL, tmp_path) as worker:
        flow = ran(client, run, worker, tmp_path / "worker.log")
        (child,) = flow.children
        (churn / "train.py").write_text("raise SystemExit('of another commit')")
        git(churn, "commit", "-qam", "broken")
        again = rerun(flow.id, deploy=by_deployment).run
        assert (again.kind, again.status, again.children[0].metrics) == ("flow", "COMPLETED", child.metrics)
        assert rerun(child.id, {"depth": 4}, deploy=by_deployment).run.metrics["product"] == 1.0


def test_deploying_again_says_what_changed(client: SyncPrefectClient, ledger: Ledger, churn: Path) -> None:
    """The same is no change; what is said changes, what is not said stays, also what somebody added in Prefect."""
    more: dict[str, Any] = {"schedules": ["0 3 * * *"], "tags": ["risk"], "concurrency_limit": 2, "queue": "slow"}
    (first,) = deploy_project(churn, ["main"], pool=POOL, **more)
    assert (first.did, first.name) == ("created", f"{FLOW}/churn-main")
    there = read(client, "churn-main")
    assert (there.work_pool_name, there.work_queue_name, there.tags, there.pull_steps) == (POOL, "slow", ["risk"], [])
    assert there.global_concurrency_limit is not None
    assert there.global_concurrency_limit.limit == 2
    assert there.enforce_parameter_schema
    client.create_deployment_schedules(there.id, [DeploymentScheduleCreate(schedule=CronSchedule(cron="0 9 * * *"))])
    assert [one.did for one in deploy_project(churn, ["main"], pool=POOL, **more)] == ["unchanged"]
    text = (churn / "pyproject.toml").read_text()
    (churn / "pyproject.toml").write_text(
        text.replace("default = 6", "default = 7").replace("rate = {", 'wide = "bool"\nparameters.rate = {')
    )
    with pytest.raises(ProjectInvalid, match="needs wide"):  # which the schedules that are there do not give
        deploy_project(churn, ["main"], pool=POOL)
    new: dict[str, Any] = {"schedules": ["0 4 * * *", "2h"], "parameters": {"wide": True}}
    dry = deploy_project(churn, ["main"], pool=POOL, **new, dry_run=True)
    assert read(client, "churn-main").updated == client.read_deployment(there.id).updated
    assert len(read(client, "churn-main").schedules) == 2
    (second,) = deploy_project(churn, ["main"], pool=POOL, **new)
    assert (dry[0].did, second.did, second.id) == ("updated", "updated", first.id)
    said = "\n".join(second.changes)
    for part in (
        "form's depth: integer, 6 if not given → integer, 7",
        "the form has wide (boolean",
        "0 3 * * * → 0 4 * * *",
        "every 7200 s",
    ):
        assert part in said
    now = read(client, "churn-main")
    assert (now.work_queue_name, now.tags) == ("slow", ["risk"])
    schedules = {one.slug: one.schedule for one in now.schedules}
    assert {getattr(one, "cron", None) for one in schedules.values()} == {"0 4 * * *", "0 9 * * *", None}
    (third,) = deploy_project(churn, ["main"], pool=POOL, schedules=["2h"], parameters={"wide": True})
    assert third.did == "updated"
    assert len(read(client, "churn-main").schedules) == 2


def test_another_projects_deployment_is_left_alone(client: SyncPrefectClient, ledger: Ledger, churn: Path, project: Write) -> None:
    """A name that two projects share is refused with nothing changed, of any entry point, until it is said to be meant."""
    other = project("other", pyproject_toml=CHURN, train_py=TRAIN)
    deploy_project(churn, ["main"], pool=POOL)
    with pytest.raises(DeploymentExists, match="another --name"):
        deploy_project(other, pool=POOL)
    assert [one.name for one in client.read_deployments()] == ["churn-main"]
    done = deploy_project(other, pool=POOL, replace=True)
    assert [(one.name, one.did) for one in done] == [(f"{FLOW}/churn-main", "updated"), (f"{FLOW}/churn-check", "created")]
    assert any(f"parameter uri: {churn}"[:30] in change for change in done[0].changes)


def test_nothing_is_deployed_where_something_is_wrong(client: SyncPrefectClient, ledger: Ledger, churn: Path) -> None:
    """Pool, image, variables, schedule, project: all of it in one message, and no deployment is there afterwards."""
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"pool": "projcts"}, "did you mean 'projects'"),
        ({"pool": POOL, "image": "ml:7"}, "have no image"),
        ({"pool": POOL, "job_variables": {"strem_output": True}}, "did you mean 'stream_output'"),
        ({"pool": DOCKER}, "prefect-ledger project pack"),
        ({"pool": POOL, "schedules": ["0 3 * * *"]}, "needs data"),
        ({"pool": POOL, "env_manager": "docker"}, "docker cannot make"),
    ]
    for more, sentence in wrong:
        with pytest.raises(ProjectInvalid) as told:
            deploy_project(churn, **more)
        assert sentence in str(told.value)
    with pytest.raises(ProjectInvalid) as told:
        deploy_project(churn, pool=DOCKER, job_variables={"imge": "a"}, schedules=["often"])
    assert len(told.value.problems) == 4
    assert client.read_deployments() == []
    said: list[str] = []
    deploy_project(churn, ["main"], pool=DOCKER, image="ml:7", shared=True, progress=said.append)
    assert read(client, "churn-main").job_variables == {"image": "ml:7"}
    assert said == []
    deploy_project(churn, ["main"], pool=POOL, progress=said.append, dry_run=True)
    assert "a worker on another machine" in said[0]


def test_what_prefect_refuses_half_way_is_said(client: SyncPrefectClient, ledger: Ledger, churn: Path) -> None:
    """With Prefect's own words, and which deployments were made before it."""
    import prefect_ledger.orchestration.project_deployments as module

    asked = Asked(str(churn), ("main", "check"))
    found = plan(asked, Target(POOL))
    first, second = found.deployments
    broken = type(second)(second.name, "check", "x", {**second.parameters, "rebuild": "often"}, second.schema)
    with pytest.raises(DeploymentFailed, match=r"churn-check.*deployed before it: churn-main.*rebuild"):
        list(module._applied(client, [first, broken], {first.name: None, broken.name: None}, Target(POOL)))
    assert [one.name for one in client.read_deployments()] == ["churn-main"]


def test_no_api_and_one_that_is_gone(fresh_ledger: Ledger, churn: Path) -> None:
    """Each in a sentence with the next step; no server is begun for it."""
    with temporary_settings(restore_defaults={PREFECT_API_URL}), pytest.raises(DeploymentFailed, match="PREFECT_API_URL"):
        deploy_project(churn, pool=POOL)
    with (
        temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}),
        pytest.raises(DeploymentFailed, match="cannot be asked"),
    ):
        deploy_project(churn, pool=POOL)


@pytest.mark.long
def test_the_file_deploys_the_same(client: SyncPrefectClient, ledger: Ledger, churn: Path, tmp_path: Path) -> None:
    """``prefect deploy`` reads the prefect.yaml, and makes what the command makes, but for the fields of the form."""
    asked, target = Asked(str(churn)), Target(POOL, schedules=(), tags=("risk",), concurrency_limit=1)
    (tmp_path / "prefect.yaml").write_text(as_yaml(plan(asked, target), target))
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(tmp_path / "prefect.yaml")]
    done = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    there = read(client, "churn-check")
    assert there.parameters["entry_point"] == "check"
    after = deploy_project(churn, pool=POOL, tags=["risk"], concurrency_limit=1)
    assert {one.did for one in after} == {"updated"}
    assert all("form" in change for one in after for change in one.changes), json.dumps([one.changes for one in after])
