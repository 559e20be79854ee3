"""Runs of flows and projects, run again, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import search_runs
from prefect_ledger.errors import NotReproducible
from prefect_ledger.projects import run_project
from prefect_ledger.rerun import planned, rerun
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.verdict import Reproduced
from tests.cli.conftest import command
from tests.rerun.conftest import PATIENT, ran
from tests.services.test_changes import run_git

FLOW = (
    """
import random, sys
from dataclasses import dataclass
from prefect_ledger import log_metric, set_seed, tracked_flow, tracked_task
from .helper import scale
from prefect_ledger.orchestration import surroundings
"""
    + PATIENT
    + """
@tracked_task
def step(number: int, depth: int) -> float:
    return scale(random.random(), depth)

@tracked_flow(experiment="again")
def fit(depth: int = 3, names: list[str] | None = None, password: str | None = None) -> dict[str, float]:
    set_seed()
    for number in range(5):
        log_metric("loss", step(number, depth), step=number)
    return {"last": depth / 3}

if __name__ == "__main__":
    fit(depth=7, names=["a", "b"], password=sys.argv[1] if len(sys.argv) > 1 else None)
    surroundings.finish()
"""
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A repository with a package whose module has a flow."""
    folder = tmp_path / "tree"
    (folder / "ours").mkdir(parents=True)
    (folder / "ours" / "__init__.py").touch()
    (folder / "ours" / "helper.py").write_text("def scale(value, depth):\n    return value / depth\n")
    (folder / "ours" / "train.py").write_text(FLOW)
    run_git(folder, "init", "-q")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.mark.long
def test_a_flow_of_a_package_is_called_again_with_what_it_was_called_with(prefect_server: str, package: Path, fresh_ledger: Ledger) -> None:
    """The same parameters and seed, the same points of its tasks; with another parameter it is another result, and that is named first."""
    first = ran(fresh_ledger, package, "-m", "ours.train")
    again = rerun(first.id, verify=True, env_manager="local")
    assert again.verdict is not None
    assert (again.exit_code, again.verdict.result) == (0, Reproduced.IDENTICAL)
    assert (again.run.params["depth"], again.run.tags["rerun.of"]) == ("7", first.id)
    assert again.run.kind == "flow"
    other = rerun(first.id, {"depth": 8}, verify=True, env_manager="local")
    assert other.verdict is not None
    assert other.verdict.result is Reproduced.DIFFERENT
    first_cause: Any = other.verdict.first
    assert (first_cause.cause, first_cause.name, first_cause.before, first_cause.after) == ("inputs", "params.depth", "7", "8")


@pytest.mark.long
def test_a_secret_among_the_parameters_has_to_be_said(prefect_server: str, package: Path, fresh_ledger: Ledger) -> None:
    """It was masked, so nobody knows it; said, the flow is called with it."""
    first = ran(fresh_ledger, package, "-m", "ours.train", "hunter2hunter2")
    with pytest.raises(NotReproducible, match="the values of password are not recorded"):
        rerun(first.id)
    again = rerun(first.id, {"password": "hunter3hunter3"}, verify=True, env_manager="local")
    assert again.verdict is not None
    assert again.verdict.result is Reproduced.IDENTICAL


@pytest.mark.long
def test_a_project_is_run_again_at_its_commit(tmp_path: Path, fresh_ledger: Ledger) -> None:
    """Though the folder has moved on; with its own parameters, of which one is changed."""
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "MLproject").write_text(
        "name: fit\nentry_points:\n  main:\n    parameters:\n      depth: {type: float, default: 3}\n    command: python fit.py {depth}\n"
    )
    (folder / "fit.py").write_text("import sys\nfrom prefect_ledger import log_metric\nlog_metric('double', 2 * float(sys.argv[1]))\n")
    run_git(folder, "init", "-q")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "first")
    first = run_project(folder, parameters={"depth": 4}, env_manager="local", experiment="again", echo=False)
    first.wait()
    (folder / "fit.py").write_text("raise SystemExit(3)\n")
    again = rerun(first.id, verify=True)
    assert again.verdict is not None
    assert (again.exit_code, again.verdict.result, again.run.metrics["double"]) == (0, Reproduced.IDENTICAL, 8.0)
    assert rerun(first.id, {"depth": 5}).run.metrics["double"] == 10.0


@pytest.mark.long
def test_a_project_is_run_again_with_what_was_not_committed(tmp_path: Path, fresh_ledger: Ledger) -> None:
    """Though the folder has lost it, and again from the run that was run again; the program itself keeps nothing."""
    fresh_ledger.settings = replace(fresh_ledger.settings, capture_git=True)
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "MLproject").write_text("name: fit\nentry_points:\n  main: {command: python fit.py}\n")
    (folder / "fit.py").write_text("print('committed')\n")
    run_git(folder, "init", "-q")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "first")
    (folder / "fit.py").write_text("import new\nprint('changed', new.WORD)\n")
    (folder / "new.py").write_text("WORD = 'too'\n")
    first = run_project(folder, env_manager="local", experiment="changed", echo=False)
    run_git(folder, "checkout", "-q", "fit.py")
    (folder / "new.py").unlink()
    assert [said for said in planned(first.id).lacking if "commit" in said] == []
    again = rerun(first.id, verify=True)
    assert again.verdict is not None
    assert again.verdict.differences == ()
    for run in (again.run, rerun(again.run.id).run):
        assert run.reader is not None
        [log] = [one for one in run.artifacts if one.path == "output.log"]
        assert run.reader.read_artifact(log) == b"changed too\n"


@pytest.mark.long
def test_the_command_exits_with_4_where_it_came_out_otherwise(tree: Path, fresh_ledger: Ledger, home: Path) -> None:
    """And with 0 where not; the dry run says what is done, and starts nothing."""
    (tree / "src" / "fit.py").write_text((tree / "src" / "fit.py").read_text().replace("    set_seed()\n", ""))
    first = ran(fresh_ledger, tree, "src/fit.py")
    shown = command("rerun", first.id, "--dry-run", "--json", home=home)
    told = json.loads(shown.stdout)
    assert (shown.returncode, told["command"], told["code"]["commit"]) == (0, "python fit.py", first.facts["git"]["commit"])
    assert len(search_runs("again")) == 1
    done = command("rerun", first.id[:8], "--verify", "--env-manager", "local", "--json", home=home)
    found = json.loads(done.stdout.splitlines()[-1] if done.stdout.count("\n") == 1 else done.stdout)
    assert (done.returncode, found["verdict"], found["metrics"][0]["key"]) == (4, "different", "loss")
    near = command("rerun", first.id[:8], "--verify", "--tolerance", "loss=2", "--env-manager", "local", home=home)
    assert (near.returncode, "within tolerance" in near.stdout) == (0, True)
    wrong = command("rerun", first.id[:8], "--tolerance", "loss=2", home=home)
    assert (wrong.returncode, "add --verify" in wrong.stderr) == (1, True)
