"""``prefect-ledger experiments``."""

from __future__ import annotations

from tests.cli.conftest import Cli, document


def test_an_experiment_goes_through_its_life(cli: Cli) -> None:
    """Made with tags, found, renamed, deleted, listed as deleted, and restored under the same id."""
    assert cli("experiments", "create", "[b]old[/b]", "--tag", "team=risk", "-t", "note=a=b").returncode == 0
    [made] = document(cli("experiments", "list", "--filter", "tags.team = 'risk'", "--json"))["experiments"]
    assert made["tags"] == {"team": "risk", "note": "a=b"}
    assert "[b]old[/b]" in cli("experiments", "list").stdout
    assert cli("experiments", "rename", "[b]old[/b]", "new").returncode == 0
    assert cli("experiments", "delete", "new").returncode == 0
    assert [one["name"] for one in document(cli("experiments", "list", "--json"))["experiments"]] == ["Default"]
    [gone] = document(cli("experiments", "list", "--lifecycle", "deleted", "--json"))["experiments"]
    assert (gone["id"], gone["name"], gone["lifecycle"]) == (made["id"], "new", "deleted")
    assert cli("experiments", "restore", str(made["id"])).returncode == 0
    assert document(cli("experiments", "show", "new", "--json"))["lifecycle"] == "active"


def test_what_cannot_be_is_refused(cli: Cli) -> None:
    """A name twice, a tag without a value and an unknown experiment are errors with a sentence."""
    assert cli("experiments", "create", "one").returncode == 0
    for words in (["create", "one"], ["create", "two", "--tag", "nonsense"], ["rename", "three", "four"], ["delete", "Default"]):
        done = cli("experiments", *words)
        assert done.returncode == 1, words
        assert done.stderr.startswith("error: ")


def test_an_experiment_is_shown_with_its_latest_runs(filled: tuple[Cli, dict[str, str]]) -> None:
    """Its page names its runs."""
    cli, ids = filled
    done = cli("experiments", "show", "churn")
    assert ids["deep"][:8] in done.stdout
    assert "team" in done.stdout
    found = document(cli("experiments", "show", "churn", "--json"))
    assert {run["id"] for run in found["latest_runs"]} == {ids["deep"], ids["shallow"]}
