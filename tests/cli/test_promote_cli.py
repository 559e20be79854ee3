"""``prefect-ledger promote``, ``rollback`` and ``challenge`` to their ends: rows, reports, waiting, deployments, and going back."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from prefect_ledger import registry, start_run
from tests.cli.conftest import Cli, document, environment
from tests.cli.registering import TWO_EYES, logged
from tests.promotion.helpers import framed, rows, trained

ROWS = """
[[rule]]
model = "churn"
stage = "production"
gates = [{gate = "bootstrap", metric = "squared_error", at_least = 0, without_champion = "skip"}]
identity = "claimed"
"""
ANYBODY = '[[rule]]\nmodel = "churn"\nstage = "production"\ngates = ["metrics.auc >= 0.8"]\nidentity = "claimed"\n'


@pytest.fixture
def ruled(cli: Cli, tmp_path: Path) -> Cli:
    """The command on a ledger whose policy wants a metric, and nobody."""
    return policy(cli, tmp_path, ANYBODY)


def policy(cli: Cli, tmp_path: Path, text: str) -> Cli:
    """The command where this policy holds."""
    (tmp_path / "policy.toml").write_text(text)
    assert cli("policy", "set", str(tmp_path / "policy.toml")).returncode == 0
    return cli


def promoted(cli: Cli, *factors: float) -> None:
    """Versions that multiply by these, each in production after the other."""
    for number, factor in enumerate(factors, 1):
        trained(factor)
        assert cli("promote", "churn", str(number), "--no-deploy").returncode == 0


def failures(file: Path) -> list[str]:
    """The cases that failed in a JUnit file, and those with an error."""
    return [case.get("name", "") for case in ElementTree.parse(file).iter("testcase") if len(case)]


def test_rows_are_asked_about_and_reports_written(cli: Cli, tmp_path: Path) -> None:
    """Both models predict the rows that are named; what came of it, also a refusal, is in both files and in one JSON document."""
    policy(cli, tmp_path, ROWS)
    framed(2.0), framed(2.4)
    files = ["--report", str(tmp_path / "promotion.md"), "--junit", str(tmp_path / "promotion.xml")]
    asked = ["--holdout", rows(tmp_path), "--target", "target", "--column", "region", "--no-deploy"]
    first = document(cli("promote", "churn", "1", *asked, *files, "--json"))
    assert (first["state"], first["ok"], first["moved"], first["missing"]) == ("promoted", True, True, "")
    assert (first["version"]["version"], first["version"]["stage"]) == (1, "production")
    assert (first["request"]["state"], first["request"]["approvals"]) == ("done", [])
    assert [check["ok"] for check in first["checks"]] == [True]
    assert first["audit_head"]["hash"] == registry.audit_head().hash
    assert set(registry.get_evidence(1).holdout.columns) == {"region"}  # type: ignore[union-attr]
    text = (tmp_path / "promotion.md").read_text()
    assert text.startswith("### churn 1 to production: promoted\n")
    assert failures(tmp_path / "promotion.xml") == []
    worse = cli("promote", "churn", "2", *asked, *files)
    assert worse.returncode == 3
    assert "refused: request 2 is rejected: gates did not pass" in worse.stderr
    assert (tmp_path / "promotion.md").read_text().startswith("### churn 2 to production: refused\n")
    assert failures(tmp_path / "promotion.xml") == ["bootstrap", "churn 2 is in production"]


def test_an_error_is_in_the_report_too(ruled: Cli, tmp_path: Path) -> None:
    """What the pipeline shows next is never the report of another time: an error stands where the report would."""
    trained()
    page, suite = tmp_path / "promotion.md", tmp_path / "promotion.xml"
    files = ["--report", str(page), "--junit", str(suite)]
    assert ruled("promote", "churn", "1", "--no-deploy", *files).returncode == 0
    gone = ruled("promote", "churn", "7", *files)
    assert (gone.returncode, gone.stderr.startswith("error: ")) == (1, True)
    assert page.read_text().startswith("### churn 7 to production: error\n")
    assert failures(suite) == ["churn 7 to production"]
    assert ruled("rollback", "churn", "--why", "wrong", *files).returncode == 1
    assert "nothing else that is there was in production before" in page.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--holdout", "x.csv"], "--holdout needs --target"),
        (["--target", "churned"], "--target is about the rows of --holdout"),
        (["--query", "SELECT 1"], "--query is about the rows of --holdout"),
        (["--wait", "soon"], "a duration is a whole number"),
        (["--wait", "-1"], "--wait is a number of seconds"),
        (["--wait", "nan"], "--wait is a number of seconds"),
    ],
)
def test_wrong_usage_is_code_2(cli: Cli, words: list[str], said: str) -> None:
    """Options that do not go together, and times that are none, are refused before anything is looked at."""
    done = cli("promote", "churn", "1", *words)
    assert done.returncode == 2
    assert said in " ".join((done.stdout + done.stderr).replace("│", " ").split())


def test_where_no_report_can_be_written_nothing_moves(ruled: Cli, tmp_path: Path) -> None:
    """A folder that is not there is said at the beginning, not after the move."""
    trained()
    done = ruled("promote", "churn", "1", "--report", str(tmp_path / "gone" / "promotion.md"))
    assert (done.returncode, "there is no folder" in done.stderr) == (1, True)
    assert ruled("promote", "churn", "1", "--junit", str(tmp_path)).returncode == 1
    assert registry.get_version("churn", 1).stage == "none"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--deploy", "lokal"], "no target 'lokal'; there are: docker, kubernetes, local, sagemaker"),
        (["--endpoint", "127.0.0.1:8000"], "an endpoint is the address of a server"),
        (["--endpoint", "http://127.0.0.1:eighty"], "an endpoint is the address of a server"),
    ],
)
def test_what_cannot_serve_anything_is_said_before_anything_moves(ruled: Cli, words: list[str], said: str) -> None:
    """A target or an address that can be none is refused at once: nothing is moved that would only have to be taken back."""
    promoted(ruled, 2.0, 3.0)
    head = registry.audit_head()
    for command in (["promote", "churn", "1"], ["rollback", "churn", "--why", "wrong"]):
        done = ruled(*command, *words)
        assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert registry.audit_head() == head


def test_what_does_not_work_can_be_put_away(ruled: Cli) -> None:
    """A version that fails with its own example comes into no stage from which it would be served, and can be archived."""
    with start_run(experiment="churn") as run:
        model = run.log_model(_refuses, "churn", signature=None, input_example=[1.0], requirements=[])
    registry.register_model("churn", model)
    failed = ruled("promote", "churn", "1", "--to", "staging")
    assert (failed.returncode, "failed: version 1 does not work" in failed.stderr) == (1, True)
    done = ruled("promote", "churn", "1", "--to", "archived")
    assert (done.returncode, done.stdout) == (0, "churn 1 is in archived\n")


def _refuses(data: object) -> object:
    raise ValueError("never again")


def test_the_champion_is_the_version_in_production(ruled: Cli) -> None:
    """The alias goes with a move to production and with no other; others can be named, or none."""
    trained(), trained(), trained()
    assert ruled("promote", "churn", "1", "--to", "staging").returncode == 0
    assert dict(registry.get_model("churn").aliases) == {}
    assert ruled("promote", "churn", "1", "--no-deploy").returncode == 0
    assert ruled("promote", "churn", "2", "--no-alias").returncode == 0
    assert dict(registry.get_model("churn").aliases) == {"champion": 1}
    assert ruled("promote", "churn", "3", "--alias", "live", "--alias", "eu").returncode == 0
    assert dict(registry.get_model("churn").aliases) == {"champion": 1, "live": 3, "eu": 3}
    again = ruled("promote", "churn", "3", "--no-deploy")
    assert (again.returncode, again.stdout) == (0, "churn 3 is in production already\n")
    assert dict(registry.get_model("churn").aliases) == {"champion": 3, "live": 3, "eu": 3}


@pytest.mark.long
def test_it_waits_and_says_so_on_a_terminal(cli: Cli, tmp_path: Path) -> None:
    """Somebody approves while it waits: the same command moves the version; what it waits for stands on the error stream meanwhile."""
    policy(cli, tmp_path, TWO_EYES)
    cli("models", "register", "churn", logged(), "--by", "alice")
    words = ["promote", "churn", "1", "--by", "alice", "--no-deploy", "--wait", "5m"]
    with on_a_terminal(tmp_path / "ledger", *words) as (waiting, told):
        until = time.monotonic() + 100
        while not registry.list_requests() and time.monotonic() < until:
            time.sleep(0.1)
        assert cli("approve", "1", "--yes", "--by", "bob").returncode == 0
        out, _ = waiting.communicate(timeout=100)
    assert (waiting.returncode, out.splitlines()[-1]) == (0, "churn 1 is in production")
    seen = b"".join(told).decode(errors="replace")
    assert "request 1 waits for 1 of 1 approvals, by bob, carol; waiting for at most 5m 00s" in seen
    assert "promoting churn 1\r" in seen


@contextlib.contextmanager
def on_a_terminal(home: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], list[bytes]]]:
    """The command whose error stream is a terminal, and what it writes there."""
    ours, theirs = pty.openpty()
    told: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while some := os.read(ours, 4096):
                told.append(some)

    reading = threading.Thread(target=read)
    program = [str(Path(sys.executable).with_name("prefect-ledger")), *words]
    with subprocess.Popen(program, env=environment(home, TERM="xterm"), stdout=subprocess.PIPE, stderr=theirs, text=True) as running:
        os.close(theirs)
        reading.start()
        yield running, told
        reading.join(60)
    os.close(ours)


def test_rows_that_nobody_looked_at_are_said(ruled: Cli, tmp_path: Path) -> None:
    """Rows are not taken as judged where the policy asks for nothing, or a request is open that was judged on others."""
    framed(2.0)
    asked = ["--holdout", rows(tmp_path), "--target", "target", "--no-deploy"]
    free = ruled("promote", "churn", "1", "--to", "staging", *asked)
    assert "the policy has no gates and wants no approvals: the rows were not looked at" in free.stderr
    policy(ruled, tmp_path, TWO_EYES)
    assert ruled("promote", "churn", "1", *asked, "--by", "alice").returncode == 3
    assert "request 1 is open already, with its evidence" in ruled("promote", "churn", "1", *asked, "--by", "alice").stderr


def test_a_server_that_does_not_follow_takes_the_move_back(ruled: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, the reason, and the version before in production again; a rollback beside such a server is code 1 and stays."""
    monkeypatch.setattr("prefect_ledger.promotion.checking.FOLLOWS", 0.2)
    promoted(ruled, 2.0)
    trained(3.0)
    away = ["--endpoint", "http://127.0.0.1:9", "--no-deploy"]
    back = ruled("promote", "churn", "2", *away)
    assert back.returncode == 1
    assert "went back: http://127.0.0.1:9 answers: it does not answer" in back.stderr
    assert registry.get_version("churn", "@champion").version == 1
    assert "churn 2 is in production" not in back.stdout
    promoted_again = ruled("promote", "churn", "2", "--no-deploy")
    assert promoted_again.returncode == 0
    done = ruled("rollback", "churn", "--why", "wrong for new customers", *away)
    assert (done.returncode, done.stdout) == (1, "churn 1 is in production\n")
    assert "not verified: version 1 is in production again, but http://127.0.0.1:9 answers: it does not answer" in done.stderr
    assert registry.get_version("churn", "@champion").version == 1


