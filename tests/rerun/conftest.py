"""Repositories whose programs log runs, and a ledger of this test that they log into."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from prefect_ledger import search_runs
from prefect_ledger.entities import Run
from prefect_ledger.tracking.ledger import Ledger
from tests.services.test_changes import run_git

PATIENT = """
from prefect_ledger.capture import changes, repository
sys.modules["prefect_ledger.capture.changes"].SECONDS = repository.GIT_SECONDS = 60.0  # a busy machine
"""
SCRIPT = (
    """
import random, sys, threading
from prefect_ledger import log_metric, set_seed, start_run
"""
    + PATIENT
    + """
with start_run(experiment="again", name="fit") as run:
    set_seed()
    run.log_params({"depth": sys.argv[1] if len(sys.argv) > 1 else "3"})
    for step in range(20):
        log_metric("loss", random.random() / (step + 1), step=step)
for thread in threading.enumerate():
    if thread.name == "prefect-ledger-capture":
        thread.join()
"""
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with a script, committed."""
    folder = tmp_path / "tree"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "fit.py").write_text(SCRIPT)
    run_git(folder, "init", "-q")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "first")
    return folder


def ran(ledger: Ledger, folder: Path, *words: str) -> Run:
    """Run a program in ``folder`` by this test's ledger; the run that it made."""
    done = subprocess.run([sys.executable, *words], cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return search_runs("again")[0]
