"""Reconcile beside a real Prefect server: runs that are open in the ledger and have ended in Prefect."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from benchmarks import stores
from benchmarks.measure import Row, Sample, Work
from prefect_ledger import configure, run_store
from prefect_ledger.events import RunStarted
from prefect_ledger.tracking.ledger import ledger
from tests.services_real.prefect_server import pointed_at, prefect_server

LIMIT = 30.0  # s for 10,000 runs


def reconciling(work: Work) -> Iterator[Row]:
    """Open runs, all of which Prefect says failed."""
    from prefect_ledger.orchestration.reconcile import reconcile

    count = work.size(10_000, 1_000)
    runs = [str(uuid.uuid4()) for _ in range(count)]
    with stores.folder() as folder, prefect_server(fill=_failed(runs)) as url, pointed_at(url):
        configure(home=str(folder / "home"))
        try:
            _open(runs)
            start = time.perf_counter()
            found = reconcile(silence=1e9)
            taken = time.perf_counter() - start
            assert len(found.changes) == count, found.trouble
            limit = LIMIT if count == 10_000 else None
            yield Row(f"reconcile of {count:,} open runs", Sample.of([taken]), "s", limit=limit, note="all of them had failed")
        finally:
            ledger().close()


def _failed(runs: list[str]) -> Callable[[sqlite3.Connection], None]:
    """Has a server's database know these runs as failed; made through its API they would take it minutes."""

    def fill(database: sqlite3.Connection) -> None:
        flow, when = str(uuid.uuid4()), datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        states = {run: str(uuid.uuid4()) for run in runs}
        with database:
            database.execute("INSERT INTO flow (id, name) VALUES (?, 'reconciled')", [flow])
            database.executemany(
                """INSERT INTO flow_run (id, name, flow_id, run_count, state_id, state_type, state_name, state_timestamp, start_time,
                    end_time, parameters, total_run_time)
                    VALUES (?, ?, ?, 1, ?, 'FAILED', 'Failed', ?, ?, ?, ?, '1970-01-01 00:00:00.000000')""",
                [(run, f"run-{i}", flow, states[run], when, when, when, f'{{"depth": {i}}}') for i, run in enumerate(runs)],
            )
            database.executemany(
                """INSERT INTO flow_run_state (id, type, timestamp, name, message, flow_run_id)
                    VALUES (?, 'FAILED', ?, 'Failed', 'no convergence', ?)""",
                [(state, when, run) for run, state in states.items()],
            )

    return fill


def _open(runs: list[str]) -> None:
    at = time.time_ns() // 1000
    with ledger().database.write() as tx:
        run_store.fold(tx, [RunStarted(run, at - 60_000_000, experiment="reconciled", kind="flow") for run in runs], "far")
        run_store.touch(tx, runs, "", at)


BENCHES = {"reconciling": reconciling}
