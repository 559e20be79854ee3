"""A run that ended is opened again by one process alone, and one that is open by none but who has it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from prefect_ledger import leases, lockfile, run_store
from prefect_ledger.database import Database
from prefect_ledger.events import RunStarted, RunStatusSeen
from prefect_ledger.queries import Reader

RUN = "00000001-0000-4000-8000-000000000000"
JOURNAL = "0000000a-0000-4000-8000-000000000000"


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """A store with a run that is open, of a process whose journal is not here, heard of a second ago."""
    one = Database(store_url)
    began = time.time_ns() // 1000 - 1_000_000
    with one.write() as tx:
        run_store.fold(tx, [RunStarted(RUN, began, 1, "sweeps", "sweep-1", "sweep")], JOURNAL)
        run_store.touch(tx, [RUN], JOURNAL, began)
    yield one
    one.close()


def test_of_many_that_open_it_again_at_once_one_does(database: Database, tmp_path: Path) -> None:
    """And it runs again; whoever asks later is told no, until it has not been heard of for long enough."""
    with database.write() as tx:
        run_store.fold(tx, [RunStatusSeen(RUN, time.time_ns() // 1000, "COMPLETED", 1)], JOURNAL)
    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda _: leases.claim(database, tmp_path, RUN), range(8)))
    assert sorted(told) == [False] * 7 + [True]
    assert Reader(database).run(RUN).status == "RUNNING"
    assert not leases.claim(database, tmp_path, RUN)
    assert leases.claim(database, tmp_path, RUN, silence=0.0)


def test_what_runs_on_another_machine_is_left_to_it(database: Database, tmp_path: Path) -> None:
    """Where the journal is not here, it is a matter of how long ago the run was heard of."""
    assert not leases.claim(database, tmp_path, RUN)
    assert leases.claim(database, tmp_path, RUN, silence=0.5)


def test_what_runs_on_this_machine_is_left_to_it_as_long_as_its_process_lives(database: Database, tmp_path: Path) -> None:
    """However long it was silent; and when it is gone nobody waits."""
    (tmp_path / JOURNAL).mkdir()
    held = lockfile.acquire(tmp_path / JOURNAL / "lock")
    assert held is not None
    assert not leases.claim(database, tmp_path, RUN, silence=0.0)
    held.release()
    assert leases.claim(database, tmp_path, RUN)
