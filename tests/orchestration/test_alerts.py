"""Alerts of flows: Prefect has them as events, for its automations, and its notification blocks say them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from prefect.blocks.abstract import NotificationBlock

from prefect_ledger import alert, configure, get_run, search_alerts, tracked_flow, tracked_task
from prefect_ledger.flows.outbox import outbox
from prefect_ledger.settings import Settings
from prefect_ledger.tracking.ledger import Ledger
from tests.orchestration.helpers import heard
from tests.services_real import errands


class AlertFile(NotificationBlock):
    """Writes what it is told into a file."""

    _block_type_slug = "alert-file"
    path: str

    def notify(self, body: str, subject: str | None = None) -> None:  # type: ignore[override]  # Prefect takes both kinds
        """Add a line."""
        with Path(self.path).open("a", encoding="utf-8") as file:
            file.write(f"{subject} | {body!r}\n")


@tracked_task
def watchful() -> None:
    """A task that sees something."""
    alert("drift", "PSI 0.4", level="warning")


@tracked_flow(experiment="watched")
def nightly() -> None:
    """A flow whose task says an alert."""
    watchful()


@pytest.mark.long
def test_prefect_has_it_as_an_event(ledger: Ledger) -> None:
    """An alert of a task arrives at the server as an event of its run, with level and experiment to match by, with no setting made."""
    state = nightly(return_state=True)
    run = str(state.state_details.flow_run_id)
    [event] = heard(f"prefect-ledger.run.{run}")
    assert event["event"] == "prefect-ledger.run.alert"
    assert event["resource"]["prefect-ledger.level"] == "warning"
    assert event["resource"]["prefect-ledger.experiment"] == "watched"
    assert (event["payload"]["title"], event["payload"]["text"]) == ("drift", "PSI 0.4")
    errands.rest()
    [found] = get_run(run).alerts
    assert (found.told, found.task_run_id != "") == (("prefect",), True)


def test_a_notification_block_says_it(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of the settings is told title, level, text and run; one that is not there is named in the answer, and the others are told."""
    AlertFile(path=str(tmp_path / "said.txt")).save("team", overwrite=True)
    monkeypatch.setattr(ledger, "settings", Settings.resolve(alert_to="block:alert-file/team, block:alert-file/nobody"))
    state = nightly(return_state=True)
    run = str(state.state_details.flow_run_id)
    errands.rest()
    said = (tmp_path / "said.txt").read_text()
    assert said.startswith("warning: drift | 'PSI 0.4\\n\\nrun ")
    assert f"({run}) of experiment watched" in said
    [found] = get_run(run).alerts
    assert set(found.told) == {"prefect", "block:alert-file/team"}
    assert found.answer.startswith("block:alert-file/nobody:")
    assert found.waiting


def test_the_outbox_tells_what_was_left(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduled flow tells of alerts that nobody could tell of."""
    from prefect_ledger.tracking import context

    monkeypatch.setattr(context, "crier", None)
    state = nightly(return_state=True)
    assert outbox()["told"] == 1
    [found] = get_run(str(state.state_details.flow_run_id)).alerts
    assert found.told == ("prefect",)


@pytest.mark.soak
def test_no_server_of_prefect_outlives_the_process(tmp_path: Path) -> None:
    """Where no server is named, a block is asked of one that Prefect begins for it; begun while the process ends, it ends with it."""
    program = "from prefect_ledger import start_run\nwith start_run() as run:\n    run.alert('drift')\n"
    named = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    ours = {"PREFECT_HOME": str(tmp_path / "prefect"), "PREFECT_LEDGER_HOME": str(tmp_path), "PREFECT_SERVER_ANALYTICS_ENABLED": "0"}
    asked = {"PREFECT_LEDGER_ALERT_TO": "block:slack-webhook/nobody"}
    subprocess.run([sys.executable, "-c", program], env=named | ours | asked, check=True, timeout=90)
    left = [one for one in psutil.process_iter(["environ"]) if (one.info["environ"] or {}).get("PREFECT_HOME") == ours["PREFECT_HOME"]]
    for one in left:
        one.kill()
    assert left == []
    configure(home=tmp_path)
    [found] = search_alerts()
    assert "shutdown" not in found.answer
