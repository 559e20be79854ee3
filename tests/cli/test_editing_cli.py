"""``prefect-ledger runs rename|describe|tag``, ``experiments describe|tag`` and ``alerts``: what people write afterwards, and are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli, document, filled_by

FILL = """
import json, sys
from prefect_ledger import start_run
ids = []
for number in range(3):
    with start_run(experiment="churn", name=f"run {number}") as run:
        run.log_metric("auc", number / 10)
        run.alert(f"[red]alert[/red] {number}", "\\x1b[2Jtext", level=("info", "warning", "error")[number])
        ids.append(run.id)
json.dump(ids, sys.stdout)
"""


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Cli, list[str]]:
    """The command on a ledger with three runs, each with an alert; and their ids."""
    return filled_by(FILL, tmp_path / "ledger")


def test_names_descriptions_and_tags(filled: tuple[Cli, list[str]]) -> None:
    """Ended runs and experiments are renamed, described and tagged, many at once where a filter means them, and pages show it."""
    cli, ids = filled
    assert "now called baseline" in cli("runs", "rename", ids[0][:8], "baseline").stdout
    assert cli("runs", "describe", ids[0], "the first of all").returncode == 0
    page = cli("runs", "show", ids[0]).stdout
    assert "baseline" in page
    assert "the first of all" in page
    dry = cli("runs", "tag", "--where", "metrics.auc > 0.05", "--tag", "good=yes")
    assert "2 runs would be tagged, none was; --yes does it" in dry.stdout + dry.stderr
    assert "tagged 2 runs" in cli("runs", "tag", "--where", "metrics.auc > 0.05", "--tag", "good=yes", "--yes").stdout
    assert document(cli("runs", "tag", ids[0], "-t", "good=no", "-r", "draft", "--json"))["runs"] == [ids[0]]
    runs = document(cli("runs", "list", "--json"))["runs"]
    assert {run["id"]: run["tags"] for run in runs} == {ids[0]: {"good": "no"}, ids[1]: {"good": "yes"}, ids[2]: {"good": "yes"}}
    assert {run["id"]: run["description"] for run in runs}[ids[0]] == "the first of all"
    assert cli("experiments", "describe", "churn", "who leaves").returncode == 0
    assert "team=risk" in cli("experiments", "tag", "churn", "team=risk", "--remove", "draft").stdout
    assert "who leaves" in cli("experiments", "show", "churn").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("runs", "tag", "12345678"), "say which tags: key=value"),
        (("runs", "tag", "12345678", "--tag", "novalue"), "write key=value"),
        (("runs", "tag", "--tag", "a=b"), "say which runs to tag"),
        (("runs", "rename", "12345678", "x"), "no run has an id that begins with '12345678'"),
        (("experiments", "tag", "churn"), "say which tags: key=value"),
    ],
)
def test_what_is_wrong_is_said(filled: tuple[Cli, list[str]], words: tuple[str, ...], says: str) -> None:
    """A wrong command exits with 1, says what would be right, and changes nothing."""
    cli, _ = filled
    done = cli(*words)
    assert done.returncode == 1
    assert says in done.stderr


def test_alerts_are_listed_and_harmless(filled: tuple[Cli, list[str]]) -> None:
    """Alerts are listed with their runs, the latest first, from a level on, without their control characters or markup taken for real."""
    cli, ids = filled
    shown = cli("alerts", "list", "-e", "churn").stdout
    assert shown.index(ids[2][:8]) < shown.index(ids[0][:8])
    assert "[red]alert[/red] 0" in shown
    assert "\x1b[2J" not in shown
    found = document(cli("alerts", "list", "--level", "warning", "--json"))["alerts"]
    assert [(one["run_id"], one["level"]) for one in found] == [(ids[2], "error"), (ids[1], "warning")]
    assert "[red]alert[/red] 1" in cli("runs", "show", ids[1]).stdout
    done = cli("alerts", "send")
    assert "told of no alerts" in done.stdout or "told of 0 alerts" in done.stdout
    assert "PREFECT_LEDGER_ALERT_TO" in done.stdout + done.stderr
