"""The demo, as a new user meets it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.cli.conftest import command, document, process, python
from tests.serving.running import server


@pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="the extra 'demo' is not installed")
@pytest.mark.long
def test_the_demo_runs_from_nothing_to_a_leaderboard(tmp_path: Path) -> None:
    """On an empty machine, without a Prefect API: eight child runs of three families, curves, plots, data, a retried task, a winner."""
    home = tmp_path / "ledger"
    (tmp_path / "home").mkdir()
    done = process("demo", home=home, HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "leaderboard" in done.stdout
    assert "prefect-ledger runs compare" in done.stdout
    runs = document(command("runs", "list", "-e", "digits", "--json", home=home))["runs"]
    [parent] = [run for run in runs if run["parent_id"] is None]
    children = [run for run in runs if run["parent_id"] == parent["id"]]
    assert {run["status"] for run in runs} == {"COMPLETED"}
    assert len(children) == 8
    assert len({run["params"]["family"] for run in children}) == 3
    whole = document(command("runs", "show", parent["id"], "--json", home=home))
    assert {task["tries"] for task in whole["task_runs"]} == {1, 2}
    files = {one["path"] for one in whole["artifacts"] if not one["path"].startswith("models/")}
    assert files == {"candidates.json", "report.md", "roc.png"}
    assert {one["name"] for one in whole["datasets"]} == {"digits-train", "digits-test"}
    best = max(children, key=lambda run: (run["metrics"]["val.accuracy"], -run["metrics"]["val.loss"]))
    assert parent["tags"]["winner"] == best["name"]
    winner = document(command("runs", "show", best["id"], "--json", home=home))
    assert winner["summaries"]["val.loss"]["count"] == 20
    assert {one["path"].rpartition("/")[2] for one in winner["artifacts"]} >= {"confusion.png", "MLmodel", "model.skops"}
    assert winner["facts"]["packages"]["scikit-learn"]
    _promoted(done.stdout, home)
    [model] = whole["models"]
    assert f"prefect-ledger serve runs:/{parent['id'][:8]}/best" in done.stdout
    with server(f"runs:/{parent['id']}/best", tmp_path, home=home) as served:
        status, found, headers = served.ask({"inputs": [[0.0] * 64]})
        assert (status, headers["x-model-id"]) == (200, model["id"])
        assert found["predictions"][0] in range(10)


def _promoted(said: str, home: Path) -> None:
    """The best was agreed to by somebody else and served, the worst refused with the gate's words, and the second went back to the best."""
    versions = {one["version"]: one for one in document(command("models", "versions", "digits", "--json", home=home))["versions"]}
    assert {number: one["stage"] for number, one in versions.items()} == {1: "production", 2: "none", 3: "archived"}
    assert versions[1]["aliases"] == ["champion"]
    requests = document(command("promotion", "list", "--json", home=home))["requests"]
    assert [(one["version"], one["state"]) for one in requests] == [(3, "done"), (2, "rejected"), (1, "done")]
    assert "metrics.val.accuracy >= champion.metrics.val.accuracy - 0.02 does not hold" in said
    assert "version 1 is in production again; local/digits-demo answers: it answers the example as the version does" in said
    assert document(command("deploy", "list", "local", "--json", home=home))["deployments"] == []


def test_a_missing_extra_is_named_before_anything_starts(tmp_path: Path) -> None:
    """Without scikit-learn the demo says what to install, and neither Prefect nor a ledger was touched."""
    script = """
import sys
sys.modules["sklearn"] = None  # as if it were not installed
from prefect_ledger.cli import main
code = main(["demo"])
assert "prefect" not in sys.modules
sys.exit(code)
"""
    done = python(script, tmp_path / "ledger")
    assert done.returncode == 1
    assert "pip install 'prefect-ledger[demo]'" in done.stderr
    assert not (tmp_path / "ledger").exists()
