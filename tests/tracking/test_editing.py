"""What people write about runs and experiments afterwards: names, descriptions, tags, on both databases."""

from __future__ import annotations

import uuid

import pytest

from prefect_ledger import (
    create_experiment,
    describe_experiment,
    describe_run,
    get_experiment,
    get_run,
    open_run,
    rename_run,
    search_experiments,
    search_runs,
    start_run,
    tag_experiment,
    tag_runs,
)
from prefect_ledger.errors import ExperimentNotFound, InvalidName, InvalidValue, RunFinished, RunNotFound
from prefect_ledger.masking import MASK
from prefect_ledger.tracking.ledger import Ledger

pytestmark = pytest.mark.usefixtures("store_url")


def ended(name: str = "first") -> str:
    """The id of a run that has ended."""
    with start_run(experiment="churn", name=name) as run:
        run.log_metric("auc", 0.9)
    return run.id


def test_an_ended_run_gets_another_name_and_a_description(fresh_ledger: Ledger) -> None:
    """Name and description can be written after the end, are found by the filter, and change nothing else of the run."""
    run = ended()
    before = get_run(run)
    assert rename_run(run[:8], "baseline").name == "baseline"
    assert describe_run(run, "The **baseline** of März").description == "The **baseline** of März"
    after = get_run(run)
    assert (after.status, after.ended_at, after.metrics, after.attempt) == (before.status, before.ended_at, before.metrics, 1)
    assert [one.id for one in search_runs("churn", "name = 'baseline' and description ilike '%MÄRZ%'")] == [run]
    assert describe_run(run, "").description == ""
    assert [one.id for one in search_runs("churn", "description is null")] == [run]


def test_a_run_is_edited_while_it_runs(fresh_ledger: Ledger) -> None:
    """The handle renames and describes its run too, through the journal, and shows the name at once; an ended one refuses."""
    with start_run(experiment="churn", name="first") as run:
        run.rename("second")
        run.set_description("on the way")
        assert run.name == "second"
    found = get_run(run.id)
    assert (found.name, found.description, found.status) == ("second", "on the way", "COMPLETED")
    with pytest.raises(RunFinished):
        run.rename("third")
    open_run(run.id).rename("third")
    assert get_run(run.id).name == "third"


def test_the_latest_edit_wins_wherever_it_was_made(fresh_ledger: Ledger) -> None:
    """An edit that waited in the journal is not undone by, and does not undo, one that was made later in the store."""
    with start_run(experiment="churn") as run:
        run.rename("from the journal")
        assert rename_run(run.id, "from outside").name == "from outside"
        run.rename("from the journal again")
    assert get_run(run.id).name == "from the journal again"


@pytest.mark.parametrize("name", ["", "  ", "x" * 501, "a\nb", 7])
def test_what_is_no_name_is_refused_and_leaves_no_trace(fresh_ledger: Ledger, name: object) -> None:
    """A name that no run may begin with is none to rename it to."""
    run = ended()
    with pytest.raises(InvalidName):
        rename_run(run, name)  # type: ignore[arg-type]
    with start_run() as other, pytest.raises(InvalidName):
        other.rename(name)  # type: ignore[arg-type]
    assert get_run(run).name == "first"


def test_a_description_has_a_limit(fresh_ledger: Ledger) -> None:
    """Twenty thousand characters are kept whole; one more, or no text, is refused with what to do."""
    run = ended()
    assert len(describe_run(run, "ä" * 20_000).description) == 20_000
    for text in ("ä" * 20_001, None, b"x"):
        with pytest.raises(InvalidValue, match="log_text keeps long texts"):
            describe_run(run, text)  # type: ignore[arg-type]


def test_what_no_database_takes_and_no_one_may_read_is_replaced(fresh_ledger: Ledger) -> None:
    """NUL and half characters become U+FFFD, and secrets are masked, in a description as in all that is logged."""
    found = describe_run(ended(), "a\0b\ud800c password=hunter2")
    assert found.description == f"a�b�c password={MASK}"


def test_many_runs_are_tagged_at_once_or_none(fresh_ledger: Ledger) -> None:
    """Tags are set and removed on all runs named, by any beginning of their ids; one that is not there leaves all as they were."""
    runs = [ended(f"run {number}") for number in range(3)]
    assert tag_runs(*(run[:13] for run in runs), tags={"reviewed": True, "team": "risk"}) == runs
    assert [dict(get_run(run).tags) for run in runs] == [{"reviewed": "True", "team": "risk"}] * 3
    with pytest.raises(RunNotFound):
        tag_runs(*runs, str(uuid.uuid4()), tags={"reviewed": "no"})
    with pytest.raises(InvalidName):
        tag_runs(*runs, tags={"reviewed": "no", "bad\nkey": 1})
    assert tag_runs(*runs, tags={"team": None}) == runs
    assert [dict(get_run(run).tags) for run in runs] == [{"reviewed": "True"}] * 3


def test_an_experiment_is_described_and_tagged(fresh_ledger: Ledger) -> None:
    """Description and tags of an experiment can be changed and are found by its filter; its name and runs stay."""
    create_experiment("churn", tags={"team": "risk", "draft": 1})
    assert get_experiment("churn").description == ""
    assert describe_experiment("churn", "Who leaves").description == "Who leaves"
    assert dict(tag_experiment("churn", {"draft": None, "owner": "ada"}).tags) == {"owner": "ada", "team": "risk"}
    assert [one.name for one in search_experiments("description ilike 'who%' and tags.owner = 'ada'")] == ["churn"]
    with pytest.raises(ExperimentNotFound, match="churn"):
        describe_experiment("chrun", "x")
    with pytest.raises(InvalidValue):
        describe_experiment("churn", "x" * 20_001)
