"""Sweeps over tracked flows: trials are sub-flows in tasks, on the task runner that is given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType

from prefect_ledger import get_run, search_runs
from prefect_ledger.entities import RunStatus
from prefect_ledger.errors import InvalidValue, NotFound
from prefect_ledger.orchestration.sweeping import FlowRunner, on_tasks, task_runner
from prefect_ledger.sweep.plan import Limits, Plan
from prefect_ledger.sweep.space import Space
from prefect_ledger.sweep.stopping import Median
from prefect_ledger.sweep.sweeping import resume, shown, sweep
from prefect_ledger.sweep.trials import WHY_STOPPED
from prefect_ledger.tracking.ledger import Ledger
from tests.orchestration.conftest import ledger as ledger  # noqa: PLC0414  # the fixture
from tests.services_real.processes import dies_with_us

FILE = Path(__file__).with_name("trained.py")


def plan(runner: FlowRunner, method: str = "grid", **axes: Any) -> Plan:
    """Of the flow's loss."""
    return Plan(Space.read(axes), "loss", method, target=runner.target)


@pytest.mark.long
def test_trials_of_a_flow_are_child_runs_and_are_gone_on_with(ledger: Ledger) -> None:
    """In threads; more trials later are added to the same sweep, and those of before are not run again."""
    runner = FlowRunner(f"{FILE}:train")
    said = plan(runner, "random", x="0..4", kind="plain,bad")
    first = on_tasks(task_runner("threads", 2), lambda: sweep(runner, said, Limits(trials=3, at_once=2), experiment="sweeps"))
    again = on_tasks(task_runner("threads", 2), lambda: resume(runner, first.id, Limits(trials=5, at_once=2)))
    assert sorted(one.trial for one in again.leaderboard) == [0, 1, 2, 3, 4]
    assert {one.trial: one.run_id for one in first.leaderboard}.items() <= {one.trial: one.run_id for one in again.leaderboard}.items()
    for one in again.leaderboard:
        run = get_run(one.run_id)
        assert (run.parent_id, run.experiment, run.params["kind"]) == (first.id, "sweeps", one.parameters["kind"])
        assert one.status is (RunStatus.FAILED if one.parameters["kind"] == "bad" else RunStatus.COMPLETED)
    good = [one.value for one in again.leaderboard if one.status is RunStatus.COMPLETED]
    assert good == sorted(good, key=lambda value: value or 0.0)
    assert len(search_runs("sweeps")) == 6


def test_values_that_a_flow_does_not_take_fail_on_the_leaderboard(ledger: Ledger) -> None:
    """With what Prefect says against them, though its body never began; and they are not tried again."""
    runner = FlowRunner(f"{FILE}:train")
    said = plan(runner, x=["few", 2])
    done = on_tasks(task_runner("threads", 1), lambda: sweep(runner, said))
    assert [(one.parameters["x"], str(one.status)) for one in done.leaderboard] == [(2, "COMPLETED"), ("few", "FAILED")]
    assert "valid number" in get_run(done.leaderboard[1].run_id).status_reason
    again = on_tasks(task_runner("threads", 1), lambda: resume(runner, done.id))
    assert [one.run_id for one in again.leaderboard] == [one.run_id for one in done.leaderboard]


def test_a_flow_that_is_not_there_or_takes_other_parameters_is_refused() -> None:
    """By name, and before anything is begun."""
    with pytest.raises(NotFound, match=r"no file"):
        FlowRunner("nowhere.py:train")
    with pytest.raises(NotFound, match="cannot be loaded"):
        FlowRunner(f"{FILE}:nobody").check(["x"])
    runner = FlowRunner(f"{FILE}:train")
    with pytest.raises(InvalidValue, match="no parameter 'depth'; it has x, kind, seconds"):
        runner.check(["depth", "x"])
    with pytest.raises(InvalidValue, match="needs x"):
        runner.check(["kind"])
    with pytest.raises(InvalidValue, match="threads, processes, dask"):
        task_runner("ray", 2)


@pytest.mark.parametrize("runner", ["threads", pytest.param("processes", marks=pytest.mark.soak)])
@pytest.mark.long
def test_a_trial_that_does_worse_than_the_median_ends_at_its_next_value(ledger: Ledger, runner: str) -> None:
    """As CANCELLED, in Prefect too and without its retries, in a thread and in another process; what remains is run, and it never again."""
    trained = FlowRunner(f"{FILE}:train_in_steps")
    said, rule = plan(trained, x=[1, 2, 3, 9, 1.5]), Limits(at_once=2, stopping=Median(warm_up=5, trials=3))
    lines: list[str] = []
    done = on_tasks(task_runner(runner, 2), lambda: sweep(trained, said, rule, say=lines.append))
    assert [(one.parameters["x"], str(one.status), one.stopped) for one in done.leaderboard] == [
        (1, "COMPLETED", False),
        (1.5, "COMPLETED", False),
        (2, "COMPLETED", False),
        (3, "COMPLETED", False),
        (9, "CANCELLED", True),
    ]
    stopped = done.leaderboard[-1].run_id
    assert any(line.startswith("trial 3: stopped early, ") for line in lines)
    run = get_run(stopped)
    assert (run.attempt, run.status_reason) == (1, WHY_STOPPED)
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(stopped)).state
    assert state is not None
    assert (state.type, state.message) == (StateType.CANCELLED, WHY_STOPPED)
    again = on_tasks(task_runner(runner, 2), lambda: resume(trained, done.id, rule))
    assert [one.run_id for one in again.leaderboard] == [one.run_id for one in done.leaderboard]


@pytest.mark.soak  # a Dask cluster twice, and thirty trials
def test_a_sweep_on_dask_that_is_killed_is_gone_on_with(ledger: Ledger, tmp_path: Path) -> None:
    """SIGKILL half-way: gone on with, every number has one run that completed, and what had ended is not run again."""
    command = [*dies_with_us(), sys.executable, str(FILE)]
    with (tmp_path / "log").open("ab") as log:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ, start_new_session=True)
        assert child.stdout is not None
        run_id = child.stdout.readline().strip()
        until = time.monotonic() + 120
        while child.poll() is None and sum(one.settled for one in shown_now(run_id)) < 12 and time.monotonic() < until:
            time.sleep(0.5)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
    before = [one for one in shown(run_id).leaderboard if one.settled]
    assert 12 <= len(before) < 30
    done = subprocess.run([*command, run_id], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    after = shown(run_id)
    assert sorted(one.trial for one in after.leaderboard) == list(range(30))
    assert {one.status for one in after.leaderboard} == {RunStatus.COMPLETED}
    assert {one.trial: one.run_id for one in before}.items() <= {one.trial: one.run_id for one in after.leaderboard}.items()
    completed = [one for one in search_runs(None, "status = 'COMPLETED'") if one.parent_id == run_id]
    assert len(completed) == 30
    assert after.best is not None
    assert after.best.value is not None
    assert after.best.value < 1
    ledger.flush()


def shown_now(run_id: str) -> Any:
    """The leaderboard, [] before the sweep's run has come to the store."""
    try:
        return shown(run_id).leaderboard
    except (NotFound, InvalidValue):
        return []