def test_a_rollback_is_done_when_it_is_verified(ruled: Cli, tmp_path: Path) -> None:
    """The version opens and the alias, read anew, means it: said on the error stream, in the report, and in the JSON."""
    promoted(ruled, 2.0, 3.0, 4.0)
    files = ["--report", str(tmp_path / "rollback.md"), "--junit", str(tmp_path / "rollback.xml")]
    told = document(ruled("rollback", "churn", "--to", "1", "--why", "both are wrong", "--no-deploy", *files, "--json"))
    assert (told["state"], told["before"], told["version"]["version"], told["moved"]) == ("rolled back", 3, 1, True)
    assert [(check["what"], check["ok"]) for check in told["checks"]] == [("version 1 opens", True), ("@champion means version 1", True)]
    assert (tmp_path / "rollback.md").read_text().startswith("### churn 1 to production: rolled back\n")
    assert failures(tmp_path / "rollback.xml") == []
    again = ruled("rollback", "churn", "--to", "1", "--why", "both are wrong", "--no-deploy")
    assert (again.returncode, again.stdout) == (0, "churn 1 is in production already\n")
    assert "@champion means version 1: it means version 1, sha256" in again.stderr


@pytest.fixture
def deployed(ruled: Cli) -> Iterator[Any]:
    """Version 1 served on this machine by its alias; gives what asks that server."""
    promoted(ruled, 2.0)
    made = ruled("deploy", "create", "local", "churn", "models:/churn@champion", "--json")
    assert made.returncode == 0, made.stderr
    yield lambda: document(ruled("deploy", "get", "local", "churn", "--json"))
    assert ruled("deploy", "delete", "local", "churn").returncode == 0


