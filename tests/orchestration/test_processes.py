"""Flows that run in a process of their own: scripts, and deployments that a runner starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.runner import Runner

from prefect_ledger import TrackedFlow, get_run
from prefect_ledger.recovery import recover
from prefect_ledger.tracking.ledger import Ledger
from tests.orchestration.helpers import run_async, the_run

FILE = Path(__file__).parent / "deployed.py"


@pytest.mark.long
def test_a_script(ledger: Ledger) -> None:
    """A flow that stands in a script is tracked; when the script has ended everything is in the store."""
    subprocess.run([sys.executable, str(FILE), "4"], check=True, env=dict(os.environ), timeout=120)
    run = the_run("deployed")
    assert (run.status, run.params, run.metrics) == ("COMPLETED", {"limit": "4", "scale": "1.0"}, {"square": 9, "total": 14})
    assert len(run.task_runs) == 4
    assert run.facts["prefect"]["entrypoint"].endswith("deployed.py:deployed")
    assert run.facts["environment"]


async def deploy_and_run(*wanted: tuple[str, dict[str, Any]]) -> list[FlowRun]:
    """Runs of flows of :data:`FILE` by a runner, each in a process of its own."""
    async with Runner(name="test", pause_on_shutdown=False) as runner, get_client() as client:
        runs = []
        for number, (name, parameters) in enumerate(wanted):
            loaded: Flow[..., Any] = await Flow.afrom_source(source=str(FILE.parent), entrypoint=f"{FILE.name}:{name}")
            assert isinstance(loaded, TrackedFlow)
            deployment_id = await runner.aadd_deployment(await loaded.ato_deployment(f"nightly-{number}"))
            runs.append(await client.create_flow_run_from_deployment(deployment_id, parameters=parameters))
        await runner.start(run_once=True)
    return runs


@pytest.mark.long
def test_deployments(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that a runner starts has validated parameters, its deployment's name and a status: also when suspended, also when it dies."""
    monkeypatch.chdir(tmp_path)  # Prefect copies a deployment's source into the working folder
    handler = signal.getsignal(signal.SIGTERM)  # the runner sets one of its own
    try:
        good, bad, waiting = run_async(deploy_and_run(("deployed", {"limit": 3}), ("deployed", {"limit": 101}), ("suspended", {})))
    finally:
        signal.signal(signal.SIGTERM, handler)
    run = get_run(str(good.id))
    assert (run.experiment, run.status, run.metrics["total"]) == ("deployed", "COMPLETED", 5)
    assert run.params == {"limit": "3", "scale": "1.0"}
    assert run.facts["prefect"]["deployment_id"] == str(good.deployment_id)
    assert run.facts["deployment"] == "nightly-0"
    paused = get_run(str(waiting.id))
    assert (paused.status, paused.metrics) == ("PAUSED", {"before": 1})
    recover(ledger.settings.journal_folder, ledger.database)
    dead = get_run(str(bad.id))
    assert dead.status == "CRASHED"
    assert "status code: 3" in dead.status_reason
    assert len(dead.metric("square")) == 101
