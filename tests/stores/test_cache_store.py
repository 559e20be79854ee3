"""What a cached task brings into its run: the points of the task run that had computed the result, in whatever order both are heard."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from prefect_ledger import drain as drain_module
from prefect_ledger.database import Database, execute
from prefect_ledger.drain import Drain
from prefect_ledger.events import ArtifactLogged, Event, ResultSeen, RunStarted, TaskRunSeen
from prefect_ledger.queries import Reader
from tests.stores.folding import Drains, Point, Said, dump, fold, wipe
from tests.stores.test_run_store import BOUNDS, law, results, tasks

A, B, C = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    store = Database(store_url)
    yield store
    store.close()


def start(run: str, attempt: int = 1) -> RunStarted:
    return RunStarted(run, attempt, attempt)


def computed(run: str, task: str, at: int, key: str = "k", attempt: int = 1) -> ResultSeen:
    return ResultSeen(run, at, attempt, task, key)


def hit(run: str, task: str, at: int, key: str = "k", attempt: int = 1) -> ResultSeen:
    return ResultSeen(run, at, attempt, task, key, cached=True)


def step(run: str, task: str, parent: str = "", attempt: int = 1, *, cached: bool = False) -> TaskRunSeen:
    return TaskRunSeen(run, 5, task, task, "Cached" if cached else "Completed", attempt, cached=cached, started=1, ended=5, parent=parent)


def point(run: str, task: str, value: float, at: int = 0, *, key: str = "loss", attempt: int = 1, turn: int = 1) -> Point:
    return Point((run, key, attempt, task, turn), at, at, value)


@settings(max_examples=15, **BOUNDS)  # type: ignore[arg-type]
@given(data=st.data())
@pytest.mark.long
def test_order_does_not_matter_to_links(database: Database, data: st.DataObject) -> None:
    """Hits, sources, steps inside them and points, in any order, give the same links and the same summaries."""
    law(database, data, st.one_of(results(), results(), tasks()))


@pytest.mark.soak
@settings(max_examples=3_000, **BOUNDS)  # type: ignore[arg-type]
@given(data=st.data())
def test_order_does_not_matter_to_links_at_length(database: Database, data: st.DataObject) -> None:
    """As above, many times over."""
    law(database, data, st.one_of(results(), results(), tasks()))


def test_a_hit_counts_for_its_run(database: Database) -> None:
    """In each order of hit, source and points: the run of the hit has the points, once, with their source."""
    said: list[Said] = [
        start(B),
        step(B, "b", cached=True),
        hit(B, "b", 9),
        computed(A, "a", 5),
        point(A, "a", 0.5, 1),
        point(A, "a", 0.25, 2),
    ]
    reader = Reader(database)
    for order in itertools.islice(itertools.permutations(said), 0, 720, 37):
        wipe(database)
        drains = Drains(database, [[[one]] for one in order])
        drains.rest()
        one = reader.run(B)
        assert dict(one.metrics) == {"loss": 0.25}
        assert (one.summaries["loss"].count, one.summaries["loss"].min, one.summaries["loss"].sources) == (2, 0.25, (A,))
        assert list(one.metric("loss").values) == list(one.metric("loss", task_run_id="b").values) == [0.5, 0.25]
        (task,) = one.task_runs
        assert (task.source_run_id, task.source_task_run_id, task.cost) == (A, "a", 0.0)
        assert [found.id for found in reader.search_runs(filter="metrics.loss < 0.3")] == [B, A]
        assert reader.run(A).summaries["loss"].sources == ()


def test_a_retry_shows_what_its_first_attempt_computed(database: Database) -> None:
    """A hit in a run's second attempt brings in the first one's points; two hits of one source, and a hit beside it, count once."""
    fold(database, start(A), computed(A, "a", 5), point(A, "a", 0.5), point(A, "", 1.0), hit(A, "again", 6))
    run = Reader(database).run(A)
    assert (run.summaries["loss"].count, run.summaries["loss"].sources) == (2, ())
    fold(database, start(A, 2), hit(A, "b", 9, attempt=2), hit(A, "c", 10, attempt=2))
    run = Reader(database).run(A)
    assert (run.summaries["loss"].count, run.metrics["loss"], run.summaries["loss"].sources) == (1, 0.5, (A,))
    assert list(run.metric("loss").values) == [0.5]
    assert len(run.metric("loss", attempt=1)) == 2


def test_a_refreshed_result_has_another_source(database: Database) -> None:
    """A hit belongs to whoever had computed the result last before it, also when that one is heard of later."""
    fold(database, hit(B, "b", 9), hit(C, "c", 20), computed(A, "old", 5), point(A, "old", 1.0), point(A, "new", 2.0))
    reader = Reader(database)
    assert (reader.run(B).metrics["loss"], reader.run(C).metrics["loss"]) == (1, 1)
    fold(database, computed(A, "new", 15), point(A, "new", 3.0, 1, key="acc"))
    assert (dict(reader.run(B).metrics), dict(reader.run(C).metrics)) == ({"loss": 1}, {"loss": 2, "acc": 3})
    fold(database, computed(A, "oldest", 1, "other"), hit(C, "c", 21, "other"))
    assert dict(reader.run(C).metrics) == {}


def test_what_is_inside_a_cached_task(database: Database) -> None:
    """A hit brings in what the steps called by its source logged, hits among them too, through any number of runs."""
    inner: list[Event] = [computed(A, "a", 1, "inner"), hit(B, "b2", 5, "inner"), step(B, "b2", "b1", cached=True), step(B, "b3", "b1")]
    outer: list[Event] = [computed(B, "b1", 6, "outer"), hit(C, "c1", 9, "outer"), step(B, "b1"), step(C, "c1", cached=True)]
    points = [point(A, "a", 1.0), point(B, "b1", 2.0, 1), point(B, "b3", 3.0, 2), point(B, "", 9.0, 9)]
    for said in ((*points, *inner, *outer), (*outer, *inner, *points), (*outer[::-1], *points, *inner[::-1])):
        for batches in ([[one] for one in said], [said]):
            wipe(database)
            Drains(database, [batches]).rest()
            run = Reader(database).run(C)
            assert list(run.metric("loss").values) == [1, 2, 3]
            assert (run.summaries["loss"].count, run.summaries["loss"].sources) == (3, (A, B))


def test_a_task_that_is_a_run_of_its_own(database: Database) -> None:
    """A task outside flows is source and hit as well: its run has what the other run logged, in all its steps."""
    fold(database, start(A), computed(A, A, 5), point(A, "", 0.5), point(A, "inside", 0.25, 1), step(A, "inside"))
    fold(database, start(B), hit(B, B, 9), start(C), hit(C, "c", 10))
    for run in (B, C):
        assert list(Reader(database).run(run).metric("loss").values) == [0.5, 0.25]


def test_all_at_once(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where hits, sources, steps and points are written by several processes at the same time, no link and no point is missed, and none
    of them waits in a circle."""
    monkeypatch.setattr(drain_module, "_TRIES", 1)  # a deadlock, which takes its victim a second, would be raised
    database = Database(postgres_url)
    inner, outer = [hit(B, f"b{n}", 5, "inner") for n in range(4)], [hit(C, f"c{n}", 9, "outer") for n in range(4)]
    steps = [step(B, f"b{n}", "source", cached=True) for n in range(4)]
    points = [point(A, "a", n / 8, n, key=f"k{n % 3}") for n in range(8)] + [
        point(B, "source", n / 8, n, key=f"k{n % 3}") for n in range(8)
    ]
    said: list[Said] = [start(A), start(B), start(C), computed(A, "a", 1, "inner"), computed(B, "source", 6, "outer"), *inner, *outer]
    said += [*steps, *points]
    rows = []
    for turn in range(3):
        wipe(database)
        journals = 1 if turn == 0 else 4
        spread = [[[one] for one in said[turn % 5 :] + said[: turn % 5]][which::journals] for which in range(journals)]
        drains = Drains(database, spread).drains
        with ThreadPoolExecutor(journals) as pool:
            list(pool.map(_drained, drains))
        assert not any(drain.refused for drain in drains)
        rows.append({name: found for name, found in dump(database).items() if name not in ("runs", "attempts")})  # owners differ
        assert Reader(database).run(C).summaries["k0"].sources == (A, B)
    assert all(found == rows[0] for found in rows[1:])
    database.close()


