"""The real command on ledgers of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import LedgerError, configure
from prefect_ledger.cli import main

Cli = Callable[..., subprocess.CompletedProcess[str]]

_FILL = r"""
import json, sys, threading
from prefect_ledger import start_run, create_experiment

ids = {}
create_experiment("churn", tags={"team": "risk"})
for name, depth, auc in (("shallow", 2, 0.9), ("deep", 8, 0.95)):
    with start_run(experiment="churn", name=name, tags={"team": "risk"}) as run:
        ids[name] = run.id
        run.log_params({"depth": depth, "seed": 0})
        for step in range(20):
            run.log_metric("loss", depth / (step + 1), step=step)
        run.log_metric("auc", auc)
        run.log_text("hello", "notes/hello.txt")
        run.record_dataset("train", "ab" * 32, context="train", rows=12)
with start_run(experiment="odd", name="numbers") as run:
    ids["numbers"] = run.id
    run.log_metrics({"nan": float("nan"), "inf": float("inf"), "tiny": 1e-12, "huge": 1.5e12})
with start_run(experiment="odd", name="[red]evil[/red] \u202edlrow \x9b31m") as run:
    ids["evil"] = run.id
    run.set_tag("title", "\x1b]0;owned\x07 [bold]x[/bold] :smile:")
    run.log_param("note", "a\r\nb\x1b[2J")
try:
    with start_run(experiment="odd", name="failed", parent=ids["numbers"]) as run:
        ids["failed"] = run.id
        raise RuntimeError("no \x1b[31m luck")
except RuntimeError:
    pass
for thread in threading.enumerate():
    if thread.name == "prefect-ledger-capture":
        thread.join()  # surroundings are found out beside a run, and a process does not wait for long
json.dump(ids, sys.stdout)
"""


def environment(home: Path, **more: str) -> dict[str, str]:
    """This environment, with a ledger in ``home`` and no Prefect of anybody's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {**kept, "PREFECT_HOME": str(home.parent / "prefect"), "PREFECT_LEDGER_HOME": str(home), "DO_NOT_TRACK": "1", **more}


def command(*args: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """``prefect-ledger`` with ``args``, in this process: as the real one, but for the second that loading the libraries takes."""
    out, err, before = io.StringIO(), io.StringIO(), warnings.showwarning
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        for name in [name for name in os.environ if name.startswith("PREFECT_")]:
            patch.delenv(name)
        for name, value in environment(home, **more).items():
            patch.setenv(name, value)
        with contextlib.suppress(LedgerError):  # the command says it itself
            configure()
        try:
            code = main(args)
        finally:
            warnings.showwarning = before
    return subprocess.CompletedProcess(args, code, out.getvalue(), err.getvalue())


def process(*args: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """``prefect-ledger`` with ``args``, in a process of its own."""
    program = [str(Path(sys.executable).with_name("prefect-ledger")), *args]
    return subprocess.run(program, env=environment(home, **more), cwd=home.parent, capture_output=True, text=True, timeout=300, check=False)


def python(script: str, home: Path) -> subprocess.CompletedProcess[str]:
    """A program that logs into the ledger in ``home``."""
    program = [sys.executable, "-c", script]
    return subprocess.run(program, env=environment(home), cwd=home.parent, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command on an empty ledger of this test."""
    return lambda *args, **more: command(*args, home=tmp_path / "ledger", **more)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, dict[str, str]]:
    """The command on a ledger with five runs, for looking only; and their ids by name."""
    return filled_by(_FILL, tmp_path_factory.mktemp("filled") / "ledger")


def filled_by(script: str, home: Path) -> tuple[Cli, Any]:
    """The command on the ledger in ``home`` that a program has logged into; and what the program wrote as JSON."""
    done = python(script, home)
    assert done.returncode == 0, done.stderr
    return (lambda *args, **more: command(*args, home=home, **more)), json.loads(done.stdout)


def document(done: subprocess.CompletedProcess[str]) -> Any:
    """What ``--json`` wrote, read as strictly as JSON is meant: no NaN, no Infinity."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout, parse_constant=refuse)
