"""What many runs have, asked at once: the same that each of them says when it is asked alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_ledger.database import Database
from prefect_ledger.errors import MetricNotFound
from prefect_ledger.events import DatasetLogged, RunDescribed, RunStarted
from prefect_ledger.queries import Reader, batches, together
from tests.stores.folding import Point, Said, fold, wipe

A, B, C = (f"0000000{n}-0000-4000-8000-000000000000" for n in (1, 2, 3))
BASE = 1_750_000_000_000_000
POINTS = st.builds(
    Point,
    st.tuples(
        st.sampled_from([A, B]),
        st.sampled_from(["loss", "auc", "system.cpu"]),
        st.integers(1, 2),
        st.sampled_from(["", "t1"]),
        st.integers(1, 2),
    ),
    step=st.integers(0, 6),
    time=st.integers(BASE, BASE + 3),
    value=st.floats(),
)


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An empty store."""
    one = Database(store_url)
    yield one
    one.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """An empty store that is quick to empty again."""
    one = Database(f"sqlite:///{tmp_path}/ledger.db")
    yield one
    one.close()


def same_as_alone(database: Database, keys: list[str], attempts: dict[str, list[int]]) -> None:
    """Every curve that is asked for together is the series that is asked for alone, and none is left out."""
    reader = Reader(database)
    found = {one[:3]: one.points for one in together.curves(database, [A, B], keys, attempts)}
    last = {run.id: [run.attempt] for run in together.runs(database, reader, [A, B]).runs}
    wanted = [(run, key, number) for run in last for key in keys for number in attempts.get(run, last[run])]
    for run, key, number in wanted:
        try:
            alone = reader.metric(run, key, number)
        except MetricNotFound:
            assert (run, key, number) not in found
            continue
        points = found.pop((run, key, number))
        np.testing.assert_array_equal(points.steps, alone.steps)
        np.testing.assert_array_equal(points.times, alone.timestamps)
        np.testing.assert_array_equal(points.values, alone.values)
    assert not found


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    points=st.lists(POINTS, max_size=30),
    keys=st.lists(st.sampled_from(["loss", "auc", "system.cpu", "none"]), unique=True),
    attempts=st.dictionaries(st.sampled_from([A, B]), st.lists(st.integers(1, 2), unique=True, max_size=2), max_size=2),
    small=st.booleans(),
)
def test_curves_are_those_of_each_run(
    sqlite: Database, points: list[Point], keys: list[str], attempts: dict[str, list[int]], small: bool
) -> None:
    """Of any metrics and attempts, task runs and tries, also where few points are read at once."""
    wipe(sqlite)
    started: list[Said] = [RunStarted(run, BASE, 1) for run in (A, B)]
    fold(sqlite, *started, *points)
    with pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr(batches, "POINTS", 2)
        same_as_alone(sqlite, keys, attempts)


def test_curves_on_each_database(database: Database) -> None:
    """The same on SQLite and PostgreSQL: two keys of two runs, one of them with two attempts."""
    said: list[Said] = [RunStarted(A, BASE, 1), RunStarted(B, BASE, 1), RunStarted(B, BASE + 9, 2)]
    said += [Point((run, key, 1, "", 1), step, BASE + step, step / 3) for run in (A, B) for key in ("loss", "auc") for step in range(50)]
    said += [Point((B, "loss", 2, "t1", 1), step, BASE + step, step / 7) for step in range(9)]
    fold(database, *said)
    same_as_alone(database, ["loss", "auc"], {})
    same_as_alone(database, ["loss"], {B: [1, 2]})
    assert [one[:3] for one in together.curves(database, [B, A], ["loss"])] == [(B, "loss", 2), (A, "loss", 1)]


def test_runs_are_found_by_what_people_paste(database: Database) -> None:
    """Whole ids, ids without dashes and beginnings find each run once, in the order they were asked for; others are named, with why."""
    fold(database, RunStarted(A, BASE, name="a"), RunStarted(B, BASE, name="b"))
    found = together.runs(database, Reader(database), [B, "00000001", A.replace("-", ""), "ffffffff", C, "nonsense"])
    assert [run.name for run in found.runs] == ["b", "a"]
    assert list(found.missing) == ["ffffffff", C, "nonsense"]
    assert "no run" in found.missing[C]
    fold(database, RunStarted(A[:-1] + "1", BASE), journal="twin")
    assert "several" in together.runs(database, Reader(database), [A[:20]]).missing[A[:20]]
    assert together.runs(database, Reader(database), []) == ([], {})


def test_surroundings_data_attempts_and_children_are_those_of_each_run(database: Database) -> None:
    """Facts with packages, digests of data by name (and context, where a run has several of one), attempts and children, of each run."""
    fold(
        database,
        *(RunStarted(A, BASE), RunStarted(B, BASE), RunStarted(B, BASE + 5, 2), RunStarted(C, BASE + 7, parent=A)),
        RunDescribed(A, BASE, facts={"git": {"commit": "c1"}}, packages={"numpy": "2.0"}),
        RunDescribed(B, BASE, facts={"git": {"commit": "c2"}}, packages={"numpy": "2.0"}),
        *(DatasetLogged(A, BASE, 1, "train", "d1", "train"), DatasetLogged(B, BASE, 2, "train", "d2", "fit")),
        DatasetLogged(B, BASE, 2, "train", "d3", "test"),
    )
    fold(database, *(Point((B, "loss", 2, "", 1), step, BASE, value) for step, value in enumerate((2.0, 1.0, 3.0))), journal="points")
    reader, ids = Reader(database), [B, C, A]
    assert together.summaries(database, ids) == {run: reader.summaries(run) for run in ids}
    assert together.facts(database, ids) == [reader.facts(run) for run in ids]
    assert together.datasets(database, ids) == [{"train (fit)": "d2", "train (test)": "d3"}, {}, {"train (train)": "d1"}]
    assert together.attempts(database, ids) == {A: [1], B: [1, 2], C: [1]}
    assert together.children(database, ids) == {A: [C], B: [], C: []}