def _drained(drain: Drain) -> None:
    while drain.step():
        pass


def test_tries_of_a_source(database: Database) -> None:
    """Of a source that was tried twice the last try counts, also where its points are heard after the hit."""
    fold(database, hit(B, "b", 9), computed(A, "a", 5), point(A, "a", 1.0, turn=1))
    fold(database, point(A, "a", 2.0, turn=2))
    run = Reader(database).run(B)
    assert (run.summaries["loss"].count, run.metrics["loss"], list(run.metric("loss").values)) == (1, 2, [2])


def test_artifacts_of_a_source(database: Database) -> None:
    """Artifacts come with the hit, marked with the run that logged them; what the run logged itself at a path goes before."""

    def file(run: str, task: str, path: str, at: int) -> ArtifactLogged:
        return ArtifactLogged(run, at, 1, path, f"/{run}/{path}", 1, "0" * 64, task=task)

    fold(
        database,
        start(B),
        hit(B, "b", 9),
        computed(A, "a", 5),
        file(A, "a", "model", 3),
        file(A, "a", "notes", 3),
        file(A, "x", "other", 3),
    )
    fold(database, file(B, "", "notes", 2))
    found = {artifact.path: (artifact.run_id, artifact.uri) for artifact in Reader(database).run(B).artifacts}
    assert found == {"model": (A, f"/{A}/model"), "notes": (B, f"/{B}/notes")}


