"""``prefect-ledger db``, ``recover`` and ``doctor``: what is where, what waits, and what is wrong."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, command, document, python
from tests.services_real.s3 import S3Server, keys

KILLED = """
import os, signal
from prefect_ledger import start_run
from prefect_ledger.recorder import Recorder
Recorder.start = lambda self: None  # nothing reaches the store before the end
run = start_run(experiment="e", name="killed [b]run[/b]")
for step in range(500):
    run.log_metric("loss", 1.0, step=step)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_schema_is_made_once(cli: Cli) -> None:
    """``db upgrade`` makes it, and then has nothing to do; ``db status`` says which."""
    before = document(cli("db", "status", "--json"))
    assert (before["schema"], before["usable"], before["bytes"]) == (None, True, None)
    assert "made" in cli("db", "upgrade").stdout
    assert "nothing to do" in cli("db", "upgrade").stdout
    after = document(cli("db", "status", "--json"))
    assert after["schema"] == after["speaks"][1]
    assert after["bytes"] > 0
    assert "up to date" in cli("db", "status").stdout


def test_a_newer_schema_is_refused_everywhere(cli: Cli, tmp_path: Path) -> None:
    """A database of a later version is not touched, and each command says what to do."""
    cli("db", "upgrade")
    with sqlite3.connect(tmp_path / "ledger" / "ledger.db") as db:
        db.execute("update ledger_schema_version set version_num = '9999'")
    db.close()
    for words in (["db", "status"], ["db", "upgrade"], ["runs", "list"], ["doctor"]):
        done = cli(*words)
        assert done.returncode == 1, words
        assert "pip install -U prefect-ledger" in done.stdout + done.stderr


def test_what_a_killed_process_logged_is_recovered(tmp_path: Path) -> None:
    """Doctor says whose journal waits, recover brings it in and names the crashed run, a second recover finds nothing."""
    home = tmp_path / "ledger"
    assert python(KILLED, home).returncode == -9
    waiting = [check for check in document(command("doctor", "--json", home=home))["checks"] if "alive" in check["details"]]
    assert [check["details"]["alive"] for check in waiting] == [False]
    assert waiting[0]["details"]["owner"]["pid"] > 0
    assert waiting[0]["remedy"] == "prefect-ledger recover"
    done = command("recover", home=home)
    assert done.returncode == 0
    assert "brought in 1 journal: 500 points" in done.stdout
    assert "crashed: " in done.stderr
    assert "killed [b]run[/b]" in done.stderr
    [run] = document(command("runs", "list", "--json", home=home))["runs"]
    assert run["status"] == "CRASHED"
    again = document(command("recover", "--json", home=home))
    assert (again["journals"], again["points"], again["crashed"]) == (0, 0, [])


def test_a_journal_that_cannot_be_read_is_said_and_kept(tmp_path: Path) -> None:
    """Recover exits with 1, keeps the bytes aside, and doctor goes on saying so."""
    home = tmp_path / "ledger"
    python(KILLED, home)
    [segment] = home.glob("journals/*/*/00000001.seg")
    segment.write_bytes(b"garbage" + segment.read_bytes()[7:])
    done = command("recover", home=home)
    assert done.returncode == 1
    assert "cannot be read" in done.stderr
    [kept] = home.glob("journals/*/.broken-*")
    done = command("doctor", home=home)
    assert done.returncode == 1
    assert str(kept) in done.stdout


@pytest.mark.long
def test_doctor_finds_nothing_wrong_with_a_new_ledger(cli: Cli) -> None:
    """Settings with their sources, FastAPI and every extra are named; exit code 0; nothing is made."""
    done = cli("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("environment PREFECT_LEDGER_HOME", "none yet", "FastAPI", "extra demo", "all is well", "nothing: all that was logged"):
        assert word in done.stdout
    assert document(cli("doctor", "--json"))["well"] is True


@pytest.mark.long
def test_doctor_enters_the_artifact_root_with_the_keys_of_the_settings(cli: Cli, s3: S3Server) -> None:
    """Keys in ``storage_options`` alone are enough, as they are for runs, and nothing is left behind."""
    bucket = s3.bucket()
    root = {"PREFECT_LEDGER_ARTIFACT_ROOT": f"s3://{bucket}/team", "PREFECT_LEDGER_STORAGE_OPTIONS": json.dumps(s3.options())}
    checks = document(cli("doctor", "--json", **root))["checks"]
    assert [check["verdict"] for check in checks if (check["topic"], check["name"]) == ("artifacts", "root")] == ["ok"]
    assert keys(s3, bucket) == {}


def test_doctor_says_what_is_wrong_and_what_to_do(cli: Cli, tmp_path: Path) -> None:
    """A store that does not answer, an artifact root that is a file and an API that is away are each named; exit code 1."""
    (tmp_path / "file").write_text("")
    done = cli(
        "doctor",
        "--json",
        PREFECT_LEDGER_STORE_URL="postgresql://nobody:hunter2@127.0.0.1:1/none",
        PREFECT_LEDGER_ARTIFACT_ROOT=str(tmp_path / "file"),
        PREFECT_API_URL="http://127.0.0.1:1/api",
    )
    assert done.returncode == 1
    assert "hunter2" not in done.stdout + done.stderr
    done.returncode = 0
    wrong = {(check["topic"], check["name"]): check for check in document(done)["checks"] if check["verdict"] == "wrong"}
    assert set(wrong) == {("store", "reachable"), ("artifacts", "root"), ("prefect", "API")}
    assert all(check["remedy"] for check in wrong.values())
