"""The stores that benchmarks fill: a new folder, a new database, a ledger on it with everything on as users have it."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from prefect_ledger.settings import Settings
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.runs import ActiveRun
from tests.services_real.postgres import postgres
from tests.services_real.processes import scratch

STORES = ("SQLite", "PostgreSQL")


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder on the disk, gone afterwards."""
    with scratch("ledger-bench") as path:
        yield path


@contextlib.contextmanager
def store(kind: str, path: Path, *, durable: bool = False) -> Iterator[tuple[str, str]]:
    """The URL of an empty store, and how psycopg reaches the same server ("" for SQLite)."""
    if kind == "SQLite":
        yield f"sqlite:///{path}/ledger.db", ""
        return
    with postgres(durable=durable) as server, server.schema() as schema:
        yield server.url(schema), f"{server.dsn}?options=-csearch_path%3D{schema}"


@contextlib.contextmanager
def ledger(home: Path, url: str) -> Iterator[Ledger]:
    """A ledger whose database, thread and imports are there already."""
    one = Ledger(settings(home, url))
    try:
        one.database.prepare()
        run = new_run(one)
        run.log_metric("warm", 0.0)
        end(run, one)
        yield one
    finally:
        one.close()


def settings(home: Path, url: str) -> Settings:
    """Where things go; nothing of the user's environment counts."""
    return Settings.resolve(home=str(home / "home"), store_url=url, environ={}, folder=home)


def new_run(one: Ledger) -> ActiveRun:
    """A run whose surroundings are recorded already, so that this does not fall into what is timed."""
    run = one.start(experiment="bench")
    for thread in threading.enumerate():
        if thread.name == "prefect-ledger-capture":
            thread.join()
    return run


def end(run: ActiveRun, one: Ledger) -> float:
    """Finish a run; returns the seconds until its chunks are as they stay."""
    start = time.perf_counter()
    run.finish()
    flush(one)
    assert one.recorder is not None
    with one.recorder._mutex:  # held until the last compaction is done
        pass
    return time.perf_counter() - start


def flush(one: Ledger) -> None:
    """Wait until everything is in the store.

    Raises:
        RuntimeError: it did not arrive in two minutes.
    """
    if held := one.flush(120):
        raise RuntimeError(f"{held} records are still in the journal")


def noise(seed: int = 7) -> Iterator[float]:
    """Values as a measurement gives them: every bit of the mantissa is used."""
    rnd = random.Random(seed)
    return itertools.cycle([rnd.gauss(0.5, 0.1) for _ in range(10_007)])
