"""How long it takes to find runs among many, beside the SQL that a person would write for the same question on the same database."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa

from benchmarks import raw, stores
from benchmarks.measure import Absent, Row, Work, in_turns, timed
from prefect_ledger.database import Database
from prefect_ledger.names import experiment_id
from prefect_ledger.queries import Reader

LIMITS = {10_000: 10.0, 100_000: 80.0}  # ms
FRAME_LIMIT = 40.0
_PARAMS, _METRICS = 10, 10
_PIECE = 5_000

Ask = Callable[[str, Sequence[Any]], list[Any]]


@dataclass(frozen=True)
class Question:
    """A search, and its conditions and order in SQL."""

    name: str
    filter: str
    order: str
    sql: str


_TOP = "SELECT r.id, o.lv FROM runs r JOIN metrics o ON o.run_id = r.id AND o.key = 'm7' AND o.attempt = r.attempt"
_AUC = " JOIN metrics a ON a.run_id = r.id AND a.key = 'auc' AND a.attempt = r.attempt"
_MODEL = " JOIN params p ON p.run_id = r.id AND p.key = 'model' AND p.attempt = r.attempt"
_LIVE = " WHERE r.lifecycle = 'active'"
_LATER = ", r.started DESC, r.id LIMIT 100"
QUESTIONS = (
    Question(
        "one metric, its own order",
        "metrics.auc > 0.9",
        "metrics.auc desc",
        f"SELECT r.id, a.lv FROM runs r{_AUC}{_LIVE} AND a.lv > 0.9 ORDER BY a.lv DESC{_LATER}",
    ),
    Question(
        "metric and param, the order of another metric",
        "metrics.auc > 0.5 and params.model = 'xgb'",
        "metrics.m7 desc",
        f"{_TOP}{_AUC}{_MODEL}{_LIVE} AND a.lv > 0.5 AND p.value = 'xgb' ORDER BY o.lv DESC{_LATER}",
    ),
    Question(
        "a rare condition",
        "metrics.auc > 0.5 and params.seed = 17",
        "metrics.m7 desc",
        f"{_TOP}{_AUC} JOIN params s ON s.run_id = r.id AND s.key = 'seed' AND s.attempt = r.attempt"
        f"{_LIVE} AND a.lv > 0.5 AND s.number = 17 ORDER BY o.lv DESC{_LATER}",
    ),
    Question(
        "or, like and a minimum",
        "(min(metrics.auc) < 0.2 or params.model like 'l%') and metrics.m3 > 0.1",
        "metrics.m7",
        f"{_TOP}{_AUC}{_MODEL} JOIN metrics c ON c.run_id = r.id AND c.key = 'm3' AND c.attempt = r.attempt"
        f"{_LIVE} AND (a.vmin < 0.2 OR p.value LIKE 'l%') AND c.lv > 0.1 ORDER BY o.lv{_LATER}",
    ),
    Question(
        "a rare maximum, the order of another metric",
        "max(metrics.auc) > 1.06",
        "metrics.m7 desc",
        f"{_TOP}{_AUC}{_LIVE} AND a.vmax > 1.06 ORDER BY o.lv DESC{_LATER}",
    ),
    Question(
        "one metric, the order of an aggregate",
        "metrics.auc > 0.5",
        "max(metrics.m7) desc",
        f"{_TOP}{_AUC}{_LIVE} AND a.lv > 0.5 ORDER BY o.vmax DESC{_LATER}",
    ),
    Question(
        "a param's text that nobody has",
        "params.model = 'none'",
        "metrics.m7 desc",
        f"{_TOP}{_MODEL}{_LIVE} AND p.value = 'none' ORDER BY o.lv DESC{_LATER}",
    ),
    Question(
        "the order of a metric that nobody has",
        "metrics.auc > 0.5",
        "metrics.nope desc",
        f"SELECT r.id, n.lv FROM runs r{_AUC} LEFT JOIN metrics n ON n.run_id = r.id AND n.key = 'nope' AND n.attempt = r.attempt"
        f"{_LIVE} AND a.lv > 0.5 ORDER BY n.lv DESC{_LATER}",
    ),
    Question("no filter, the latest", "", "", f"SELECT r.id, r.started FROM runs r{_LIVE} ORDER BY r.started DESC, r.id LIMIT 100"),
)


def sqlite(work: Work) -> Iterator[Row | Absent]:
    """Runs in SQLite: a tenth, ten thousand and a hundred thousand."""
    for count in (1_000, 10_000) if work.quick else (1_000, 10_000, 100_000):
        with stores.folder() as folder, stores.store("SQLite", folder) as (url, _):
            fill(Database(url), work.size(count))
            yield from _searches(work, "SQLite", url, work.size(count), _asking_sqlite(raw.connect(folder / "ledger.db")))


def postgresql(work: Work) -> Iterator[Row | Absent]:
    """The same in PostgreSQL, vacuumed as autovacuum does a minute after so many rows came."""
    for count in (10_000,) if work.quick else (10_000, 100_000):
        with stores.folder() as folder, stores.store("PostgreSQL", folder) as (url, dsn):
            fill(Database(url), work.size(count))
            with psycopg.connect(dsn, autocommit=True) as connection:
                _vacuum(connection)
                yield from _searches(work, "PostgreSQL", url, work.size(count), _asking_postgres(connection))


def _vacuum(connection: psycopg.Connection[Any]) -> None:
    """Until indexes alone answer: a vacuum beside another process's snapshot, as autovacuum's, marks no page as seen by all."""
    unmarked = (
        "SELECT COUNT(*) FROM pg_class WHERE oid IN ('metrics'::regclass, 'params'::regclass, 'runs'::regclass) AND relallvisible = 0"
    )
    for _ in range(60):
        connection.execute("VACUUM ANALYZE")
        found = connection.execute(unmarked).fetchone()
        if found is None or not found[0]:
            return
        time.sleep(1)


def _asking_sqlite(connection: sqlite3.Connection) -> Ask:
    return lambda text, values: connection.execute(text, values).fetchall()


def _asking_postgres(connection: psycopg.Connection[Any]) -> Ask:
    return lambda text, values: connection.execute(text.replace("%", "%%").replace("?", "%s").encode(), values).fetchall()


def _searches(work: Work, kind: str, url: str, count: int, ask: Ask) -> Iterator[Row | Absent]:
    reader = Reader(Database(url))
    for question in QUESTIONS:
        reader.search_runs(None, question.filter, question.order, 100)  # once before: plans and pages are then as warm for both
        assert _same(reader, question, ask)
        ours, theirs = in_turns(work.times(11, 9), lambda q=question: _ours(reader, q), lambda q=question: timed(lambda: _raw(ask, q)))  # type: ignore[misc]
        yield Row(
            f"top 100 of {count:,} runs, {kind}: {question.name}",
            ours.each(lambda s: s * 1000),
            "ms",
            theirs.each(lambda s: s * 1000),
            "hand-written SQL",
            LIMITS.get(count),
            grows=(f"top 100, {kind}, {question.name}, by runs", count),
            note=f"{question.filter or 'no filter'}; order by {question.order or 'default'}",
        )
    yield _frame(work, kind, reader, count, ask)


def _ours(reader: Reader, question: Question) -> float:
    return timed(lambda: reader.search_runs(None, question.filter, question.order, 100))


def _raw(ask: Ask, question: Question) -> list[str]:
    """The same question, and what our answer holds of each run: its row, parameters, metrics and tags."""
    ids = [row[0] for row in ask(question.sql, ())]
    _sides(ask, ids)
    return ids


def _sides(ask: Ask, ids: list[str]) -> list[list[Any]]:
    marks = ", ".join("?" * len(ids)) or "''"
    return [
        ask(f"SELECT * FROM runs WHERE id IN ({marks})", ids),
        ask(f"SELECT run_id, key, value FROM params WHERE run_id IN ({marks})", ids),
        ask(f"SELECT run_id, key, lv FROM metrics WHERE run_id IN ({marks})", ids),
        ask(f"SELECT run_id, key, value FROM tags WHERE run_id IN ({marks})", ids),
    ]


def _same(reader: Reader, question: Question, ask: Ask) -> bool:
    """Whether both give the same runs."""
    ours = [run.id for run in reader.search_runs(None, question.filter, question.order, 100)]
    return ours == _raw(ask, question)


def _frame(work: Work, kind: str, reader: Reader, count: int, ask: Ask) -> Row | Absent:
    what = f"1,000 of {count:,} runs to a DataFrame, {kind}"
    import pandas as pd

    found = reader.search_runs(None, limit=1_000, as_="pandas")
    if not isinstance(found, pd.DataFrame):
        return Absent(what, "search_runs(as_='pandas') is not there yet")
    ours, theirs = in_turns(
        work.times(9, 7),
        lambda: timed(lambda: reader.search_runs(None, limit=1_000, as_="pandas")),
        lambda: timed(lambda: _raw_frame(ask)),
    )
    return Row(
        what,
        ours.each(lambda s: s * 1000),
        "ms",
        theirs.each(lambda s: s * 1000),
        "hand-written SQL to a DataFrame",
        FRAME_LIMIT,
        grows=(f"1,000 runs to a DataFrame, {kind}, by runs there are", count),
        note=f"{found.shape[0]:,} x {found.shape[1]}",
    )


def _raw_frame(ask: Ask) -> Any:
    import pandas as pd

    ids = [row[0] for row in ask(f"SELECT r.id FROM runs r{_LIVE} ORDER BY r.started DESC, r.id LIMIT 1000", ())]
    runs, *others = _sides(ask, ids)
    records: dict[str, dict[str, Any]] = {row[0]: {"run_id": row[0], "name": row[2], "status": row[3]} for row in runs}
    for prefix, found in zip(("params.", "metrics.", "tags."), others, strict=True):
        for run, key, value in found:
            records[run][prefix + key] = value
    return pd.DataFrame.from_records([records[run] for run in ids])


# --- the runs -------------------------------------------------------------------------------------------------------------


def fill(database: Database, count: int) -> None:
    """Rows as ingest leaves them for ``count`` finished runs with ten parameters, ten metrics and a tag each."""
    rnd, start = random.Random(5), time.time_ns() // 1000 - count * 1_000_000
    for low in range(0, count, _PIECE):
        rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _COLUMNS}
        for number in range(low, min(count, low + _PIECE)):
            _add_run(rows, rnd, number, start + number * 1_000_000)
        with database.write() as tx:
            if low == 0 and not tx.exec_driver_sql("SELECT 1 FROM experiments WHERE name = 'bench'").first():
                _insert(tx, "experiments", [(experiment_id("bench"), "bench", start, start)])
            for table, found in rows.items():
                if table != "experiments":
                    _insert(tx, table, found)
    database.close()


_SUMMARY = ("n", "nan", "finite", "mean", "vmin", "smin", "vmax", "smax", "fs", "ft", "fv", "ls", "lt", "lv", "fnan", "lnan")
_COLUMNS = {
    "experiments": ("id", "name", "created", "updated"),
    "runs": (
        "id",
        "experiment_id",
        "name",
        "status",
        "status_at",
        "attempt",
        "kind",
        "user_id",
        "artifact_uri",
        "started",
        "ended",
        "seen",
    ),
    "attempts": ("run_id", "attempt", "status", "status_at", "started", "ended"),
    "params": ("run_id", "key", "attempt", "value", "number"),
    "metrics": ("run_id", "key", "attempt", *_SUMMARY),
    "series": ("run_id", "key", "attempt", "task_run_id", "try_number", *_SUMMARY),
    "tags": ("run_id", "key", "value", "at"),
}


def _add_run(rows: dict[str, list[tuple[Any, ...]]], rnd: random.Random, number: int, at: int) -> None:
    run = str(uuid.UUID(bytes=hashlib.md5(str(number).encode(), usedforsecurity=False).digest(), version=4))
    end = at + 60_000_000
    uri = f"/artifacts/1/{run}/artifacts"
    rows["runs"].append((run, experiment_id("bench"), f"run-{number}", "COMPLETED", end, 1, "flow", "bench", uri, at, end, end))
    rows["attempts"].append((run, 1, "COMPLETED", end, at, end))
    rows["params"].append((run, "model", 1, rnd.choice(("xgb", "lgbm", "forest", "linear")), None))
    seed = rnd.randrange(1000)
    rows["params"].append((run, "seed", 1, str(seed), float(seed)))
    for i in range(_PARAMS - 2):
        value = rnd.randrange(1, 100)
        rows["params"].append((run, f"p{i}", 1, str(value), float(value)))
    rows["tags"].append((run, "team", rnd.choice(("risk", "growth")), at))
    for key in ["auc", *(f"m{i}" for i in range(_METRICS - 1))]:
        last = rnd.random()
        low, high, first = last * rnd.random(), last + rnd.random() / 10, last / 2
        summary = (100, 0, 100, (low + high) / 2, low, 3, high, 97, 0, at, first, 99, end, last, 0, 0)
        rows["metrics"].append((run, key, 1, *summary))
        rows["series"].append((run, key, 1, "", 1, *summary))


def _insert(tx: sa.Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    columns, found = _COLUMNS[table], list(rows)
    cursor = tx.connection.cursor()
    if tx.dialect.name == "sqlite":
        cursor.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", found)
        return
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in found:
            copy.write_row(row)


BENCHES = {"searching.sqlite": sqlite, "searching.postgresql": postgresql}
