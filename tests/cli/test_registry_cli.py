"""``prefect-ledger models register`` and all that follows: what is registered, who asked, who agreed, and the log of it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import registry, start_run
from prefect_ledger.cli import app
from prefect_ledger.registry.callers import sign
from tests.cli.conftest import Cli, document, environment, process

TWO_EYES = """
[[rule]]
model = "churn"
stage = "production"
gates = [{gate = "metrics.auc >= champion.metrics.auc - 0.002", without_champion = "pass"}, "metrics.auc >= 0.8"]
approvals = 1
approvers = ["bob", "carol"]
identity = "claimed"
break_glass = ["carol"]
"""
EVIL = "[red]evil[/red] \x1b[31m\u202edlrow"


def logged(auc: float = 0.9) -> str:
    """The reference of a model that a run logged."""
    with start_run(experiment="churn") as run:
        run.log_metric("auc", auc)
        return run.log_model(lambda data: [2 * x for x in data], "churn", signature=None, requirements=[]).uri


def filled(cli: Cli, tmp_path: Path, *aucs: float) -> None:
    """Versions of churn by alice, one a metric, and the policy that wants a second person for production."""
    cli("models", "registered")  # the ledger is this test's from here on
    for auc in aucs:
        assert cli("models", "register", "churn", logged(auc), "--by", "alice").returncode == 0
    file = tmp_path / "policy.toml"
    file.write_text(TWO_EYES)
    assert cli("policy", "set", str(file), "--by", "bob", "--why", "two people").stdout.startswith("version 1 of the policy holds now")


def test_a_version_from_training_to_production(cli: Cli, tmp_path: Path) -> None:
    """Asked for, agreed to by another person, and moved: each step says what is missing, and 3 is the code for that."""
    filled(cli, tmp_path, 0.9)
    asked = cli("promote", "churn", "1", "--by", "alice", "--why", "first")
    assert asked.returncode == 3
    assert "request 1 waits for 1 of 1 approvals, by bob, carol" in asked.stderr
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
    cli("models", "rename", "churn", "churn")
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
    page = cli("promotion", "show", "1").stdout
    for part in ("churn 1 to production", "alice (claimed)", "bob (claimed) rejects: too few rows", registry.get_request(1).evidence):
        assert part in page, part
    assert "same verdict again, to the last digit: passed, 2 gates" in cli("promotion", "replay", "1").stdout
    assert document(cli("promotion", "replay", "2", "--json"))["same"] is True
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


def test_registered_models_are_listed_and_shown(cli: Cli, tmp_path: Path) -> None:
    """Models with what stages and aliases mean, versions with what people wrote; short names and references say the same."""
    assert "models register NAME SOURCE" in cli("models", "registered").stderr
    filled(cli, tmp_path, 0.9, 0.95)
    assert cli("models", "alias", "churn", "champion", "1").stdout == "churn@champion means version 1\n"
    cli("models", "transition", "churn", "2", "staging")
    cli("models", "describe", "churn", "Who leaves")
    cli("models", "describe", "churn@champion", "The first one")
    cli("models", "tag", "churn", "team=risk")
    cli("models", "tag", "churn/2", "data=march", "draft=yes")
    cli("models", "tag", "churn/2", "--remove", "draft")
    assert cli("models", "note", "churn/1", "Good enough", "--verdict", "approve", "--by", "bob").returncode == 0
    table = cli("models", "registered").stdout
    assert all(part in table for part in ("churn", "@champion: 1", "Who leaves"))
    page = cli("models", "show", "churn").stdout
    assert all(part in page for part in ("team=risk", "staging: 2", "The first one", "alice (claimed)"))
    for name in ("churn@champion", "churn/1", "models:/churn@champion", "models:/churn/1"):
        page = cli("models", "show", name).stdout
        for part in ("churn 1", "@champion", "The first one", "bob (claimed) approves: Good enough", "MLmodel", "models:/m-"):
            assert part in page, (name, part)
    record = document(cli("models", "show", "churn", "--json"))
    source = registry.get_version("churn", 2)
    assert "churn 2, in stage staging" in cli("models", "show", f"models:/{source.logged_id}").stdout
    assert [one["uri"] for one in document(cli("models", "show", f"runs:/{source.run_id}/churn", "--json"))["versions"]] == [source.uri]
    assert [(one["version"], one["stage"], one["tags"]) for one in record["versions"]] == [
        (2, "staging", {"data": "march"}),
        (1, "none", {}),
    ]
    one = document(cli("models", "show", "churn/1", "--json"))
    assert (one["version"]["uri"], one["version"]["author"]["name"], one["version"]["notes"][0]["verdict"]) == (
        "models:/churn/1",
        "alice",
        "approve",
    )
    assert [each["version"] for each in document(cli("models", "versions", "churn", "--json"))["versions"]] == [2, 1]
    assert "staging" in cli("models", "versions", "churn").stdout


def test_what_was_logged_to_be_registered_is(cli: Cli) -> None:
    """A model logged with register= is a version; the command for schedules says how many it still had to make."""
    cli("models", "registered")
    with start_run(experiment="churn") as run:
        run.log_model(lambda data: data, "churn", signature=None, requirements=[], register=True)
    assert cli("models", "register-logged").stdout.startswith("registered ")
    assert [one["version"] for one in document(cli("models", "versions", "churn", "--json"))["versions"]] == [1]
    assert cli("models", "register-logged").stdout == "registered 0 versions\n"


def test_versions_are_searched(cli: Cli, tmp_path: Path) -> None:
    """Over all models, by stage, tags and the run's metrics, page after page; a filter that does not parse is code 1."""
    assert cli("models", "search").stderr == "nothing is registered\n"
    filled(cli, tmp_path, 0.7, 0.95, 0.8)
    cli("models", "transition", "churn", "2", "staging")
    table = cli("models", "search", "metrics.auc > 0.75", "--order-by", "metrics.auc desc").stdout
    assert table.index("staging") < table.index("none")
    first = document(cli("models", "search", "metrics.auc > 0.75", "-o", "metrics.auc", "-n", "1", "--json"))
    assert [one["version"] for one in first["versions"]] == [3]
    more = cli("models", "search", "metrics.auc > 0.75", "-o", "metrics.auc", "-n", "1", "--page", first["next_page"], "--json")
    assert [one["version"] for one in document(more)["versions"]] == [2]
    assert cli("models", "search", "stage = 'production'").stderr == "no versions match\n"
    assert "more: add --page" in cli("models", "search", "-n", "1").stderr
    assert cli("models", "search", "metrics.auc >").returncode == 1


