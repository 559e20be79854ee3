"""Wherever a task runs, what it logs is its run's: one pipeline in every task runner, worker and process, with no code in its tasks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from psutil import Process

from prefect_ledger import Run, search_runs
from prefect_ledger.database import Database
from prefect_ledger.queries import Reader
from prefect_ledger.tracking.ledger import Ledger
from tests.orchestration.helpers import the_run
from tests.services_real.processes import dies_with_us, scratch, start, stop
from tests.services_real.runners import serving, until, worker

FILE = Path(__file__).parent / "anywhere.py"
RUNNERS = ("processes", "dask", pytest.param("threads", marks=pytest.mark.soak), pytest.param("ray", marks=pytest.mark.soak))


def script(*words: str, **more: str) -> str:
    """Run the pipeline's script; returns what it wrote."""
    done = subprocess.run(
        [sys.executable, str(FILE), *words],
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "PREFECT_LEDGER_CAPTURE_CHANGES": "off", **more},
        cwd=FILE.parent,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def process(*words: str, log: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Something that goes on until it is no more needed."""
    child = start([*dies_with_us(signal.SIGTERM), sys.executable, *words], log, env={**os.environ, **more}, cwd=FILE.parent)
    try:
        yield child
    finally:
        stop(child, signal.SIGTERM)


def losses(run: Run) -> list[list[float]]:
    """The series of each step that trained, by what it says of itself."""
    trained = {artifact.task_run_id for artifact in run.artifacts}
    return sorted(list(run.metric("loss", task_run_id=task).values) for task in trained)


@pytest.mark.parametrize("where", RUNNERS)
@pytest.mark.long
def test_task_runners(ledger: Ledger, where: str) -> None:
    """Mapped, submitted, nested, async, retried and untracked tasks log to their flow's run and to their own step, in any task runner."""
    with scratch("ray") as folder:  # a short path: sockets lie below it
        pids = script(where, RAY_TMPDIR=str(folder)).split()
    assert (pids[0] in pids[1:]) == (where == "threads")
    run = the_run("anywhere")
    assert [one.id for one in search_runs()] == [run.id]
    assert run.status == "COMPLETED"
    assert {key: value for key, value in run.metrics.items() if key != "loss"} == {
        "flow": 1,
        "plain": 7,
        "waiting": 5,
        "outer": 4,
        "tries": 2,
    }
    assert (run.summaries["loss"].count, run.summaries["loss"].min, run.summaries["loss"].max) == (12, 0.8, 4)
    assert losses(run) == [[n, n - 0.1, n - 0.2] for n in (1, 2, 3, 4)]
    assert [artifact.path for artifact in run.artifacts] == [f"notes/{n}.txt" for n in (1, 2, 3, 4)]
    steps = {step.name.split("-")[0]: step for step in run.task_runs}
    assert sorted(step.name.split("-")[0] for step in run.task_runs) == ["outer", "shaky", "train", "train", "train", "train", "waiting"]
    assert {step.state for step in run.task_runs} == {"Completed"}
    assert steps["shaky"].tries == 2
    assert not run.notes


@pytest.mark.long
def test_a_task_worker(ledger: Ledger, tmp_path: Path) -> None:
    """What a flow leaves to a task worker is logged to the flow's run."""
    with process(str(FILE), "task-worker", log=tmp_path / "worker.log") as serving_tasks:
        script("delaying")
        assert serving_tasks.poll() is None
        run = the_run("anywhere")
        assert (run.status, dict(run.metrics)) == ("COMPLETED", {"loss": run.metrics["loss"]})
        assert losses(run) == [[1, 0.9, 0.8], [2, 1.9, 1.8]]
        assert [step.state for step in run.task_runs] == ["Completed"] * 2
        (noted,) = {run.read_artifact(f"notes/{n}.txt").decode() for n in (1, 2)}
        assert noted == f"pid {serving_tasks.pid}"


@pytest.mark.long
def test_a_deployment_called_by_a_flow(ledger: Ledger, tmp_path: Path) -> None:
    """A run that run_deployment starts is the caller's child, with an experiment and values of its own."""
    log = tmp_path / "serving.log"
    with serving(FILE, tmp_path) as served:
        until(lambda: "child/served" in log.read_text(), served, log)
        script("parent", "child/served")
        until(lambda: not Process(served.pid).children(), served, log)  # else the runner, told to end, would cancel the run after its end
    run = the_run("anywhere")
    assert (run.status, dict(run.metrics)) == ("COMPLETED", {"parent": 1})
    (below,) = run.children
    assert (below.experiment, below.status, below.params["depth"]) == ("below", "COMPLETED", "5")
    assert dict(below.metrics) == {"child": 5, "loss": 4.8}
    assert losses(below) == [[5, 4.9, 4.8]]


@pytest.mark.soak
def test_a_worker_on_another_machine(ledger: Ledger, tmp_path: Path, postgres_url: str) -> None:
    """A worker that has only environment settings, and its own homes of Prefect and ledger, logs into the same store and artifacts."""
    shared = {"PREFECT_LEDGER_STORE_URL": postgres_url, "PREFECT_LEDGER_ARTIFACT_ROOT": str(tmp_path / "artifacts")}
    there = {"PREFECT_HOME": str(tmp_path / "there/prefect"), "PREFECT_LEDGER_HOME": str(tmp_path / "there/ledger")}
    pool, log = f"elsewhere-{os.getpid()}", tmp_path / "worker.log"
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
    loaded: Any = Flow.from_source(source=str(FILE.parent), entrypoint=f"{FILE.name}:child_spread")
    loaded.to_deployment("elsewhere", work_pool_name=pool).apply()
    with worker(pool, tmp_path, **shared, **there) as working:
        script("parent", "child-spread/elsewhere", **shared)
        until(lambda: not Process(working.pid).children(), working, log)
        database = Database(postgres_url)
        reader = Reader(database)
        (run,) = reader.search_runs("anywhere")
        (below,) = run.children
        assert (run.status, below.status, dict(below.metrics)) == ("COMPLETED", "COMPLETED", {"child": 5, "loss": 4.8})
        assert losses(below) == [[5, 4.9, 4.8]]
        assert below.artifact_uri.startswith(str(tmp_path / "artifacts"))
        assert (Path(below.artifact_uri) / "notes/5.txt").read_text().startswith("pid ")
        database.close()
    assert list((tmp_path / "there").rglob("journal*"))
