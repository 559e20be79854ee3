"""Reading while others write: every answer is one whole moment of the store."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prefect_ledger import series_store
from prefect_ledger.database import Database, execute, rows
from prefect_ledger.errors import StoreUnavailable
from prefect_ledger.events import ParamsLogged, RunStarted
from prefect_ledger.queries import Reader
from tests.stores.filling import BASE, Filled, Points, add, fill
from tests.stores.folding import Point, fold

RUN, OTHER = "8f2c51aa-0000-4000-8000-000000000001", "8f2c51aa-0000-4000-8000-000000000002"


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An empty store."""
    found = Database(store_url)
    yield found
    found.close()


def meanwhile(deed: Callable[[], None], look: Callable[[], None], times: int) -> None:
    """``look`` again and again in other threads, until ``deed`` was done so many times."""
    failures: list[BaseException] = []
    done = threading.Event()

    def looking() -> None:
        try:
            while not done.is_set():
                look()
        except BaseException as error:  # noqa: BLE001 - told in the main thread
            failures.append(error)

    threads = [threading.Thread(target=looking) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(times):
            deed()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failures, failures[0]


def test_what_is_not_committed_is_not_seen(database: Database) -> None:
    """While a transaction is writing, readers see the store as it was, without waiting for it."""
    fill(database, [Filled(RUN, metrics={"a": Points((1.0,))})])
    reader = Reader(database)
    with database.write() as tx:
        add(tx, [Filled(OTHER)], {})
        execute(tx, "UPDATE metrics SET lv = 2 WHERE run_id = ?", [RUN])
        execute(tx, "UPDATE runs SET attempt = 2 WHERE id = ?", [RUN])
        assert [run.id for run in reader.search_runs(filter="metrics.a = 1")] == [RUN]
        assert reader.run(RUN).metrics == {"a": 1.0}
    assert reader.run(RUN).metrics == {}
    assert len(reader.search_runs()) == 2


def test_a_new_attempt_is_seen_whole(database: Database) -> None:
    """A run and its parameters and metrics are of one attempt, at whatever moment they are read."""
    fill(database, [Filled(RUN, params={"p": "1"}, metrics={"m": Points((1.0,))})])
    reader = Reader(database)
    attempt = [1]

    def retry() -> None:
        attempt[0] += 1
        number = attempt[0]
        with database.write() as tx:
            execute(tx, "UPDATE runs SET attempt = ? WHERE id = ?", [number, RUN])
            execute(tx, "UPDATE metrics SET attempt = ?, lv = ? WHERE run_id = ?", [number, float(number), RUN])
            insert = "INSERT INTO params (run_id, key, attempt, value, number) VALUES (?, 'p', ?, ?, ?)"
            execute(tx, insert, [RUN, number, str(number), float(number)])

    def look() -> None:
        (run,) = reader.search_runs(filter="metrics.m >= 1 and params.p >= 1", order_by=["metrics.m desc"])
        assert (run.params, run.metrics) == ({"p": str(run.attempt)}, {"m": float(run.attempt)})
        run = reader.run(RUN)
        assert (run.params, run.metrics) == ({"p": str(run.attempt)}, {"m": float(run.attempt)})

    meanwhile(retry, look, 60)


def test_a_series_is_whole_while_it_is_compacted(database: Database) -> None:
    """Chunks that are merged or cut while they are read are neither missed nor read twice."""
    fold(database, RunStarted(run=RUN, at=BASE), ParamsLogged(run=RUN, at=BASE, attempt=1, values={"p": "1"}))
    step = [0]
    reader = Reader(database)

    def log() -> None:
        said = [Point((RUN, key, 1, "", 1), step[0] + i, BASE, float(step[0] + i)) for key in ("a", "b") for i in range(50)]
        fold(database, *said)
        step[0] += 50
        with database.write() as tx:
            series_store.compact(tx, RUN, final=step[0] % 500 == 0)

    log()

    def look() -> None:
        series = reader.metric(RUN, "a")
        assert len(series) % 50 == 0
        assert np.array_equal(series.values, np.arange(len(series)))

    meanwhile(log, look, 40)
    assert len(reader.metric(RUN, "b")) == 41 * 50


def test_an_answer_is_one_moment(database: Database) -> None:
    """Runs inserted together are found together: a search and its details come from one snapshot."""
    reader = Reader(database)
    count = [0]

    def insert() -> None:
        count[0] += 1
        pair = [Filled(f"{count[0]:08d}-0000-4000-8000-{i:012d}", params={"pair": str(count[0])}) for i in range(2)]
        fill(database, pair)

    def look() -> None:
        runs = reader.search_runs(order_by="params.pair")
        assert len(runs) % 2 == 0
        assert all(a.params == b.params and a.params for a, b in zip(runs[::2], runs[1::2], strict=True))

    meanwhile(insert, look, 60)
    with database.read() as tx:
        assert rows(tx, "SELECT COUNT(*) FROM runs") == [(120,)]


def test_a_reading_transaction_is_one_moment(database: Database) -> None:
    """What is written after a reading transaction began to read is not seen in it, but in the next one."""
    runs = [Filled(f"{i:08d}-0000-4000-8000-000000000000") for i in range(3)]
    fill(database, runs[:1])
    for there in (1, 2):
        with database.read() as tx:
            assert rows(tx, "SELECT COUNT(*) FROM runs") == [(there,)]
            fill(database, runs[there : there + 1])
            assert rows(tx, "SELECT COUNT(*) FROM runs") == [(there,)]


def test_a_store_that_fails_between_rows_is_named(tmp_path: Path) -> None:
    """When the database fails in the middle of an answer, the error is ours and says so; the next question is answered."""
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    fill(database, [Filled(f"{i:08d}-0000-4000-8000-000000000000", params={"p": "1" * 50}) for i in range(400)])
    reader = Reader(database)
    with database.read() as tx:
        driver: Any = tx.connection.driver_connection  # the pool's only one
    for failed in itertools.count():
        left = itertools.count(failed * 10, -1)  # in hundreds of SQLite's own steps
        driver.set_progress_handler(lambda left=left: next(left) < 0, 100)
        try:
            found = reader.search_runs()
            break
        except StoreUnavailable:
            continue
        finally:
            driver.set_progress_handler(None, 0)
    assert len(found) == 400
    assert failed > 5
    database.close()
