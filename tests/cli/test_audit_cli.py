"""``prefect-ledger policy`` and ``prefect-ledger audit``."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, document
from tests.cli.registering import filled


def test_a_policy_is_shown_set_and_tried(cli: Cli, tmp_path: Path) -> None:
    """What is shown can be set again; each version stays; cases that come out otherwise are code 1, for CI."""
    assert "no policy was set" in cli("policy", "show").stderr
    filled(cli, tmp_path)
    shown = tmp_path / "shown.toml"
    shown.write_text(cli("policy", "show").stdout)
    digest = document(cli("policy", "show", "--json"))["digest"]
    assert document(cli("policy", "set", str(shown), "--json"))["digest"] == digest
    shown.write_text('[[rule]]\nmodel = "*"\nstage = "production"\napprovals = 1')
    assert cli("policy", "set", str(shown)).returncode == 0
    assert "carol" in cli("policy", "show", "--at", "1").stdout
    assert cli("policy", "show", "--at", "99").returncode == 1
    cases = tmp_path / "cases.toml"
    case = (
        '[[case]]\nname = "{name}"\nmodel = "churn"\nstage = "production"\ncandidate = {{auc = 0.9}}\nexpect = "passes"\nvotes = {votes}\n'
    )
    cases.write_text(case.format(name="with bob", votes='["bob"]'))
    done = cli("policy", "test", str(shown), str(cases))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 case, 0 otherwise than expected")
    cases.write_text(cases.read_text() + case.format(name="alone", votes="[]"))
    done = cli("policy", "test", str(shown), str(cases))
    assert done.returncode == 1
    assert "WRONG alone: refused (1 of 1 approvals is missing), expected: passes" in done.stdout
    assert [one["ok"] for one in json.loads(cli("policy", "test", str(shown), str(cases), "--json").stdout)["cases"]] == [True, False]


@pytest.mark.parametrize("content", [b"[[rule]]\nmodle = 'churn'", b"\xff\xfe", b"= ="])
def test_a_policy_that_does_not_read_is_refused(cli: Cli, tmp_path: Path, content: bytes) -> None:
    """A key that no rule has, and what is no TOML text, leave the policy that holds alone."""
    file = tmp_path / "policy.toml"
    file.write_bytes(content)
    for words in (["set", str(file)], ["test", str(file), str(file)], ["set", str(tmp_path / "nowhere")], ["set", str(tmp_path)]):
        done = cli("policy", *words)
        assert done.returncode == 1, words
        assert done.stderr.startswith("error: ")
    assert document(cli("policy", "show", "--json"))["version"] == 0


def test_the_audit_log_is_verified_anchored_and_exported(cli: Cli, tmp_path: Path) -> None:
    """Whole, with a hash that was kept, and as JSON lines from any row on; a changed row is named, with code 1."""
    filled(cli, tmp_path, 0.9)
    seq, head = cli("audit", "head").stdout.split()
    assert document(cli("audit", "head", "--json")) == {"seq": int(seq), "hash": head}
    cli("models", "alias", "churn", "champion", "1")
    assert cli("audit", "verify").stdout.startswith(f"whole: {int(seq) + 1} rows, head ")
    assert "the anchor among them" in cli("audit", "verify", "--anchor", head).stdout
    lost = cli("audit", "verify", "--anchor", "ab" * 32)
    assert (lost.returncode, "written anew" in lost.stdout) == (1, True)
    assert cli("audit", "verify", "--anchor", "nonsense").returncode == 1
    lines = [json.loads(line) for line in cli("audit", "export").stdout.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, int(seq) + 2))
    assert lines[int(seq) - 1]["hash"] == head
    assert [json.loads(line)["action"] for line in cli("audit", "export", "--after", seq).stdout.splitlines()] == ["alias.moved"]
    _tamper(tmp_path / "ledger" / "ledger.db")
    done = cli("audit", "verify")
    assert (done.returncode, done.stdout.startswith("broken at row 2: row 2 was changed")) == (1, True)
    broken = json.loads(cli("audit", "verify", "--json").stdout)
    assert (broken["whole"], broken["broken"]) == (False, 2)


def _tamper(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE audit SET content = replace(content, 'alice', 'mallory') WHERE seq = 2")
