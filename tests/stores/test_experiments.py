"""Experiments in the store: a name is taken once, and an experiment is deleted and restored together with its runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from prefect_ledger import experiment_store as store
from prefect_ledger.database import Database, rows
from prefect_ledger.entities import Experiment
from prefect_ledger.errors import ExperimentExists, ExperimentNotFound, InvalidFilter, InvalidValue
from prefect_ledger.events import RunStarted
from prefect_ledger.names import experiment_id
from prefect_ledger.queries import Reader, experiments
from tests.stores.filling import BASE, Filled, fill
from tests.stores.folding import fold
from tests.stores.questions import HOSTILE

RUN = "8f2c51aa-0000-4000-8000-00000000000"


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An empty store."""
    found = Database(store_url)
    yield found
    found.close()


def create(database: Database, name: str, **tags: str) -> int:
    """A new experiment."""
    with database.write() as tx:
        return store.create(tx, name, tags)


def get(database: Database, wanted: str | int) -> Experiment:
    """An experiment by name or id."""
    with database.read() as tx:
        return experiments.get(tx, experiments.find(tx, wanted))


def names(database: Database, question: str = "", **more: Any) -> list[str]:
    """The names of the experiments that match."""
    with database.read() as tx:
        return [found.name for found in experiments.search(tx, question, **more)]


def test_a_new_store_has_the_default_one(database: Database) -> None:
    """ "Default" has id 0, and can be neither renamed nor deleted."""
    assert (get(database, 0).name, get(database, "Default").id, get(database, "0").id) == ("Default", 0, 0)
    with database.write() as tx:
        with pytest.raises(InvalidValue, match=r"'Default' \(id 0\) cannot be renamed"):
            store.rename(tx, 0, "other")
        with pytest.raises(InvalidValue, match=r"'Default' \(id 0\) cannot be deleted"):
            store.delete(tx, 0)
    assert get(database, 0).lifecycle == "active"


def test_an_experiment_is_what_was_made(database: Database) -> None:
    """Id from the name, tags, time of making; found by name, by id and by id as text."""
    number = create(database, "churn", team="risk", stage="dev")
    assert number == experiment_id("churn")
    found = get(database, "churn")
    assert (found.id, found.name, found.lifecycle, found.tags) == (number, "churn", "active", {"team": "risk", "stage": "dev"})
    assert found.created_at is not None
    assert get(database, number) == get(database, str(number)) == found


def test_tags_change_and_go(database: Database) -> None:
    """A tag has its latest value; None removes it."""
    number = create(database, "churn", team="risk", stage="dev")
    with database.write() as tx:
        store.set_tags(tx, number, {"team": "fraud", "stage": None, "new": "", "never": None})
    assert get(database, number).tags == {"team": "fraud", "new": ""}


def test_a_name_is_taken_once(database: Database) -> None:
    """A second experiment of a name is refused, also where the first was deleted: then the error says how to restore it."""
    number = create(database, "churn")
    with pytest.raises(ExperimentExists, match=rf"'churn' already \(id {number}\): get_experiment\('churn'\)"):
        create(database, "churn")
    with database.write() as tx:
        store.delete(tx, number)
    with pytest.raises(ExperimentExists, match=r"deleted experiment 'churn' .*restore_experiment\('churn'\) brings it back"):
        create(database, "churn")
    other = create(database, "fraud")
    with database.write() as tx, pytest.raises(ExperimentExists, match="restore_experiment"):
        store.rename(tx, other, "churn")
    assert get(database, other).name == "fraud"


def test_renaming_keeps_id_and_runs(database: Database) -> None:
    """A renamed experiment keeps id and runs; its old name is free, and a new experiment of it gets another id."""
    fold(database, RunStarted(run=RUN + "1", at=BASE, experiment="churn"))
    number = get(database, "churn").id
    with database.write() as tx:
        store.rename(tx, number, "churn 2")
        store.rename(tx, number, "churn 2")
    assert get(database, "churn 2").id == number
    with pytest.raises(ExperimentNotFound, match="there is 'churn 2'"):
        get(database, "churn")
    assert [run.experiment for run in Reader(database).search_runs("churn 2")] == ["churn 2"]
    fold(database, RunStarted(run=RUN + "2", at=BASE, experiment="churn"), journal="journal-1")
    assert get(database, "churn").id not in (number, 0)
    assert [run.id for run in Reader(database).search_runs("churn")] == [RUN + "2"]
    with database.write() as tx:
        store.rename(tx, get(database, "churn").id, "churn 3")
    assert create(database, "churn") not in (number, get(database, "churn 3").id)