def test_an_alias_moves_from_where_it_was_seen(cli: Cli, tmp_path: Path) -> None:
    """--expected makes a conflict of a move that somebody else made; --remove takes the alias away."""
    filled(cli, tmp_path, 0.9, 0.95)
    assert cli("models", "alias", "churn", "champion", "1", "--expected", "none").returncode == 0
    lost = cli("models", "alias", "churn", "champion", "2", "--expected", "none")
    assert lost.returncode == 1
    assert "means version 1 now" in lost.stderr
    assert cli("models", "alias", "churn", "champion", "2", "--expected", "1").stdout.endswith("means version 2; it meant version 1\n")
    assert cli("models", "alias", "churn", "champion").returncode == 1
    assert cli("models", "alias", "churn", "champion", "--remove").stdout.startswith("churn@champion means nothing any more")


def test_models_and_versions_are_renamed_deleted_and_restored(cli: Cli, tmp_path: Path) -> None:
    """A version by NAME/7, a model by its name; what is deleted is listed where that is asked for, and comes back."""
    filled(cli, tmp_path, 0.9, 0.95)
    assert cli("models", "create", "spare", "--description", "none yet", "--tag", "team=risk").returncode == 0
    assert cli("models", "create", "spare").returncode == 1
    assert "has no versions" in cli("models", "versions", "spare").stderr
    assert cli("models", "rename", "churn", "attrition").returncode == 3
    assert cli("models", "rename", "spare", "saved").stdout == "registered model spare is now called saved\n"
    assert "models restore churn/1" in cli("models", "delete", "churn/1").stderr
    assert cli("models", "show", "churn/1").returncode == 1
    assert [one["version"] for one in document(cli("models", "versions", "churn", "--json"))["versions"]] == [2]
    assert "deleted" in cli("models", "versions", "churn", "--deleted").stdout
    assert cli("models", "restore", "churn/1").returncode == 0
    assert cli("models", "delete", "saved").returncode == 0
    assert "saved" not in cli("models", "registered").stdout
    assert "saved" in cli("models", "registered", "--deleted").stdout
    assert cli("models", "restore", "saved").stdout == "saved is there again\n"
    cli("models", "alias", "churn", "champion", "2")
    assert cli("models", "delete", "churn/2").returncode == 3


def test_what_was_when_is_told(cli: Cli, tmp_path: Path) -> None:
    """The history has each change with what it made of what; a moment is read in the reader's zone or with its own."""
    filled(cli, tmp_path, 0.9)
    cli("models", "transition", "churn", "1", "staging", "--by", "alice", "--why", "to try")
    cli("models", "alias", "churn", "champion", "1")
    now = datetime.now(UTC).isoformat()
    cli("models", "alias", "churn", "champion", "--remove")
    page = cli("models", "history", "churn").stdout
    assert all(part in page for part in ("stage none → staging", "alice (claimed)", "to try", "alias.moved"))
    actions = [one["action"] for one in document(cli("models", "history", "churn/1", "--json"))["changes"]]
    assert cli("models", "history", "churn/9").stderr == "nothing is recorded of churn/9\n"
    assert actions == ["version.registered", "version.moved", "alias.moved", "alias.moved"]
    found = document(cli("models", "as-of", "churn", "@champion", now, "--json"))
    assert (found["version"]["version"], found["version"]["stage"]) == (1, "staging")
    assert "staging" in cli("models", "as-of", "churn", "staging", now).stdout
    assert "meant no version" in cli("models", "as-of", "churn", "staging", "2020-01-01").stdout
    assert document(cli("models", "as-of", "churn", "production", now, "--json"))["version"] is None
    assert cli("models", "as-of", "churn", "staging", "yesterday").returncode == 1


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
    import contextlib
    import sqlite3

    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE audit SET content = replace(content, 'alice', 'mallory') WHERE seq = 2")


