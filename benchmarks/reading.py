"""How long a series takes to come back in a process that has just begun, and how many bytes its points take on the disk."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import raw, stores
from benchmarks.draining import clock, log_all
from benchmarks.measure import Row, Sample, Work
from prefect_ledger.database import Database, rows

READ_LIMIT = {200_000: 5.0, 1_000_000: 30.0}  # ms
BYTES_LIMIT = 10.0
_MOST_ROWS = 1_000_000  # more of them take a minute to select

Floats = NDArray[np.float64]


# --- reading --------------------------------------------------------------------------------------------------------------


def sqlite(work: Work) -> Iterator[Row]:
    """Series of a noisy measurement, from SQLite."""
    yield from _read(work, "SQLite")


def postgresql(work: Work) -> Iterator[Row]:
    """The same from PostgreSQL, over TCP."""
    yield from _read(work, "PostgreSQL")


def _read(work: Work, kind: str) -> Iterator[Row]:
    with stores.folder() as folder, stores.store(kind, folder) as (url, dsn):
        amounts = [work.size(amount) for amount in _amounts(work, kind)]
        runs = _fill(folder, url, amounts, calls=kind == "SQLite" and not work.quick)
        theirs: raw.RawSqlite | raw.RawPostgres = raw.RawSqlite(folder / "raw.db") if kind == "SQLite" else raw.RawPostgres(dsn)
        for number, amount in enumerate(amounts):
            where = (dsn or str(folder / "raw.db")) if amount <= _MOST_ROWS else ""
            if where:
                _fill_raw(theirs, number, amount)
            ours, rows_ms = _in_fresh_processes(work.times(7, 3), url, runs[amount], "loss", amount, where, number)
            what = f"run.metric of {amount:,} points from {kind}, fresh process"
            grows = (f"run.metric from {kind}, by points of the series", amount)
            yield Row(what, ours, "ms", rows_ms, where and "SELECT of rows", READ_LIMIT.get(amount), grows=grows)
        for name, run in () if "calls" not in runs else (("logged by single calls", "calls"), ("the same, the run still open", "open")):
            amount = work.size(200_000)
            ours, _ = _in_fresh_processes(work.times(7), url, runs[run], "loss3", amount, "", 0)
            yield Row(f"run.metric of {amount:,} of 10 series {name}, {kind}", ours, "ms", limit=READ_LIMIT.get(amount))


def _amounts(work: Work, kind: str) -> tuple[int, ...]:
    if work.quick:
        return (20_000, 200_000, 1_000_000) if kind == "SQLite" else (200_000,)
    return (20_000, 200_000, 1_000_000, 10_000_000) if kind == "SQLite" else (20_000, 200_000, 1_000_000)


def _fill_raw(theirs: raw.RawSqlite | raw.RawPostgres, number: int, amount: int) -> None:
    theirs.clear()
    points = raw.points(amount, 1, _measured(amount)[0].tolist(), run=number)
    theirs.insert(points) if isinstance(theirs, raw.RawSqlite) else theirs.copy(points)


def _fill(folder: Path, url: str, amounts: list[int], *, calls: bool) -> dict[int | str, str]:
    """One finished run for each amount, and one of ten series logged by single calls, finished and not; returns their ids."""
    found: dict[int | str, str] = {}
    with stores.ledger(folder, url) as ledger:
        for amount in amounts:
            run = stores.new_run(ledger)
            values, times = _measured(amount)
            run.log_series("loss", values, timestamps=times)
            stores.end(run, ledger)
            found[amount] = run.id
        for name in ("calls", "open") if calls else ():
            run = stores.new_run(ledger)
            log_all(run, ledger, 10 * max(1, amounts[1]), 10)
            if name == "calls":
                stores.end(run, ledger)
            found[name] = run.id
    return found


def _measured(count: int) -> tuple[Floats, NDArray[np.int64]]:
    rnd = np.random.default_rng(count)
    return rnd.normal(0.5, 0.1, count), clock(rnd, count)


def _in_fresh_processes(times: int, url: str, run: str, key: str, count: int, where: str, number: int) -> tuple[Sample, Sample | None]:
    """Milliseconds of one read in each of so many new processes, ours and raw."""
    ours, theirs = list[float](), list[float]()
    for _ in range(times):
        command = [sys.executable, "-c", "from benchmarks.reading import child; child()", url, run, key, str(count), where, str(number)]
        told = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=120).stdout)
        ours.append(told["ours"])
        theirs.append(told["raw"])
    return Sample.of(ours), Sample.of(theirs) if where else None


def child() -> None:
    """Read one series as the first thing after the imports, then the same from rows; prints milliseconds as JSON."""
    url, run_id, key, count, where, number = sys.argv[1:]
    from prefect_ledger import series, series_store  # noqa: F401  # what is imported is not what is timed
    from prefect_ledger.queries import Reader

    reader = Reader(Database(url))
    run = reader.run(run_id)
    start = time.perf_counter()
    found = run.metric(key)
    ours = time.perf_counter() - start
    assert len(found) == int(count), (len(found), count)
    theirs = _read_raw(where, int(number)) if where else 0.0
    print(json.dumps({"ours": ours * 1000, "raw": theirs * 1000}))


def _read_raw(where: str, number: int) -> float:
    """Seconds of a SELECT of all points of a run and key into arrays."""
    one = raw.RawPostgres(where, new=False) if where.startswith("postgresql") else raw.RawSqlite(Path(where), new=False)
    start = time.perf_counter()
    one.read(number, raw.key_names(1)[0])
    return time.perf_counter() - start


# --- bytes ----------------------------------------------------------------------------------------------------------------


def size(work: Work) -> Iterator[Row]:
    """Bytes a point: series of a thousand points and of many, of values that deflate well and badly, as chunks and as a file."""
    amounts = [(work.size(100, 50), 1_000), (work.size(10, 4), work.size(100_000, 50_000)), (1, work.size(5_000_000, 500_000))]
    for kind, what in (("noisy", "noisy float64, 100 Hz jittered clock"), ("loss", "float32 loss"), ("constant", "constant")):
        for series, amount in amounts:
            yield from _bytes(kind, what, series, amount)
    yield from _logged_bytes(work)


def _bytes(kind: str, what: str, series: int, amount: int) -> Iterator[Row]:
    with stores.folder() as folder, stores.store("SQLite", folder) as (url, _):
        path = folder / "ledger.db"
        with stores.ledger(folder, url) as ledger:
            run = stores.new_run(ledger)
            for number, key in enumerate(raw.key_names(series)):
                values, times = _values(kind, amount, number)
                run.log_series(key, values, timestamps=times)
            stores.end(run, ledger)
        points = raw.RawSqlite(folder / "raw.db")
        few = min(amount, 100_000)
        points.insert(raw.points(few, 1, _values(kind, few, 0)[0].tolist()))
        yield from _sizes(path, url, f"{what}: {series:,} x {amount:,} points", series * amount, points.bytes() / few, kind)


def _sizes(path: Path, url: str, what: str, count: int, row: float, kind: str) -> Iterator[Row]:
    used = raw.settled_bytes(path) - _empty_bytes()
    database = Database(url)
    with contextlib.closing(database), database.read() as tx:
        chunks = rows(tx, "SELECT SUM(LENGTH(data)) FROM chunks")[0][0]
    each = Sample.of([used / count])
    grows = (f"bytes a point in the file, {kind}, by points", count)
    note = f"chunks alone {chunks / count:.2f}"
    yield Row(f"bytes a point in the file, {what}", each, "B", Sample.of([row]), "rows", BYTES_LIMIT, grows=grows, note=note)


def _logged_bytes(work: Work) -> Iterator[Row]:
    """Points of single calls at full speed: times as they were."""
    with stores.folder() as folder, stores.store("SQLite", folder) as (url, _):
        count = work.size(1_000_000, 200_000)
        with stores.ledger(folder, url) as ledger:
            run = stores.new_run(ledger)
            log_all(run, ledger, count, 10)
            stores.end(run, ledger)
        points = raw.RawSqlite(folder / "raw.db")
        points.insert(raw.points(count, 10, stores.noise()))
        what = f"single calls at full speed: 10 x {count // 10:,} points"
        yield from _sizes(folder / "ledger.db", url, what, count, points.bytes() / count, "calls")


def _empty_bytes() -> int:
    """The size of a store in which a run is, and no series to speak of."""
    with stores.folder() as folder, stores.store("SQLite", folder) as (url, _):
        with stores.ledger(folder, url) as ledger:
            stores.end(stores.new_run(ledger), ledger)
        return raw.settled_bytes(folder / "ledger.db")


def _values(kind: str, count: int, seed: int) -> tuple[Floats, NDArray[np.int64]]:
    rnd = np.random.default_rng(seed)
    times = clock(rnd, count)
    if kind == "constant":
        return np.full(count, 0.001), times
    if kind == "noisy":
        return rnd.normal(0.5, 0.1, count), times
    loss = np.exp(-np.arange(count) / (count / 5)) + rnd.normal(0, 0.01, count)
    return loss.astype(np.float32).astype(np.float64), times


BENCHES = {"reading.sqlite": sqlite, "reading.postgresql": postgresql, "reading.bytes": size}
