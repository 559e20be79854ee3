"""``prefect-ledger models``."""

from __future__ import annotations

from prefect_ledger import start_run
from tests.cli.conftest import Cli, document


def test_models_are_listed_and_shown(cli: Cli) -> None:
    """The latest first, by name and experiment; the page of one has its signature, its needs, its files and where it comes from."""
    assert "log_model" in cli("models", "list").stderr
    with start_run(experiment="churn") as run:
        old = run.log_model(lambda data: [2 * x for x in data], "double", input_example=[1.0, 2.0], metadata={"note": "[b]\x1b[31m"})
        new = run.log_model(lambda data: data, "same")
    with start_run(experiment="other") as other:
        third = other.log_model(lambda data: data, "same")
    found = document(cli("models", "list", "--json"))["models"]
    assert [one["id"] for one in found] == [third.id, new.id, old.id]
    assert [one["uri"] for one in document(cli("models", "list", "-e", "churn", "--name", "same", "--json"))["models"]] == [new.uri]
    assert old.uri in cli("models", "list", "--limit", "3").stdout
    page = cli("models", "show", f"runs:/{run.id[:8]}/double").stdout
    for part in (old.id, old.digest, run.id, "double", "cloudpickle==", "MLmodel", "\\x1b[31m", "inputs"):
        assert part in page, part
    record = document(cli("models", "show", old.uri, "--json"))
    assert (record["digest"], record["run_id"]) == (old.digest, run.id)
    assert "MLmodel" in {path.rsplit("/", 1)[-1] for path in record["files"]}


def test_what_is_not_there_is_said(cli: Cli) -> None:
    """An unknown model, a place and an unknown experiment are errors with the next step in them."""
    for words in (["show", "models:/m-" + "0" * 32], ["show", "/tmp"], ["list", "-e", "nobody"], ["list", "--limit", "0"]):
        done = cli("models", *words)
        assert done.returncode == 1, words
        assert done.stderr.startswith("error: ")