@pytest.mark.long
def test_deployments_follow_and_are_asked(ruled: Cli, deployed: Any) -> None:
    """A deployment of the alias serves the new version and answers as it does before the command ends, and the old one after a rollback."""
    trained(3.0)
    before = deployed()["digest"]
    told = document(ruled("promote", "churn", "2", "--deploy", "local", "--json"))
    assert [(one["name"], one["ok"], one["changed"]) for one in told["deployments"]] == [("churn", True, True)]
    assert told["checks"][-1] | {"seconds": 0} == {
        "what": "local/churn answers",
        "ok": True,
        "said": "it answers the example as the version does",
        "seconds": 0,
    }
    assert deployed()["digest"] == told["version"]["digest"] != before
    back = ruled("rollback", "churn", "--why", "wrong", "--deploy", "local")
    assert back.returncode == 0
    assert "local/churn answers: it answers the example as the version does" in back.stderr
    assert deployed()["digest"] == before


def test_challengers_of_a_stage(ruled: Cli, tmp_path: Path) -> None:
    """Code 0 with a request open for some, 3 with none, 1 where none could be judged; the report has each of them."""
    assert ruled("challenge").returncode == 3
    trained(), trained(auc=0.3)
    for number in ("1", "2"):
        assert ruled("promote", "churn", number, "--to", "staging").returncode == 0
    files = ["--report", str(tmp_path / "challenges.md"), "--junit", str(tmp_path / "challenges.xml")]
    done = ruled("challenge", "churn", *files)
    assert done.returncode == 0
    assert "request opened" in done.stdout
    assert "metrics.auc >= 0.8" in done.stdout
    assert (tmp_path / "challenges.md").read_text().startswith("### Challenges: a request is open for 1 of 2\n")
    assert failures(tmp_path / "challenges.xml") == ["churn 2"]
    again = json.loads(ruled("challenge", "--json").stdout)
    assert [one["state"] for one in again["challenges"]] == ["open", "unchanged"]
    assert ruled("promote", "churn", "1", "--no-deploy").returncode == 0
    assert ruled("challenge").returncode == 3
    assert ruled("challenge", "--source", "production").returncode == 1
    assert ruled("challenge", "gone").returncode == 1
    assert ruled("challenge", "--holdout", "x.csv").returncode == 2
    trained()
    assert ruled("promote", "churn", "3", "--to", "staging").returncode == 0
    failed = ruled("challenge", "--holdout", str(tmp_path / "gone.csv"), "--target", "y")
    assert (failed.returncode, "gone.csv" in failed.stderr) == (1, True)
