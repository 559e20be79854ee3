"""``prefect-ledger dashboard``: what it says, refuses, and how it ends."""

from __future__ import annotations

import signal
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, environment
from tests.services_real import processes


@pytest.mark.long
def test_it_says_an_address_that_answers_and_ends_in_order(tmp_path: Path) -> None:
    """The address that is printed can be opened at once, and Ctrl-C is an end with exit code 0."""
    log = tmp_path / "log"
    command = [*processes.dies_with_us(), sys.executable, "-m", "prefect_ledger.cli", "dashboard", "--port", "0"]
    child = processes.start(command, log, env=environment(tmp_path), cwd=tmp_path)
    try:
        processes.wait_until(lambda: "Ctrl-C" in log.read_text(), child, log, seconds=90)
        address = next(line for line in log.read_text().splitlines() if line.startswith("http://127.0.0.1:"))
        assert "/?token=" in address
        with urllib.request.urlopen(address.partition("/?")[0], timeout=10) as answer:
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    finally:
        processes.stop(child, signal.SIGINT, seconds=30)
    assert child.returncode == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--host", "0.0.0.0"], "nobody signs in"),
        (["--port", "99999"], "from 0 to 65535"),
        (["--public", "--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid"),
    ],
)
def test_addresses_that_cannot_be_or_are_open_to_all_are_refused(cli: Cli, words: list[str], told: str) -> None:
    """What others could reach without signing in needs to be said, and a wrong address is a sentence."""
    done = cli("dashboard", *words)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(cli: Cli) -> None:
    """Somebody else's port is told with what to do."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = cli("dashboard", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "give another --port" in done.stderr
