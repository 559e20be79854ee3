"""``prefect-ledger models register`` and all that looks after registered models."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import registry, start_run
from prefect_ledger.cli import app
from tests.cli.conftest import Cli, document
from tests.cli.registering import filled, logged

EVIL = "[red]evil[/red] \x1b[31m\u202edlrow"


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


@pytest.mark.parametrize(
    ("words", "apart"),
    [
        (["promote", "churn/7"], "churn 7"),
        (["promote", "churn@challenger", "--to", "staging"], "churn @challenger"),
        (["promote", "models:/churn/7"], "churn 7"),
        (["models", "transition", "churn/7", "staging"], "churn 7"),
        (["models", "as-of", "churn/production", "2026-03-01"], "churn production"),
    ],
)
def test_a_version_written_as_in_a_reference_is_told_apart(words: list[str], apart: str, cli: Cli) -> None:
    """Where name and version are two words, a reference is wrong usage, and the error shows the two words."""
    done = cli(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"write {apart}." in " ".join(done.stderr.replace("│", " ").split())


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
    gone = cli("models", "history", "churn/9")
    assert (gone.returncode, "has no version 9; its latest is" in gone.stderr) == (1, True)
    assert actions == ["version.registered", "version.moved", "alias.moved", "alias.moved"]
    found = document(cli("models", "as-of", "churn", "@champion", now, "--json"))
    assert (found["version"]["version"], found["version"]["stage"]) == (1, "staging")
    assert "staging" in cli("models", "as-of", "churn", "staging", now).stdout
    assert "meant no version" in cli("models", "as-of", "churn", "staging", "2020-01-01").stdout
    assert document(cli("models", "as-of", "churn", "production", now, "--json"))["version"] is None
    assert cli("models", "as-of", "churn", "staging", "yesterday").returncode == 1


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
        **dict.fromkeys(("rollback", "previous"), "rollback"),
        "undo": "models undo",
        "get_evidence": "promotion evidence",
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


def test_commands_that_are_named_can_be_typed_into_a_shell(cli: Cli) -> None:
    """A model's name that a shell would take for commands is quoted wherever what to type next is told."""
    name, quoted = "x; touch pwned #", "'x; touch pwned #'"
    assert cli("models", "create", name).returncode == 0
    assert f"prefect-ledger models register {quoted} SOURCE" in cli("models", "versions", name).stderr
    assert cli("models", "register", name, logged(), "--by", "alice").returncode == 0
    asked = registry.request_transition(name, 1, "staging", by="alice")
    assert f"prefect-ledger promote {quoted} 1 --to staging" in cli("approve", str(asked.id), "--yes", "--by", "bob").stderr
    assert f"prefect-ledger models restore '{name}/1' takes" in cli("models", "delete", f"{name}/1").stderr
    assert f"prefect-ledger models restore {quoted} takes" in cli("models", "delete", name).stderr
