"""A process that was started for a run logs into it, without a word of it in its code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from prefect_ledger import get_run, log_metric, start_run
from prefect_ledger.errors import InvalidName
from prefect_ledger.tracking import given
from prefect_ledger.tracking.ledger import Ledger
from tests.cli.conftest import environment


def _python(script: str, home: Path, **more: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(home, **more), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_the_first_run_of_a_program_is_the_given_one_and_later_ones_are_its_children(fresh_ledger: Ledger, home: Path) -> None:
    """A script with ``start_run`` logs into the run it was started for; what it starts afterwards, and its processes, stand below that."""
    script = """
import subprocess, sys
from prefect_ledger import log_param, start_run
log_param("before", 1)
with start_run(experiment="another", name="trained", tags={"team": "risk"}) as run:
    run.log_metric("loss", 0.5)
with start_run(name="second") as run:
    pass
subprocess.run([sys.executable, "-c", "from prefect_ledger import start_run; start_run(name='third').finish()"], check=True)
"""
    with start_run(experiment="project") as run:
        _python(script, home, **given.variables(run))
    found = get_run(run.id)
    assert (found.experiment, found.status, found.name) == ("project", "COMPLETED", "trained")
    assert found.params == {"before": "1"}
    assert found.tags["team"] == "risk"
    assert found.summaries["loss"].last == 0.5
    assert "another" in found.notes[0]
    assert {child.name for child in found.children} == {"second", "third"}


def test_verbs_alone_log_into_the_given_run_also_offline(fresh_ledger: Ledger, home: Path) -> None:
    """No store has to be asked: values wait in the journal, and come in to the run they belong to."""
    with start_run(experiment="project") as run:
        variables = given.variables(run)
    _python("from prefect_ledger import log_metric; log_metric('loss', 2.0)", home, PREFECT_LEDGER_MODE="offline", **variables)
    done = subprocess.run(
        [str(Path(sys.executable).with_name("prefect-ledger")), "sync"], env=environment(home), capture_output=True, check=False
    )
    assert done.returncode == 0
    assert get_run(run.id).summaries["loss"].last == 2.0


def test_what_is_no_run_is_refused(fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong id is said where it is first used, and makes no run of that name."""
    monkeypatch.setenv(given.RUN, "my-run")
    with pytest.raises(InvalidName, match="my-run"):
        start_run()
    with pytest.raises(InvalidName, match="my-run"):
        log_metric("loss", 1.0)
