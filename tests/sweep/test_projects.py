"""Sweeps over a project: trials are programs, and runs below the sweep's."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import get_run
from prefect_ledger.entities import RunStatus
from prefect_ledger.errors import EntryPointNotFound, InvalidValue, RunInUse
from prefect_ledger.sweep.plan import Limits, Plan
from prefect_ledger.sweep.projects import ProjectRunner
from prefect_ledger.sweep.space import Space
from prefect_ledger.sweep.stopping import Median
from prefect_ledger.sweep.sweeping import resume, shown, sweep
from prefect_ledger.tracking.ledger import Ledger

PROGRAM = """
import pathlib, sys, time
from prefect_ledger import start_run
x = float(sys.argv[sys.argv.index("--x") + 1])
with start_run() as run:
    run.log_metric("loss", float("nan") if x == 3 else (x - 2) ** 2)
    if x == 9 and not pathlib.Path("quick").exists():
        time.sleep(60)
    if x == 4:
        raise ValueError("four")
"""


@pytest.fixture
def runner(tmp_path: Path, fresh_ledger: Ledger) -> ProjectRunner:  # which the project logs into
    """A script that squares."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    return ProjectRunner(str(folder), "train.py", env_manager="local")


def plan(**more: Any) -> Plan:
    """A grid of x."""
    return Plan(Space.read({"x": more.pop("x", [1, 2, 3, 4])}), **{"metric": "loss", "method": "grid", **more})


@pytest.mark.long
def test_trials_are_child_runs_and_the_best_stands_first(runner: ProjectRunner) -> None:
    """With its number, values and state; NaN after what failed with a number."""
    done = sweep(runner, plan(), Limits(at_once=2))
    assert [(one.parameters["x"], str(one.status)) for one in done.leaderboard] == [
        (2, "COMPLETED"),
        (1, "COMPLETED"),
        (4, "FAILED"),
        (3, "COMPLETED"),
    ]
    assert done.best is not None
    assert (done.best.trial, done.best.value) == (1, 0.0)
    parent = get_run(done.id)
    assert (parent.kind, parent.status, parent.metrics["best.loss"]) == ("sweep", RunStatus.COMPLETED, 0.0)
    assert {get_run(one.run_id).parent_id for one in done.leaderboard} == {done.id}


@pytest.mark.long
def test_what_was_broken_off_is_run_anew_and_nothing_twice(runner: ProjectRunner) -> None:
    """Interrupted while a trial sleeps; gone on with, that one has its number and values again, and the others are left as they are."""
    ids: list[str] = []

    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(runner, plan(x=[1, 9, 2]), Limits(at_once=2), say=interrupt, begun=ids.append)
    first = shown(ids[0])
    assert get_run(first.id).status is RunStatus.CANCELLED
    assert [(one.trial, str(one.status)) for one in first.leaderboard if one.value != 49] == [(0, "COMPLETED")]
    Path(runner.target["project"], "quick").touch()
    again = resume(runner, first.id, Limits(at_once=2))
    assert [one.trial for one in again.leaderboard if one.status is RunStatus.COMPLETED] == [2, 0, 1]
    assert {one.trial: one.parameters["x"] for one in again.leaderboard} == {0: 1, 1: 9, 2: 2}
    kept = {one.trial: one.run_id for one in first.leaderboard}
    now = {one.trial: one.run_id for one in again.leaderboard}
    assert now[0] == kept[0]
    assert now[1] != kept[1]
    assert get_run(first.id).status is RunStatus.COMPLETED


def test_nobody_goes_on_with_a_sweep_that_goes_on(runner: ProjectRunner) -> None:
    """Each trial would be run twice."""
    ids: list[str] = []
    refused: list[str] = []

    def interfere(_line: str) -> None:
        with pytest.raises(RunInUse, match="goes on in another process") as error:
            resume(runner, ids[0])
        refused.append(str(error.value))

    done = sweep(runner, plan(x=[1, 2]), Limits(), say=interfere, begun=ids.append)
    assert len(refused) == 2
    assert [one.parameters["x"] for one in done.leaderboard] == [2, 1]


def test_when_time_is_up_what_runs_is_ended(runner: ProjectRunner) -> None:
    """And the sweep says so, and that nothing came of it."""
    done = sweep(runner, plan(x=[9, 9.5]), Limits(seconds=0.5))
    assert done.over == "its time of 0.5 s was up; no trial completed with a value of loss"
    assert [(one.trial, str(one.status)) for one in done.leaderboard] == [(0, "CANCELLED")]
    assert get_run(done.id).status is RunStatus.FAILED


def test_nonsense_is_refused_before_a_run_begins(runner: ProjectRunner, fresh_ledger: Ledger) -> None:
    """A search without an end, a metric of no direction, an entry point that is not there."""
    with pytest.raises(InvalidValue, match="goes on for ever"):
        sweep(runner, plan(method="random"))
    with pytest.raises(InvalidValue, match="lower' or 'higher"):
        plan(metric="epoch")
    with pytest.raises(InvalidValue, match="at_once"):
        Limits(at_once=0)
    with pytest.raises(EntryPointNotFound):
        sweep(ProjectRunner(runner.target["project"], "no.py", env_manager="local"), plan())
    fresh_ledger.flush()
    assert not fresh_ledger.reader.search_runs()


CURVES = """
import sys, time
from prefect_ledger import start_run
x = float(sys.argv[sys.argv.index("--x") + 1])
with start_run() as run:
    for step in range(8):
        run.log_metric("loss", x / (step + 1), step=step)
    if x == 9:
        time.sleep(60)
"""


@pytest.mark.long
def test_a_trial_that_does_worse_than_the_median_is_stopped_and_not_run_again(runner: ProjectRunner) -> None:
    """With its process; the others and the sweep are not touched by it."""
    Path(runner.target["project"], "train.py").write_text(textwrap.dedent(CURVES), encoding="utf-8")
    rule = Limits(at_once=2, stopping=Median(warm_up=5, trials=3))
    done = sweep(runner, plan(x=[1, 2, 3, 9, 1.5]), rule)  # the last is better than the median, however long it takes
    assert [(one.parameters["x"], str(one.status), one.stopped) for one in done.leaderboard] == [
        (1, "COMPLETED", False),
        (1.5, "COMPLETED", False),
        (2, "COMPLETED", False),
        (3, "COMPLETED", False),
        (9, "CANCELLED", True),
    ]
    assert [one.run_id for one in resume(runner, done.id, rule).leaderboard] == [one.run_id for one in done.leaderboard]