_LARGE = ("cache_hits", "cache_links", "results", "task_runs", "series", "metrics")


def test_links_are_found_by_indexes(database: Database) -> None:
    """A hit, its source, its steps and its points: no statement that links or counts them reads a whole table, in either database."""
    fold(database, start(A), start(B), computed(A, "a", 5), step(A, "inner", "a"), point(A, "a", 0.5), point(A, "inner", 0.5, key="f1"))
    said: list[Said] = [step(B, "b", cached=True), hit(B, "b", 9), computed(A, "a2", 12), point(A, "a", 0.25, 1)]
    asked: list[tuple[str, Any]] = []
    with listening(database, asked):
        for one in said:
            fold(database, one)
    assert {table for table in _LARGE if any(table in text for text, _ in asked)} == set(_LARGE)
    with database.write() as tx:
        if database.dialect != "sqlite":
            execute(tx, "SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN" if database.dialect == "sqlite" else "EXPLAIN"
        scan = re.compile(rf"SCAN (?!\d+ CONSTANT)|Seq Scan on (?:{'|'.join(_LARGE)})\b")
        for text, params in asked:
            plan = "\n".join(str(row[-1]) for row in tx.exec_driver_sql(f"{explain} {text}", params))
            assert not scan.search(plan), f"{text}\n{plan}"


@contextmanager
def listening(database: Database, asked: list[tuple[str, Any]]) -> Iterator[None]:
    """Every statement about tasks and links that this store is asked meanwhile, with its parameters."""

    def heard(conn: object, cursor: object, text: str, params: object, context: object, executemany: bool) -> None:
        if not executemany and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE)", text) and any(table in text for table in _LARGE):
            asked.append((text, params))

    engine = database._engine
    event.listen(engine, "before_cursor_execute", heard)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", heard)
