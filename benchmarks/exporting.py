"""How long it takes to write runs and all their points to Parquet, beside the same points from rows of SQLite."""

from __future__ import annotations

import hashlib
import sqlite3
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import raw, stores
from benchmarks.measure import Row, Sample, Work, timed
from prefect_ledger import series_store
from prefect_ledger.database import Database, execute
from prefect_ledger.flushes import SeriesName, prepare
from prefect_ledger.names import experiment_id
from prefect_ledger.points import Groups, Points

LIMIT = 20.0  # s, of 10,000 runs with 10 M points
_KEYS, _EACH = 10, 100
_PIECE = 50


def sqlite(work: Work) -> Iterator[Row]:
    """Ten thousand runs with a thousand points each."""
    yield from _exports(work, "SQLite")


def postgresql(work: Work) -> Iterator[Row]:
    """The same."""
    yield from _exports(work, "PostgreSQL")


def _exports(work: Work, kind: str) -> Iterator[Row]:
    from prefect_ledger.exporting.job import Wanted, export

    count = work.size(10_000, 2_000)
    with stores.folder() as folder, stores.store(kind, folder) as (url, _):
        database = Database(url)
        fill(database, count)
        for what, limit in (("all", LIMIT), ("runs", None)):
            wanted = Wanted(folder / what, what=(what,), overwrite=True)
            ours = Sample.of([timed(lambda w=wanted: export(database, w)) for _ in range(work.times(3, 2))])  # type: ignore[misc]
            theirs = Sample.of([_from_rows(folder, count)]) if (what, kind) == ("all", "SQLite") else None  # once: to fill it takes long
            points = count * _KEYS * _EACH
            told = f"{count:,} runs to Parquet, {kind}: {f'all, {points / 1e6:,.1f} M points' if what == 'all' else 'runs alone'}"
            beside = "the points alone, from rows of SQLite (a tenth, times ten)" if theirs else ""
            yield Row(told, ours, "s", theirs, beside, limit, grows=(f"runs to Parquet, {kind}, {what}, by runs", count))
        database.close()


def fill(database: Database, count: int) -> None:
    """So many finished runs with ten series of a hundred points, ten parameters and a tag each, as the recorder leaves them."""
    start = time.time_ns() // 1000 - count * 1_000_000
    rnd = np.random.default_rng(3)
    known = series_store.SeriesIds()
    with database.write() as tx:
        execute(
            tx, "INSERT INTO experiments (id, name, created, updated) VALUES (?, ?, ?, ?)", [experiment_id("bench"), "bench", start, start]
        )
    for low in range(0, count, _PIECE):
        runs = [_run_id(number) for number in range(low, min(count, low + _PIECE))]
        with database.write() as tx:
            for place, run in enumerate(runs):
                _add_run(tx, run, start + (low + place) * 1_000_000)
            names: list[SeriesName] = [(run, f"m{key}", 1, "", 1) for run in runs for key in range(_KEYS)]
            series_store.ensure_series(tx, known, names)
            by_id = {known.ids[name]: name for name in names}
            series_store.write_flush(tx, prepare(_points(sorted(by_id), rnd, start), by_id))
    with database.write() as tx:
        execute(tx, "UPDATE runs SET attempt = 1")


def _run_id(number: int) -> str:
    return str(uuid.UUID(bytes=hashlib.md5(str(number).encode(), usedforsecurity=False).digest(), version=4))


def _add_run(tx: object, run: str, at: int) -> None:
    text = "INSERT INTO runs (id, experiment_id, name, status, status_at, attempt, started, ended, seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    execute(tx, text, [run, experiment_id("bench"), f"run-{run[:4]}", "COMPLETED", at, 1, at, at, at])  # type: ignore[arg-type]
    marks = ", ".join(["(?, ?, ?, ?, ?)"] * 10)
    params = [value for number in range(10) for value in (run, f"p{number}", 1, str(number), float(number))]
    execute(tx, f"INSERT INTO params (run_id, key, attempt, value, number) VALUES {marks}", params)  # type: ignore[arg-type]
    execute(tx, "INSERT INTO tags (run_id, key, value, at) VALUES (?, ?, ?, ?)", [run, "team", "risk", at])  # type: ignore[arg-type]


def _points(ids: list[int], rnd: np.random.Generator, start: int) -> Groups:
    count = len(ids) * _EACH
    steps = np.tile(np.arange(_EACH), len(ids))
    times = start + np.cumsum(rnd.integers(8_000, 12_000, count))
    return Groups(ids, np.full(len(ids), _EACH), Points(steps, times, rnd.normal(0.5, 0.1, count)))


def _from_rows(folder: Path, count: int) -> float:
    """Seconds to write the same points from a table of rows, as a person would with pyarrow; told by a tenth of them."""
    import pyarrow as pa
    from pyarrow import parquet

    path = folder / "rows.db"
    points = raw.connect(path)
    points.execute("CREATE TABLE points (run TEXT, key TEXT, step INTEGER, time INTEGER, value REAL)")
    values = np.random.default_rng(3).normal(0.5, 0.1, _EACH).tolist()
    with points:
        for number in range(max(1, count // 10)):
            run = _run_id(number)
            points.executemany(
                "INSERT INTO points VALUES (?, ?, ?, ?, ?)",
                ((run, f"m{key}", step, 10_000 * step, values[step]) for key in range(_KEYS) for step in range(_EACH)),
            )
    points.close()
    begin = time.perf_counter()
    cursor, writer = sqlite3.connect(path).execute("SELECT * FROM points"), None
    while rows := cursor.fetchmany(500_000):
        table = pa.table(dict(zip(("run", "key", "step", "time", "value"), zip(*rows, strict=True), strict=True)))
        writer = writer or parquet.ParquetWriter(folder / "rows.parquet", table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()
    return (time.perf_counter() - begin) * count / max(1, count // 10)


BENCHES = {"exporting.sqlite": sqlite, "exporting.postgresql": postgresql}
