"""The whole story on a real server with a worker: registered, judged, suspended, approved elsewhere, moved, served, refused, gone back."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists

from prefect_ledger import get_run, registry, search_runs
from prefect_ledger.deploying import asking
from prefect_ledger.orchestration.waking import TAG
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.tracking.ledger import Ledger
from tests.orchestration.test_promote_flow import approve
from tests.promotion.helpers import ALICE, BOB, trained
from tests.registry.folding import agrees
from tests.services_real import runners
from tests.services_real.processes import dies_with_us, free_port, start, stop

T = TypeVar("T")
FILE = Path(__file__).parents[2] / "deployments" / "prefect.yaml"
POLICY = Policy((Rule("churn", "production", gates=("metrics.auc >= 0.5",), approvals=1, aliases=("champion",)),))


@pytest.fixture
def client(ledger: Ledger, tmp_path: Path) -> Iterator[SyncPrefectClient]:
    """The server, with all that comes with us deployed, and without it afterwards."""
    with get_client(sync_client=True) as found:
        with contextlib.suppress(ObjectAlreadyExists):
            found.create_work_pool(WorkPoolCreate(name="ledger", type="process"))
        command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(FILE)]
        done = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        yield found
        for one in found.read_deployments():
            found.delete_deployment(one.id)


def until(ask: Callable[[], T | None], what: str, seconds: float = 90) -> T:
    """What ``ask`` gives once it gives something."""
    end = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < end, what
        time.sleep(0.1)
    return found


def state(client: SyncPrefectClient, run: str) -> str:
    """The name of a run's state."""
    return str(client.read_flow_run(run).state_name)  # type: ignore[arg-type]  # it takes texts too


def waiting(request: int) -> str:
    """The run that has this request."""
    return until(lambda: search_runs(filter=f"tags.`{TAG}` = '{request}'") or None, f"no run has request {request}")[0].id


def run_now(client: SyncPrefectClient, **parameters: Any) -> str:
    """A run of the deployment that is begun by hand."""
    deployment = client.read_deployment_by_name("prefect-ledger-promote/promote")
    return str(client.create_flow_run_from_deployment(deployment.id, parameters={"name": "churn", "targets": [], **parameters}).id)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """``prefect-ledger serve models:/churn@champion``: it follows the alias by itself."""
    port = free_port()
    words = ["serve", "models:/churn@champion", "--port", str(port), "--follow", "0.5"]
    command = [*dies_with_us(signal.SIGTERM), sys.executable, "-m", "prefect_ledger.cli", *words]
    child = start(command, folder / "served.log", env=dict(os.environ), cwd=folder)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: asking.metadata(url), (folder / "served.log").read_text())
        yield url
    finally:
        stop(child, signal.SIGTERM)


@pytest.mark.long
def test_from_training_to_production_and_back(client: SyncPrefectClient, ledger: Ledger, tmp_path: Path) -> None:
    """Registering a version begins its promotion, which is suspended until another identity approves from another process; production and
    the endpoint move. A worse candidate is refused with its report. One that answers otherwise when served is taken back by itself, and
    says why. A rollback goes back on purpose. The audit log adds up to all of it."""
    registry.set_policy(POLICY, by=BOB)
    with runners.worker("ledger", tmp_path) as worker:
        log = tmp_path / "worker.log"
        runners.until(lambda: "started" in log.read_text(), worker, log)
        trained(2.0, by=ALICE)
        request = until(lambda: registry.list_requests("churn") or None, log.read_text())[0].id
        run = waiting(request)
        until(lambda: state(client, run) == "Suspended", "not suspended")
        assert registry.get_version("churn", 1).stage == "none"
        approve(request)
        until(lambda: state(client, run) == "Completed", "not completed")
        assert registry.get_version("churn", "@champion").version == 1
        assert get_run(run).tags["promotion.state"] == "promoted"
        with served(tmp_path) as url:
            assert asking.ask(url, [1.0, 2.0]) == [2.0, 4.0]
            trained(3.0, auc=0.1, by=ALICE)
            refused = until(lambda: registry.list_requests("churn", state="rejected") or None, "not refused")[0]
            assert refused.version == 2
            assert "metrics.auc >= 0.5" in refused.reason
            _odd_one()
            odd = until(lambda: [one for one in registry.list_requests("churn") if one.version == 3], "not asked")[0].id
            second = waiting(odd)
            until(lambda: state(client, second) == "Suspended", "not suspended")
            registry.reject(odd, "by hand, with an endpoint to be asked", by=BOB)
            until(lambda: state(client, second) == "Refused", "not refused")
            by_hand = run_now(client, version=3, endpoints=[url])
            asked = until(lambda: [one for one in registry.list_requests("churn", state="open") if one.version == 3], "not asked")[0].id
            assert waiting(asked) == by_hand
            until(lambda: state(client, by_hand) == "Suspended", "not suspended")
            approve(asked)
            until(lambda: state(client, by_hand) == "Failed", "not failed")
            until(lambda: "promotion.state" in get_run(by_hand).tags, "not said")  # Prefect knows it a moment before the store
            assert get_run(by_hand).tags["promotion.state"] == "went back"
            assert registry.get_version("churn", "@champion").version == 1
            assert "answers the example with" in registry.history("churn", 3)[-1].why
            until(lambda: asking.ask(url, [1.0, 2.0]) == [2.0, 4.0], "the endpoint does not go back")
            trained(2.5, by=ALICE)
            better = until(lambda: [one for one in registry.list_requests("churn", state="open") if one.version == 4], "not asked")[0].id
            until(lambda: state(client, waiting(better)) == "Suspended", "not suspended")
            approve(better)
            until(lambda: asking.ask(url, [1.0, 2.0]) == [2.5, 5.0], "the endpoint does not follow")
            registry.rollback("churn", "wrong for new customers", by=BOB)
            until(lambda: asking.ask(url, [1.0, 2.0]) == [2.0, 4.0], "the endpoint does not go back")
    with ledger.database.read() as tx:
        agrees(tx)


def _odd_one() -> None:
    """A version whose answer is another in each process."""
    from prefect_ledger import start_run

    with start_run(experiment="churn") as run:
        run.log_metric("auc", 0.9)
        model = run.log_model(lambda data: [float(os.getpid()) for _ in data], "churn", input_example=[1.0, 2.0], requirements=[])
    registry.register_model("churn", model, by=ALICE)
