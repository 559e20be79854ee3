"""``prefect-ledger runs delete`` and ``restore``: who is meant is said first where it is not named, and a deletion can be taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli, document, filled_by

FILL = """
import json, sys
from prefect_ledger import start_run
ids = []
for number in range(4):
    with start_run(experiment="churn" if number else "other", name=f"run {number}") as run:
        run.log_metric("auc", number / 10)
        ids.append(run.id)
json.dump(ids, sys.stdout)
"""


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Cli, list[str]]:
    """The command on a ledger with four runs, whose auc is 0, 0.1, 0.2 and 0.3; and their ids."""
    return filled_by(FILL, tmp_path / "ledger")


def listed(cli: Cli, lifecycle: str) -> set[str]:
    """The ids of the runs in this lifecycle."""
    return {run["id"] for run in document(cli("runs", "list", "--lifecycle", lifecycle, "--json"))["runs"]}


def test_runs_that_are_named(filled: tuple[Cli, list[str]]) -> None:
    """Several runs are deleted at once and restored at once, by the beginnings of their ids; the second time there is nothing to do."""
    cli, ids = filled
    done = cli("runs", "delete", ids[0][:8], ids[1])
    assert done.returncode == 0
    assert "deleted 2 runs" in done.stdout
    assert f"runs restore {ids[0][:8]} {ids[1][:8]}" in done.stdout + done.stderr
    assert listed(cli, "active") == set(ids[2:])
    assert "deleted already" in cli("runs", "delete", ids[0]).stdout
    found = document(cli("experiments", "list", "--json"))["experiments"]
    assert {one["name"]: (one["runs"], one["deleted_runs"]) for one in found} == {"churn": (2, 1), "other": (0, 1), "Default": (0, 0)}
    assert "2 + 1 deleted" in cli("experiments", "list").stdout
    assert set(document(cli("runs", "restore", ids[0], ids[1], "--json"))["runs"]) == set(ids[:2])
    assert listed(cli, "active") == set(ids)


@pytest.mark.long
def test_runs_that_match(filled: tuple[Cli, list[str]]) -> None:
    """--where says which runs it means and changes nothing; with --yes it does; --experiment narrows it; restore does the same back."""
    cli, ids = filled
    words = ("runs", "delete", "--where", "metrics.auc < 0.25")
    done = cli(*words)
    assert done.returncode == 0
    assert all(run[:8] in done.stdout for run in ids[:3])
    assert "3 runs would be deleted" in done.stdout + done.stderr
    assert set(document(cli(*words, "-e", "churn", "--json"))["runs"]) == set(ids[1:3])
    assert listed(cli, "deleted") == set()
    assert "deleted 2 runs" in cli(*words, "-e", "churn", "--yes").stdout
    assert listed(cli, "deleted") == set(ids[1:3])
    assert "1 run would be restored" in (done := cli("runs", "restore", "-w", "metrics.auc > 0.15")).stdout + done.stderr
    assert document(cli("runs", "restore", "-w", "metrics.auc > 0.15", "--yes", "--json"))["runs"] == [ids[2]]
    done = cli("runs", "restore", "-w", "metrics.auc > 5", "--yes")
    assert (done.returncode, "no run to restore" in done.stdout) == (0, True)
    assert "no active runs match" in (done := cli("runs", "delete", "-w", "metrics.auc > 5")).stdout + done.stderr


def test_what_is_not_said_clearly_is_refused(filled: tuple[Cli, list[str]]) -> None:
    """Nobody, both, an empty filter, one that does not parse and a run that is not there are errors, and nothing is changed."""
    cli, ids = filled
    for words in (
        [],
        [ids[0], "--where", "metrics.auc < 1"],
        ["--where", " "],
        ["--where", "metrics.auc <", "--yes"],
        [ids[0], "-e", "churn"],
        [ids[0], "00000000-0000-4000-8000-000000000000"],
    ):
        done = cli("runs", "delete", *words)
        assert done.returncode == 1, words
        assert done.stderr.startswith("error: ")
    assert listed(cli, "active") == set(ids)


def test_the_size_of_a_store_on_postgresql(cli: Cli, postgres_url: str) -> None:
    """``db status`` says how much the tables take, once they are there."""
    there = {"PREFECT_LEDGER_STORE_URL": postgres_url}
    assert document(cli("db", "status", "--json", **there))["bytes"] is None
    cli("db", "upgrade", **there)
    assert document(cli("db", "status", "--json", **there))["bytes"] > 100_000
    assert "size" in cli("db", "status", **there).stdout
