"""The public ways to look at runs and experiments: what this process logged is there, whatever the store lagged behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import (
    configure,
    create_experiment,
    delete_experiment,
    get_experiment,
    get_run,
    open_run,
    rename_experiment,
    restore_experiment,
    search_experiments,
    search_runs,
    start_run,
)
from prefect_ledger.errors import ExperimentExists, ExperimentNotFound, InvalidFilter, InvalidName, InvalidValue, RunNotFound
from prefect_ledger.tracking import ledger as module


@pytest.fixture(autouse=True)
def _ledger(home: Path, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A ledger of this test alone, on each database in turn; what is captured beside a run is left out."""
    monkeypatch.setattr(module, "_ledger", None)
    configure(home=home, store_url=store_url, capture_git=False, capture_packages=False)
    yield
    module.ledger().close()


def test_a_run_that_just_ended_is_opened() -> None:
    """A run that ended here a moment ago is found by its prefix, although the recorder has yet to bring it into the store."""
    for _ in range(20):
        with start_run(experiment="churn", name="one") as run:
            run.log_metric("auc", 0.5, step=0)
        again = open_run(run.id[:8])
        assert again.name == "one"
        again.log_metric("auc", 0.6, step=1)
    assert get_run(run.id).metric("auc").values.tolist() == [0.5, 0.6]


def test_what_was_logged_is_read() -> None:
    """A value is found as soon as the call that logged it returned, by id, by prefix and by search."""
    with start_run(experiment="churn", name="one", tags={"team": "risk"}) as run:
        run.log_params({"depth": 6})
        for step in range(100):
            run.log_metric("loss", 1 / (step + 1))
            if step % 50 == 0:
                assert get_run(run.id[:8]).metrics["loss"] == 1 / (step + 1)
        assert [found.id for found in search_runs("churn", "metrics.loss = 0.01 and params.depth >= 6")] == [run.id]
    found = get_run(run.id.replace("-", ""))
    assert (found.status, found.name, found.experiment, found.tags) == ("COMPLETED", "one", "churn", {"team": "risk"})
    assert len(found.metric("loss")) == 100
    with pytest.raises(RunNotFound):
        get_run("00000000")
    with pytest.raises(InvalidName):
        get_run("one")


def test_an_artifact_is_read_from_its_run() -> None:
    """A run that was read gives the bytes that were logged."""
    with start_run() as run:
        run.log_text("hello", "notes/a.txt")
    assert get_run(run.id).read_artifact("notes/a.txt") == b"hello"


def test_runs_are_searched_as_values_and_tables() -> None:
    """Every argument does what it says: experiment, filter, order, limit, page, form and lifecycle."""
    for number in range(5):
        with start_run(experiment="churn" if number else "other") as run:
            run.log_metric("auc", number / 10)
    page = search_runs("churn", order_by=["metrics.auc desc"], limit=3)
    assert [run.metrics["auc"] for run in page] == [0.4, 0.3, 0.2]
    rest = search_runs("churn", order_by=["metrics.auc desc"], limit=3, page=page.next_page)
    assert ([run.metrics["auc"] for run in rest], rest.next_page) == ([0.1], None)
    frame = search_runs(["churn", "other"], "metrics.auc < 0.3", "metrics.auc", as_="pandas")
    assert frame["metrics.auc"].tolist() == [0.0, 0.1, 0.2]
    assert search_runs(as_="arrow").num_rows == 5
    delete_experiment("churn")
    assert len(search_runs()) == 1
    assert len(search_runs(lifecycle="deleted")) == 4
    with pytest.raises(InvalidFilter, match=r"metrics\.auc >"):
        search_runs(filter="metrics.auc >")
    with pytest.raises(ExperimentNotFound, match="'churn'"):
        search_runs("chrn")


def test_experiments_live() -> None:
    """Made, found, renamed, deleted and restored, each time as it is then; runs go and come with theirs."""
    made = create_experiment("churn", tags={"team": "risk", "level": 3})
    assert made.tags == {"team": "risk", "level": "3"}
    with start_run(experiment="churn") as run:
        run.log_metric("auc", 0.5)
    renamed = rename_experiment("churn", "churn 2")
    assert (renamed.id, renamed.name, get_run(run.id).experiment) == (made.id, "churn 2", "churn 2")
    assert get_experiment(made.id) == get_experiment("churn 2") == renamed
    assert delete_experiment("churn 2").lifecycle == "deleted"
    assert get_run(run.id).lifecycle == "deleted"
    assert [found.name for found in search_experiments(lifecycle="deleted")] == ["churn 2"]
    with pytest.raises(ExperimentExists, match="restore_experiment"):
        create_experiment("churn 2")
    assert restore_experiment(str(made.id)).lifecycle == "active"
    assert get_run(run.id).lifecycle == "active"
    assert [found.name for found in search_experiments("tags.team = 'risk'")] == ["churn 2"]


def test_tags_that_no_database_takes_are_marked() -> None:
    """NUL and half of a pair of surrogates in a tag of an experiment become a mark, as in tags of runs and versions."""
    assert create_experiment("churn", tags={"odd": "a\0b\ud800c"}).tags == {"odd": "a\ufffdb\ufffdc"}


def test_a_run_that_only_the_journal_has_makes_its_experiment() -> None:
    """Experiments that were named by a run of this process are there, before the store has heard of them."""
    run = start_run(experiment="fresh")
    assert get_experiment("fresh").name == "fresh"
    run.finish()


def test_what_no_experiment_can_be_is_refused() -> None:
    """Names, tags, limits and lifecycles are checked before the store is asked; a secret in a tag is masked."""
    wrong: Any
    for wrong in ("", " ", "a\0b", "x" * 501, 7, None):
        with pytest.raises(InvalidName):
            create_experiment(wrong)
        with pytest.raises(InvalidName):
            rename_experiment("Default", wrong)
    for wrong in ({"": "x"}, {"../x": "x"}, {7: "x"}):
        with pytest.raises(InvalidName):
            create_experiment("churn", tags=wrong)
    for wrong in (["a"], "team", {"a": "x" * 20_001}):
        with pytest.raises(InvalidValue):
            create_experiment("churn", tags=wrong)
    for wrong in (0, 50_001, "5"):
        with pytest.raises(InvalidValue):
            search_experiments(limit=wrong)
    wrong = "gone"
    with pytest.raises(InvalidValue):
        search_experiments(lifecycle=wrong)
    with pytest.raises(InvalidValue, match="Default"):
        delete_experiment(0)
    assert [found.name for found in search_experiments(lifecycle="all")] == ["Default"]
    assert "hunter2" not in str(create_experiment("churn", tags={"db_password": "hunter2"}).tags)