def test_runs_go_and_come_with_their_experiment(database: Database) -> None:
    """Deleting takes the active runs along; restoring brings back those, not the ones that had been deleted before."""
    number = create(database, "churn")
    runs = [Filled(RUN + "1", experiment=number), Filled(RUN + "2", experiment=number, lifecycle="deleted"), Filled(RUN + "3")]
    fill(database, runs)
    reader = Reader(database)

    def active() -> list[str]:
        return [run.id[-1] for run in reader.search_runs()]

    assert active() == ["1", "3"]
    with database.write() as tx:
        store.delete(tx, number)
        store.delete(tx, number)
    assert get(database, number).lifecycle == "deleted"
    assert active() == ["3"]
    assert [run.id[-1] for run in reader.search_runs("churn", lifecycle="deleted")] == ["1", "2"]
    assert reader.run(RUN + "1").lifecycle == "deleted"
    with database.write() as tx, pytest.raises(InvalidValue, match=r"'churn' is deleted: restore_experiment\('churn'\) first"):
        store.rename(tx, number, "other")
    with database.write() as tx:
        store.restore(tx, number)
        store.restore(tx, number)
    assert get(database, number).lifecycle == "active"
    assert active() == ["1", "3"]


def test_a_new_run_brings_a_deleted_experiment_back(database: Database) -> None:
    """A run that names a deleted experiment makes it active, without its deleted runs; restoring still brings those."""
    number = create(database, "churn")
    fill(database, [Filled(RUN + "1", experiment=number)])
    with database.write() as tx:
        store.delete(tx, number)
    fold(database, RunStarted(run=RUN + "2", at=BASE, experiment="churn"))
    reader = Reader(database)
    assert get(database, number).lifecycle == "active"
    assert [run.id[-1] for run in reader.search_runs("churn")] == ["2"]
    with database.write() as tx:
        store.restore(tx, number)
    assert [run.id[-1] for run in reader.search_runs("churn")] == ["1", "2"]


def test_experiments_are_searched(database: Database) -> None:
    """By name, id, time and tags, in the language of runs; the latest made first, deleted ones where they are asked for."""
    first = create(database, "churn", team="risk")
    create(database, "Churn 2", team="fraud")
    create(database, "fraud")
    with database.write() as tx:
        store.delete(tx, first)
    assert names(database) == ["fraud", "Churn 2", "Default"]
    assert names(database, lifecycle="deleted") == ["churn"]
    assert names(database, lifecycle="all", limit=2) == ["fraud", "Churn 2"]
    for question, expected in {
        "name like 'Churn%'": ["Churn 2"],
        "name ilike 'churn%' and not tags.team = 'risk'": ["Churn 2"],
        "tags.team is null or tags.team in ('risk')": ["fraud", "churn", "Default"],
        "experiment_id = 0": ["Default"],
        "experiment != 'fraud' and created > '2020-01-01'": ["Churn 2", "churn", "Default"],
        "created < 0": [],
    }.items():
        assert names(database, question, lifecycle="all") == expected, question


@pytest.mark.parametrize(
    "question", ["status = 'FAILED'", "name = 'x' or metrics.a > 1", "params.a = '1'", "duration > 1", "datasets.name = 'x'"]
)
def test_only_what_experiments_have_is_asked(database: Database, question: str) -> None:
    """What only runs have is refused, with what there is, at its place in the text."""
    with pytest.raises(InvalidFilter, match=r"it has name, experiment_id, created, description and tags\.<key>") as refused:
        names(database, question)
    assert refused.value.text == question
    assert question[refused.value.position :].startswith(("status", "metrics", "params", "duration", "datasets"))


def test_names_and_tags_are_only_text(database: Database) -> None:
    """Whatever a name or a tag holds is stored and found as it is."""
    for text in HOSTILE:
        number = create(database, f"a {text}", **{text: text})
        found = get(database, f"a {text}")
        assert (found.id, found.tags) == (number, {text: text})
        key, value = "`" + text.replace("`", "``") + "`", text.replace("'", "''")
        assert names(database, f"tags.{key} = '{value}' and name = 'a {value}'") == [f"a {text}"]
        with pytest.raises(ExperimentNotFound):
            get(database, text)
    with database.read() as tx:
        assert rows(tx, "SELECT COUNT(*) FROM experiments") == [(len(HOSTILE) + 1,)]


def test_a_missing_one_offers_near_names(database: Database) -> None:
    """The error names experiments of a similar name."""
    create(database, "customer churn")
    with pytest.raises(ExperimentNotFound, match=r"no experiment 'customer-chrun'; there is 'customer churn'$"):
        get(database, "customer-chrun")
    with database.read() as tx, pytest.raises(ExperimentNotFound, match="no experiment '5'"):
        experiments.get(tx, 5)


def test_racing_makers_make_one(database: Database) -> None:
    """Of several that make an experiment of one name at once, one makes it, and all that only need it get it."""
    database.prepare()
    made, refused, ensured = [], [], []
    together = threading.Barrier(6)

    def make() -> None:
        together.wait()
        try:
            made.append(create(database, "churn"))
        except ExperimentExists:
            refused.append(1)

    def need() -> None:
        together.wait()
        with database.write() as tx:
            ensured.append(store.ensure(tx, "churn"))

    threads = [threading.Thread(target=deed) for deed in (make, need) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(made + ensured) == {experiment_id("churn")}
    assert (len(ensured), len(made) + len(refused)) == (3, 3)
    assert len(made) <= 1
