"""Promotion beside a real Prefect server: what the flow adds, how soon an approval is acted on, and what going back takes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import stores
from benchmarks.measure import Row, Sample, Work, timed
from prefect_ledger import configure, registry
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.registered import TransitionRequest
from prefect_ledger.tracking.ledger import ledger
from tests.promotion.helpers import ALICE, BOB, CAROL, GATED, trained
from tests.services_real import runners
from tests.services_real.prefect_server import pointed_at, prefect_server

FLOW, PAUSED, SUSPENDED, BACK = 3.0, 5.0, 15.0, 2.0  # s
ASKED = Policy((Rule("churn", "production", approvals=1, aliases=("champion",)),))
_FILE = Path(__file__).parents[1] / "deployments" / "prefect.yaml"


def promoting(work: Work) -> Iterator[Row]:
    """All of it with a tiny model, so that what is timed is ours and Prefect's."""
    with stores.folder() as folder, prefect_server() as url, pointed_at(url):
        home = str(folder / "home")
        configure(home=home)
        try:
            yield Row("promotion flow with no wait", Sample.of([_flow() for _ in range(work.times(5, 3))]), "s", limit=FLOW)
            registry.set_policy(ASKED, by=BOB)
            paused = Sample.of([_paused() for _ in range(work.times(5, 3))])
            yield Row("approval until production moved, paused", paused, "s", limit=PAUSED)
            if work.divisor == 1:
                with _worker(folder, home):
                    suspended = Sample.of([_suspended() for _ in range(work.times(3, 2))])
                yield Row("approval until production moved, suspended", suspended, "s", limit=SUSPENDED)
            back = Sample.of([_back(home, to) for to in (1, 2, 1, 2, 1)[: work.times(5, 3)]])
            yield Row(
                "prefect-ledger rollback, from command to verified",
                back,
                "s",
                limit=BACK,
                note="with the start of the process, which goes on to tell Prefect",
            )
        finally:
            ledger().close()


def _flow() -> float:
    from prefect_ledger.flows.promote import promote

    registry.set_policy(GATED, by=BOB)
    number = trained(by=ALICE).version
    found: list[Any] = []
    seconds = timed(lambda: found.append(promote("churn", number, targets=[], return_state=True)))
    assert found[0].name == "Completed", found
    return seconds


def _paused() -> float:
    from prefect_ledger.flows.promote import promote

    number = trained(by=ALICE).version
    thread = threading.Thread(target=lambda: promote("churn", number, targets=[], return_state=True))
    thread.start()
    request = _until(lambda: _open(number))
    time.sleep(2)  # it waits by now
    begun = time.perf_counter()
    registry.approve(request.id, by=CAROL)
    _until(lambda: registry.get_version("churn", "production").version == number)
    taken = time.perf_counter() - begun
    thread.join()
    return taken


def _suspended() -> float:
    from prefect.client.orchestration import get_client

    number = trained(by=ALICE).version
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("prefect-ledger-promote/promote")
        given = {"name": "churn", "version": number, "targets": []}
        run = client.create_flow_run_from_deployment(deployment.id, parameters=given)
        request = _until(lambda: _open(number))
        _until(lambda: client.read_flow_run(run.id).state_name == "Suspended")
        time.sleep(2)
        begun = time.perf_counter()
        registry.approve(request.id, by=CAROL)
        _until(lambda: registry.get_version("churn", "production").version == number)
        taken = time.perf_counter() - begun
        _until(lambda: client.read_flow_run(run.id).state_name == "Completed")
    return taken


def _back(home: str, to: int) -> float:
    command = [sys.executable, "-m", "prefect_ledger.cli", "rollback", "churn", "--to", str(to), "--why", "measured", "--no-deploy"]
    env = {**os.environ, "PREFECT_LEDGER_HOME": home}
    registry.set_policy(GATED, by=BOB)
    begun = time.perf_counter()
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout is not None
        said = child.stdout.readline()  # written once everything was verified; then it tells Prefect
        taken = time.perf_counter() - begun
        rest = said + child.stdout.read()
    assert child.returncode == 0, rest
    return taken


@contextlib.contextmanager
def _worker(folder: Path, home: str) -> Iterator[None]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    os.environ["PREFECT_LEDGER_HOME"] = home
    try:
        with get_client(sync_client=True) as client:
            client.create_work_pool(WorkPoolCreate(name="ledger", type="process"))
            text = _FILE.read_text(encoding="utf-8").replace("enabled: true", "enabled: false")  # each version is promoted by us alone
            (folder / "prefect.yaml").write_text(text, encoding="utf-8")
            command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", "prefect.yaml"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
        with runners.worker("ledger", folder) as worker:
            log = folder / "worker.log"
            runners.until(lambda: "started" in log.read_text(), worker, log)
            yield
    finally:
        del os.environ["PREFECT_LEDGER_HOME"]


def _open(number: int) -> TransitionRequest | None:
    return next((one for one in registry.list_requests("churn", state="open") if one.version == number), None)


def _until(ask: Callable[[], Any], seconds: float = 90) -> Any:
    end = time.monotonic() + seconds
    while not (found := _quietly(ask)):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def _quietly(ask: Callable[[], Any]) -> Any:
    from prefect_ledger.errors import LedgerError

    with contextlib.suppress(LedgerError):
        return ask()
    return None


BENCHES = {"promoting": promoting}
