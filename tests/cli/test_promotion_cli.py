"""``prefect-ledger promote``, ``approve``, ``reject`` and ``promotion``: a version on its way to production."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from prefect_ledger import registry
from prefect_ledger.registry.callers import sign
from tests.cli.conftest import Cli, document, environment, process
from tests.cli.registering import TWO_EYES, filled, logged


def test_a_version_from_training_to_production(cli: Cli, tmp_path: Path) -> None:
    """Asked for, agreed to by another person, and moved: each step says what is missing, and 3 is the code for that."""
    filled(cli, tmp_path, 0.9)
    asked = cli("promote", "churn", "1", "--by", "alice", "--why", "first")
    assert asked.returncode == 3
    assert "waiting: request 1 waits for 1 of 1 approvals, by bob, carol" in asked.stderr
    assert "refused" not in asked.stderr
    assert "metrics.auc >= 0.8" in asked.stdout
    own = cli("approve", "1", "--yes", "--by", "alice")
    assert own.returncode == 3
    assert own.stderr.startswith("error: request 1 (churn 1 to production): alice made the version")
    assert not registry.get_request(1).votes
    done = cli("approve", "1", "--yes", "--by", "bob", "--comment", "looked at the slices")
    assert done.returncode == 0
    assert "approved; nothing is missing" in done.stdout
    assert "passed" in done.stdout.split("gates")[1]
    moved = document(cli("promote", "churn", "1", "--by", "alice", "--json"))
    assert (moved["moved"], moved["version"]["stage"], moved["request"]["state"]) == (True, "production", "done")
    assert len(registry.list_requests()) == 1
    again = cli("promote", "churn", "1", "--by", "alice")
    assert (again.returncode, again.stdout) == (0, "churn 1 is in production already\n")


def test_what_its_gates_refuse_does_not_move(cli: Cli, tmp_path: Path) -> None:
    """A request whose gates did not pass is code 3 with the gate and its reason, as text and as JSON."""
    filled(cli, tmp_path, 0.7)
    refused = cli("promote", "churn", "latest", "--by", "alice")
    assert refused.returncode == 3
    assert "refused: request 1 is rejected: gates did not pass" in refused.stderr
    asked = cli("promote", "churn", "1", "--by", "alice", "--json")
    assert asked.returncode == 3
    said = json.loads(asked.stdout)
    assert (said["moved"], said["version"]["stage"], said["request"]["passed"]) == (False, "none", False)
    assert [one["passed"] for one in said["request"]["report"]["verdicts"]] == [True, False]
    assert said["missing"].startswith("request 2 is rejected")


def test_where_the_policy_asks_for_nothing_it_moves_at_once(cli: Cli, tmp_path: Path) -> None:
    """Without gates and approvals no request is opened; a name too weak for the stage is refused with code 3."""
    filled(cli, tmp_path, 0.9)
    assert cli("promote", "churn", "1", "--to", "staging", "--by", "alice").stdout == "churn 1 is in staging\n"
    assert cli("models", "register", "free", logged(), "--by", "alice").returncode == 0
    weak = cli("promote", "free", "1", "--by", "alice")
    assert weak.returncode == 3
    assert "known by claimed alone" in weak.stderr
    assert registry.list_requests() == []


def test_an_approval_without_a_terminal_wants_yes(cli: Cli, tmp_path: Path) -> None:
    """Where nobody can be asked nothing is agreed to by accident."""
    filled(cli, tmp_path, 0.9)
    cli("promote", "churn", "1", "--by", "alice")
    for words in ([], ["--json"]):
        done = cli("approve", "1", "--by", "bob", *words)
        assert done.returncode == 1
        assert "--yes" in done.stderr
    assert registry.get_request(1).votes == ()


@pytest.mark.parametrize(("answer", "votes"), [("y\n", 1), ("\n", 0), ("no\n", 0)])
def test_on_a_terminal_the_report_is_shown_and_the_question_asked(cli: Cli, tmp_path: Path, answer: str, votes: int) -> None:
    """Only yes is a yes."""
    filled(cli, tmp_path, 0.9)
    cli("promote", "churn", "1", "--by", "alice")
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    program = [str(Path(sys.executable).with_name("prefect-ledger")), "approve", "1", "--by", "bob"]
    done = subprocess.run(
        program, env=environment(tmp_path / "ledger"), stdin=theirs, capture_output=True, text=True, timeout=120, check=False
    )
    os.close(ours)
    os.close(theirs)
    assert "metrics.auc >= 0.8" in done.stdout
    assert "approve request 1? [y/N]" in done.stderr
    assert (done.returncode, len(registry.get_request(1).votes)) == (0 if votes else 1, votes)


def test_a_signed_vote(cli: Cli, tmp_path: Path) -> None:
    """A key named in the environment signs a vote, and so does one elsewhere; a signature of something else is refused."""
    key = tmp_path / "bob"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    filled(cli, tmp_path, 0.9, 0.95)
    signed = TWO_EYES.replace("claimed", "signed") + f'[signers]\nbob = "{Path(f"{key}.pub").read_text().strip()}"\n'
    (tmp_path / "policy.toml").write_text(signed)
    assert cli("policy", "set", str(tmp_path / "policy.toml")).returncode == 0
    for version in ("1", "2"):
        assert cli("promote", "churn", version, "--by", "alice").returncode == 3
    weak = cli("approve", "1", "--yes", "--by", "bob")
    assert (weak.returncode, "known by claimed alone" in weak.stderr) == (3, True)
    told = cli("promotion", "to-sign", "1").stdout.encode()
    vote = tmp_path / "vote.sig"
    vote.write_text(sign(told, key))
    assert cli("approve", "2", "--yes", "--signature", str(vote)).returncode == 1
    assert cli("approve", "1", "--yes", "--signature", str(vote)).returncode == 0
    assert cli("approve", "2", "--yes", PREFECT_LEDGER_IDENTITY_KEY=str(key)).returncode == 0
    assert "bob (signed) approves" in cli("promotion", "show", "2").stdout
    assert cli("promotion", "to-sign", "2", "--reject").stdout != cli("promotion", "to-sign", "2").stdout


def test_rejected_withdrawn_listed_and_replayed(cli: Cli, tmp_path: Path) -> None:
    """A rejection ends a request with its comment, its owner takes one back, and each is judged to the same verdict again."""
    filled(cli, tmp_path, 0.9)
    assert cli("promotion", "list").stderr.startswith("no requests; prefect-ledger promote")
    cli("promote", "churn", "1", "--by", "alice")
    assert cli("reject", "1").returncode == 2
    assert cli("reject", "1", "--comment", "too few rows", "--by", "dora").returncode == 3
    assert cli("reject", "1", "--comment", "too few rows", "--by", "bob").stdout == "request 1 (churn 1 to production) is rejected\n"
    cli("promote", "churn", "1", "--by", "alice")
    assert cli("promotion", "withdraw", "2", "--by", "bob").returncode == 3
    assert cli("promotion", "withdraw", "2", "--by", "alice", "--why", "wrong month").returncode == 0
    assert "rejected by bob: too few rows" in cli("promotion", "list", "churn").stdout
    assert [one["id"] for one in document(cli("promotion", "list", "--state", "withdrawn", "--json"))["requests"]] == [2]
    told = document(cli("promotion", "show", "1", "--json"))
    assert told["opened_at"] < told["votes"][0]["at"] == told["closed_at"]
    assert datetime.fromisoformat(told["votes"][0]["at"]).utcoffset() == timedelta(0)
    page = cli("promotion", "show", "1").stdout
    for part in ("churn 1 to production", "alice (claimed)", "bob (claimed) rejects: too few rows", registry.get_request(1).evidence):
        assert part in page, part
    assert "same verdict again, to the last digit: passed, 2 gates" in cli("promotion", "replay", "1").stdout
    assert document(cli("promotion", "replay", "2", "--json"))["same"] is True
    assert document(cli("promotion", "evidence", "2"))["candidate"]["metrics"]
    assert cli("promotion", "settle").stderr == "every open request still holds\n"
    assert cli("promotion", "show", "7").returncode == 1


def test_a_new_policy_voids_what_was_asked_under_the_old(cli: Cli, tmp_path: Path) -> None:
    """After a change of the rule the request is void, and promote asks anew by the new one."""
    filled(cli, tmp_path, 0.9)
    cli("promote", "churn", "1", "--by", "alice")
    (tmp_path / "policy.toml").write_text(TWO_EYES.replace("approvals = 1", "approvals = 2"))
    assert cli("policy", "set", str(tmp_path / "policy.toml"), "--by", "bob").returncode == 0
    assert cli("approve", "1", "--yes", "--by", "bob").returncode == 3
    assert "waits for 2 of 2" in cli("promote", "churn", "1", "--by", "alice").stderr
    assert [one.state for one in registry.list_requests()] == ["open", "void"]


def test_break_glass_is_for_those_whom_the_policy_lets_and_is_said(cli: Cli, tmp_path: Path) -> None:
    """It needs a reason and a name of the policy; it is warned about, and stands in the history."""
    filled(cli, tmp_path, 0.7)
    words = ["models", "transition", "churn", "1", "production", "--break-glass"]
    assert cli(*words, "--by", "carol").returncode == 1
    assert cli(*words, "--by", "bob", "--why", "incident").returncode == 3
    done = process(*words, "--by", "carol", "--why", "incident 4711", home=tmp_path / "ledger")
    assert (done.returncode, done.stdout) == (0, "churn 1 is in production\n")
    assert "note: carol passed over the rules" in done.stderr
    assert "glass.broken" in cli("models", "history", "churn").stdout
    assert cli("models", "transition", "churn", "1", "archived", "--expected", "9", "--by", "carol").returncode == 1
    assert document(cli("models", "transition", "churn", "1", "archived", "--expected", "none", "--json"))["stage"] == "archived"
