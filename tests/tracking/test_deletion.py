"""Runs that are deleted and restored: nothing of them is lost until gc takes them, on both databases."""

from __future__ import annotations

import uuid

import pytest

from prefect_ledger import collect_garbage, delete_experiment, get_experiment, get_run, restore_experiment, search_runs, start_run
from prefect_ledger.entities import Run
from prefect_ledger.errors import InvalidName, InvalidValue, RunNotFound
from prefect_ledger.queries.size import store_bytes
from prefect_ledger.removal_store import condemn, doomed
from prefect_ledger.tracking.deletion import delete_runs, restore_runs
from prefect_ledger.tracking.experiments import count_runs
from prefect_ledger.tracking.ledger import Ledger
from tests.stores.filling import Filled, fill

pytestmark = pytest.mark.usefixtures("store_url")


def logged(experiment: str = "churn", *, finish: bool = True) -> str:
    """A run with something of everything; its id."""
    run = start_run(experiment=experiment)
    run.log_params({"depth": 6})
    run.log_metric("loss", 0.5)
    run.log_text("hello", "notes.txt")
    if finish:
        run.finish()
    return run.id


def whole(run: Run) -> tuple[object, ...]:
    """What a run has."""
    return run.name, run.status, dict(run.params), dict(run.metrics), [artifact.path for artifact in run.artifacts]


def test_a_deleted_run_is_left_out_and_comes_back_as_it_was(fresh_ledger: Ledger) -> None:
    """Searches leave a deleted run out and get_run shows it with all it has; restored, everything is as before."""
    first, second = logged(), logged()
    before = whole(get_run(first))
    assert delete_runs(first[:8]) == [first]
    assert [run.id for run in search_runs("churn")] == [second]
    assert [run.id for run in search_runs("churn", lifecycle="deleted")] == [first]
    assert (get_run(first).lifecycle, whole(get_run(first))) == ("deleted", before)
    assert delete_runs(first, first) == []
    assert count_runs()[get_experiment("churn").id] == (1, 1)
    assert restore_runs(first) == [first]
    assert (get_run(first).lifecycle, whole(get_run(first))) == ("active", before)
    assert restore_runs(first, second) == []


def test_all_are_changed_or_none(fresh_ledger: Ledger) -> None:
    """A run that is not there, or no run's id, is refused, and the others beside it stay as they are."""
    here, nowhere = logged(), str(uuid.uuid4())
    for verb in (delete_runs, restore_runs):
        with pytest.raises(RunNotFound, match=nowhere):
            verb(here, nowhere)
        with pytest.raises(RunNotFound):
            verb(here, nowhere[:8])
        with pytest.raises(InvalidName):
            verb(here, "x")
    assert get_run(here).lifecycle == "active"
    assert delete_runs() == []


def test_many_at_once(fresh_ledger: Ledger) -> None:
    """More runs than one statement can name are deleted and restored together."""
    fresh_ledger.database.prepare()
    ids = [str(uuid.uuid4()) for _ in range(1_200)]
    fill(fresh_ledger.database, [Filled(run) for run in ids])
    assert delete_runs(*ids) == ids
    assert len(search_runs(limit=5_000)) == 0
    assert restore_runs(*ids) == ids


def test_an_open_run_goes_on(fresh_ledger: Ledger) -> None:
    """A run that is deleted while it logs goes on, loses nothing, and gc leaves it alone as long as it is heard of."""
    run = start_run(experiment="churn")
    run.log_metric("loss", 0.5)
    assert delete_runs(run.id) == [run.id]
    run.log_metric("loss", 0.25)
    assert not collect_garbage(dry_run=False, retention_days=0).runs
    run.finish()
    found = get_run(run.id)
    assert (found.lifecycle, found.status, found.metrics) == ("deleted", "COMPLETED", {"loss": 0.25})


def test_gc_takes_what_was_deleted(fresh_ledger: Ledger) -> None:
    """A deleted run is what gc collects; once it has begun with one, that one cannot be restored."""
    kept, gone, begun = logged(), logged(), logged()
    delete_runs(kept, gone, begun)
    restore_runs(kept)
    fresh_ledger.flush()
    with fresh_ledger.database.write() as tx:
        assert all(condemn(tx, one) for one in doomed(tx, 1 << 62, {}, 1 << 62) if one.id == begun)
    with pytest.raises(InvalidValue, match=begun):
        restore_runs(gone, begun)
    assert get_run(gone).lifecycle == "deleted"
    taken = collect_garbage(dry_run=False, retention_days=0, grace_days=0)
    assert {run.id for run in taken.runs} == {gone, begun}
    assert [run.id for run in search_runs("churn", lifecycle="all")] == [kept]
    with pytest.raises(RunNotFound):
        restore_runs(gone)


def test_runs_of_deleted_experiments(fresh_ledger: Ledger) -> None:
    """A run deleted alone stays so when its experiment is restored; a run restored alone brings its experiment back, without the rest."""
    alone, rest = logged(), logged()
    delete_runs(alone)
    delete_experiment("churn")
    restore_experiment("churn")
    assert [run.id for run in search_runs("churn")] == [rest]
    delete_experiment("churn")
    assert restore_runs(alone) == [alone]
    assert get_experiment("churn").lifecycle == "active"
    assert [run.id for run in search_runs("churn")] == [alone]
    restore_experiment("churn")
    assert {run.id for run in search_runs("churn")} == {alone, rest}


def test_the_size_of_a_store(fresh_ledger: Ledger) -> None:
    """The size of the store is told in bytes, and grows with what is logged."""
    logged()
    fresh_ledger.flush()
    with fresh_ledger.database.read() as tx:
        before = store_bytes(tx)
    with start_run() as run:
        run.log_params({f"p{n}": "x" * 1_000 for n in range(500)})
    fresh_ledger.flush()
    with fresh_ledger.database.read() as tx:
        assert store_bytes(tx) >= before + 100_000 > 100_000