def test_names_and_texts_reach_the_terminal_as_letters(cli: Cli, tmp_path: Path) -> None:
    """Neither markup nor control characters of a name, note, tag, comment or reason are obeyed."""
    filled(cli, tmp_path, 0.9)
    evil = "[red]x"
    cli("models", "register", evil, logged(), "--description", EVIL, "--tag", f"title={EVIL}", "--by", evil)
    cli("models", "note", f"{evil}/1", EVIL, "--by", evil)
    cli("models", "describe", evil, EVIL, "--why", EVIL)
    cli("promote", "churn", "1", "--by", "alice", "--why", EVIL)
    cli("reject", "1", "--comment", EVIL, "--by", "bob")
    pages = [["models", "registered"], ["models", "show", evil], ["models", "show", f"{evil}/1"], ["models", "versions", evil]]
    pages += [["models", "history", evil], ["promotion", "list"], ["promotion", "show", "1"], ["models", "history", "churn"]]
    for words in pages:
        done = cli(*words)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout, words
        assert "\u202e" not in done.stdout, words
        assert "[red]" in done.stdout, words


@pytest.mark.parametrize(
    "words",
    [
        ["models", "show", "nobody"],
        ["models", "versions", "nobody"],
        ["models", "register", "a/b", "models:/m-" + "0" * 32],
        ["models", "register", "churn", "models:/m-" + "0" * 32],
        ["models", "register", "churn", "/tmp"],
        ["models", "note", "churn", "which version?"],
        ["models", "note", "models:/m-" + "0" * 32, "not registered"],
        ["models", "tag", "churn"],
        ["models", "tag", "churn", "novalue"],
        ["models", "describe", "a/b/c", "x"],
        ["models", "history", "nobody"],
        ["models", "transition", "churn", "1", "live"],
        ["promote", "nobody", "1"],
        ["promotion", "list", "--limit", "0"],
        ["approve", "1", "--yes"],
        ["audit", "verify", "--anchor", "x"],
        ["audit", "export", "--after", "-1"],
        ["promotion", "show", "9" * 30],
        ["policy", "show", "--at", "9" * 30],
        ["promote", "churn", "9" * 30],
    ],
)
def test_what_cannot_be_is_code_one(cli: Cli, words: list[str]) -> None:
    """What is not there, or written otherwise, is one error on stderr, and nothing is registered."""
    done = cli(*words)
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith("error: ")
    assert not done.stdout
    assert registry.list_models(deleted=True) == []


def test_every_verb_of_the_registry_has_a_command() -> None:
    """Nothing that the registry can do is left to Python alone."""
    values = {name for name in registry.__all__ if name[0].isupper()}
    commands: dict[str, Any] = {
        "create_model": "models create",
        "register_model": "models register",
        "register_logged": "models register-logged",
        "list_models": "models registered",
        "list_versions": "models versions",
        "search_versions": "models search",
        **dict.fromkeys(("get_model", "get_version", "notes"), "models show"),
        **dict.fromkeys(("describe_model", "describe_version"), "models describe"),
        **dict.fromkeys(("tag_model", "tag_version"), "models tag"),
        **dict.fromkeys(("delete_model", "delete_version"), "models delete"),
        **dict.fromkeys(("restore_model", "restore_version"), "models restore"),
        "rename_model": "models rename",
        "annotate": "models note",
        "set_alias": "models alias",
        "transition": "models transition",
        "history": "models history",
        "as_of": "models as-of",
        "request_transition": "promote",
        "approve": "approve",
        "reject": "reject",
        "list_requests": "promotion list",
        "get_request": "promotion show",
        "replay": "promotion replay",
        "to_sign": "promotion to-sign",
        "withdraw": "promotion withdraw",
        "settle": "promotion settle",
        "get_policy": "policy show",
        "set_policy": "policy set",
        "verify_audit": "audit verify",
        "audit_head": "audit head",
        "export_audit": "audit export",
    }
    assert set(registry.__all__) - values == set(commands)
    for command in commands.values():
        one = app
        for word in command.split():
            one = one[word]
