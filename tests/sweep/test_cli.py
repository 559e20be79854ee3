"""``prefect-ledger sweep``: what is typed, what is said, and with which code it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, command, document, environment

_PROGRAM = """
import pathlib, sys, time
from prefect_ledger import start_run
x = float(sys.argv[sys.argv.index("--x") + 1])
with start_run() as run:
    run.log_metric("loss", x * x)
    if x == 2:
        time.sleep(0 if pathlib.Path("quick").exists() else 60)
"""

_TRAINED = f"{Path(__file__).with_name('trained.py')}:train"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command on an empty ledger of this test."""
    return lambda *args, **more: command(*args, home=tmp_path / "ledger", **more)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-s", "x=1,2"], "say what to run"),
        ([".", "-s", "x=1,2", "--trials", "2"], "needs the name of the metric"),
        ([".", "-s", "x", "--metric", "loss"], "write key=value"),
        ([".", "-s", "x=1", "-s", "x=2", "--metric", "loss"], "looked through once"),
        ([".", "--metric", "loss"], "needs parameters to look through"),
        ([".", "-s", "x=1", "--metric", "loss", "--runner", "dask"], "--runner is for flows"),
        ([".", "-s", "x=1", "--metric", "loss", "--at-once", "0"], "at_once is a whole number from 1"),
        (["train.py:train", "-e", "main", "-s", "x=1", "--metric", "loss"], "--entry-point is for projects"),
        (["train.py:train", "-s", "x=1", "--metric", "loss"], "no file train.py"),
        ([_TRAINED, "-s", "depth=1", "--metric", "loss", "--trials", "2"], "no parameter 'depth'"),
        ([_TRAINED, "-s", "x=1,2", "--metric", "loss"], "goes on for ever"),
        ([_TRAINED.replace(":train", ":nobody"), "-s", "x=1", "--metric", "loss", "--trials", "1"], "cannot be loaded"),
        ([".", "--resume", "12345678"], "leave out what is to be run"),
    ],
)
def test_nonsense_is_refused_in_words(cli: Cli, words: list[str], said: str) -> None:
    """In a sentence, before anything is begun."""
    done = cli("sweep", *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_a_sweep_that_is_interrupted_says_how_to_go_on(cli: Cli, tmp_path: Path) -> None:
    """Ctrl-C ends what runs; with the command that was said, it is run anew, and the leaderboard has the best first."""
    (tmp_path / "train.py").write_text(_PROGRAM, encoding="utf-8")
    words = [str(tmp_path), "-e", "train.py", "--env-manager", "local", "-s", "x=3,2,1", "--metric", "loss", "--method", "grid"]
    child = subprocess.Popen(
        [sys.executable, "-m", "prefect_ledger.cli", "sweep", *words],
        env=environment(tmp_path / "ledger"),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    first = child.stderr.readline()
    assert "trial 0: COMPLETED, 9 (x=3)" in first, first + child.stderr.read()
    os.kill(child.pid, signal.SIGINT)
    rest = child.communicate(timeout=60)[1]
    assert child.returncode == 130
    (tmp_path / "quick").touch()
    said = rest.split("--resume ")[1].split()[0]
    found = document(cli("sweep", "--resume", said, "--at-once", "2", "--json"))
    board = [(one["trial"], one["status"], one["value"], one["parameters"]) for one in found["leaderboard"]]
    assert board == [(2, "COMPLETED", 1.0, {"x": 1}), (1, "COMPLETED", 4.0, {"x": 2}), (0, "COMPLETED", 9.0, {"x": 3})]
    assert found["best"] == found["leaderboard"][0]["run_id"]
