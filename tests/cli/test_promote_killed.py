"""A promotion or a rollback whose command is killed in between: done again it ends what was begun, once."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prefect_ledger import registry
from tests.cli.conftest import Cli, environment
from tests.cli.registering import TWO_EYES, logged
from tests.promotion.helpers import trained


@contextlib.contextmanager
def killed_when(so: Callable[[], bool], home: Path, *words: str) -> Iterator[None]:
    """The command, killed without notice as soon as something is so."""
    program = [str(Path(sys.executable).with_name("prefect-ledger")), *words]
    with subprocess.Popen(program, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        until = time.monotonic() + 100
        while not so() and running.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        assert so()
        assert running.poll() is None, "it ended by itself"
        running.kill()
    assert running.returncode == -signal.SIGKILL
    yield


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of a server that takes connections and never says a word: whoever verifies it is still at it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def _in_production(number: int) -> Callable[[], bool]:
    return lambda: registry.get_version("churn", number).stage == "production"


def _moves() -> int:
    return sum(one.action == "version.moved" and one.after["stage"] == "production" for one in registry.history("churn"))


def test_killed_while_it_waits(cli: Cli, tmp_path: Path) -> None:
    """The request stays open and takes votes; the same command goes on with it, and no second one is opened."""
    cli("models", "registered")  # the ledger is this test's from here on
    (tmp_path / "policy.toml").write_text(TWO_EYES)
    cli("policy", "set", str(tmp_path / "policy.toml"))
    cli("models", "register", "churn", logged(), "--by", "alice")
    words = ["promote", "churn", "1", "--by", "alice", "--no-deploy"]
    with killed_when(lambda: bool(registry.list_requests()), tmp_path / "ledger", *words, "--wait", "5m"):
        assert cli("approve", "1", "--yes", "--by", "bob").returncode == 0
    assert cli(*words).returncode == 0
    assert [(one.id, one.state) for one in registry.list_requests()] == [(1, "done")]


@pytest.mark.long
def test_killed_after_the_move(cli: Cli, tmp_path: Path, mute: str) -> None:
    """The version is in production with its alias, whole; done again it is verified and not moved a second time."""
    cli("models", "registered")
    trained()
    words = ["promote", "churn", "1", "--by", "alice", "--no-deploy"]
    (tmp_path / "policy.toml").write_text('[[rule]]\nmodel = "churn"\nstage = "production"\nidentity = "claimed"\n')
    cli("policy", "set", str(tmp_path / "policy.toml"))
    with killed_when(_in_production(1), tmp_path / "ledger", *words, "--endpoint", mute):
        assert registry.get_version("churn", "@champion").version == 1
    again = cli(*words)
    assert (again.returncode, again.stdout, _moves()) == (0, "churn 1 is in production already\n", 1)
    trained(3.0)
    assert cli("promote", "churn", "2", "--no-deploy").returncode == 0
    back = ["rollback", "churn", "--to", "1", "--why", "wrong", "--no-deploy"]
    with killed_when(_in_production(1), tmp_path / "ledger", *back, "--endpoint", mute):
        assert registry.get_version("churn", "@champion").version == 1
    done = cli(*back)
    assert (done.returncode, done.stdout, _moves()) == (0, "churn 1 is in production already\n", 3)
    assert registry.verify_audit().whole
