"""A large ledger for the dashboard: many runs with many parameters and metrics, and long curves, as ingest leaves them, in SQLite.

``python -m benchmarks.dashboard_store HOME`` makes one in a folder, for ``PREFECT_LEDGER_HOME=HOME prefect-ledger dashboard``. The same
sizes give the same runs, so that a folder made once serves again. It takes half a minute, and 1.4 GB.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefect_ledger.capture import packages_digest
from prefect_ledger.chunks import CHUNK
from prefect_ledger.database import SCHEMA, Database
from prefect_ledger.flushes import Chunk, mixed_chunks, own_chunks
from prefect_ledger.names import experiment_id
from prefect_ledger.points import Groups, Points
from prefect_ledger.summaries import SUMMARY_COLUMNS, summarize_groups

RUNS, CURVES = "churn", "long curves"  # the two experiments
POINTS = 5  # of each metric of the many runs
_MODELS, _TEAMS = ("xgb", "lgbm", "forest", "linear"), ("risk", "growth", "pricing")
_FAMILY = 20  # each so manieth run has children: those that follow
_CHILDREN = 4
_LATEST = 1_780_000_000_000_000  # µs, when the last run began
_APART = 90_000_000  # µs from one start to the next
_STATES = (("COMPLETED", 92), ("FAILED", 4), ("CRASHED", 2), ("CANCELLED", 2))
_ROWS = {
    "experiments": ("id", "name", "created", "updated"),
    "packages": ("digest", "content"),
    "runs": (
        *("id", "experiment_id", "name", "status", "status_at", "attempt", "kind", "user_id", "parent_id", "artifact_uri"),
        *("started", "ended", "seen", "facts", "packages"),
    ),
    "attempts": ("run_id", "attempt", "status", "status_at", "started", "ended"),
    "params": ("run_id", "key", "attempt", "value", "number"),
    "tags": ("run_id", "key", "value", "at"),
    "metrics": ("run_id", "key", "attempt", *SUMMARY_COLUMNS),
    "series": ("id", "run_id", "key", "attempt", "task_run_id", "try_number", *SUMMARY_COLUMNS),
    "chunks": ("series_id", "run_id", "n", "data"),
}
_PACKAGES = ({"numpy": "2.3.1", "xgboost": "3.1.0"}, {"numpy": "2.3.4", "xgboost": "3.1.0"})

Rows = dict[str, list[tuple[Any, ...]]]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Size:
    """How much: so many runs with parameters and metrics, and so many with long curves."""

    runs: int = 10_000
    params: int = 30
    metrics: int = 200
    curve_runs: int = 50
    curves: int = 20
    points: int = 100_000

    @property
    def metric_keys(self) -> tuple[str, ...]:
        """``auc`` and ``loss`` first, then those of classes."""
        return ("auc", "loss", *(f"class_{i:03d}.f1" for i in range(self.metrics - 2)))[: self.metrics]


@dataclass(frozen=True)
class Made:
    """A filled ledger: its home, its database, and the runs of each experiment, the latest first."""

    home: Path
    database: Path
    runs: list[str]
    curves: list[str]


def made(home: Path, size: Size) -> Made:
    """The ledger in this folder; filled first where it is not there, or of another size."""
    told, path, wanted = home / "size.json", home / "ledger.db", {"schema": SCHEMA, **asdict(size)}
    if not told.exists() or json.loads(told.read_text("utf-8")) != wanted:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True, mode=0o700)
        fill(path, size)
        told.write_text(json.dumps(wanted), "utf-8")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        text = "SELECT r.id FROM runs r JOIN experiments e ON e.id = r.experiment_id WHERE e.name = ? ORDER BY r.started DESC"
        found = [[row[0] for row in connection.execute(text, (name,))] for name in (RUNS, CURVES)]
    connection.close()
    return Made(home, path, *found)


def fill(path: Path, size: Size) -> None:
    """Make the database, with all of it."""
    database = Database(f"sqlite:///{path}")
    database.prepare()
    database.close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000")
    text = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    indexes = connection.execute(text).fetchall()
    for name, _ in indexes:  # each is made of all rows at once, below
        connection.execute(f"DROP INDEX {name}")
    connection.execute("BEGIN")
    for rows in _all(size):
        for table, found in rows.items():
            columns = _ROWS[table]
            connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", found)
    for _, made_by in indexes:
        connection.execute(made_by)
    connection.execute("COMMIT")
    connection.executescript("ANALYZE; PRAGMA journal_mode = WAL")
    connection.close()


def _all(size: Size) -> Iterator[Rows]:
    start = _LATEST - size.runs * _APART
    yield {
        "experiments": [(experiment_id(name), name, start, start) for name in (RUNS, CURVES)],
        "packages": [(packages_digest(one), json.dumps(one, sort_keys=True)) for one in _PACKAGES],
    }
    yield from _many(size, start)
    yield from _long(size)


def _empty() -> Rows:
    return {table: [] for table in _ROWS if table not in ("experiments", "packages")}


# --- many runs ------------------------------------------------------------------------------------------------------------------


def _many(size: Size, start: int) -> Iterator[Rows]:
    """In the order of ids, as the tables are, and not of their starts."""
    rnd, noise = random.Random(5), np.random.default_rng(5)
    ids = [_run_id(rnd) for _ in range(size.runs)]
    series = 1
    for number in sorted(range(size.runs), key=ids.__getitem__):
        rows, begun = _empty(), start + number * _APART
        first = number - number % _FAMILY
        parent = ids[first] if 0 < number - first <= _CHILDREN else None
        better = _add_run(rows, rnd, ids[number], f"{'trial' if parent else 'run'} {number}", begun, parent, size.params)
        status = rows["runs"][0][3]
        values = _metrics(noise, len(size.metric_keys), better, broken=status == "FAILED")
        times = np.tile(begun + np.arange(1, POINTS + 1) * 10_000_000, len(values))
        points = Points(np.tile(np.arange(POINTS), len(values)), times, values.ravel())
        _add_points(rows, ids[number], size.metric_keys, points, POINTS, series)
        series += len(values)
        yield rows


def _add_run(rows: Rows, rnd: random.Random, run: str, name: str, begun: int, parent: str | None, params: int) -> float:
    """The run with parameters and tags; returns how good they are, from 0 to 1, which the metrics tell more or less."""
    (status,) = rnd.choices([state for state, _ in _STATES], [weight for _, weight in _STATES])
    end, used = begun + rnd.randrange(60_000_000, 900_000_000), _PACKAGES[rnd.random() < 0.3]
    facts = {
        "environment": {"python": "3.12.4", "platform": "Linux-6.8-x86_64", "cpus": 16, "command": "python train.py"},
        "git": {"commit": f"{rnd.randrange(40):040x}", "branch": "main", "dirty": False},
    }
    rows["runs"].append(
        (
            *(run, experiment_id(RUNS), name, status, end, 1, "flow", "ada", parent, f"artifacts/{run}"),
            *(begun, end, end, json.dumps(facts), packages_digest(used)),
        )
    )
    rows["attempts"].append((run, 1, status, end, begun, end))
    model, depth, rate = rnd.choice(_MODELS), rnd.randrange(2, 13), math.pow(10, rnd.uniform(-4, -0.5))
    told: list[tuple[str, str, float | None]] = [
        ("model", model, None),
        ("depth", str(depth), depth),
        ("rate", f"{rate:.6f}", round(rate, 6)),
    ]
    told += [(f"features.{i:02d}", str(value), float(value)) for i in range(params - 3) for value in (rnd.randrange(1, 4 + 5 * i),)]
    rows["params"] += sorted((run, key, 1, value, number) for key, value, number in told[:params])
    rows["tags"] += [(run, "stage", rnd.choice(("dev", "test")), begun), (run, "team", rnd.choice(_TEAMS), begun)]
    return (model == "xgb") * 0.2 + 0.5 * (1 - abs(depth - 7) / 6) + 0.3 * (1 - abs(math.log10(rate) + 2) / 2)


def _metrics(noise: np.random.Generator, keys: int, better: float, *, broken: bool) -> Floats:
    """A row of values for each key: rising, the second falling, and lost at its end where the run failed."""
    ends = np.clip(0.5 + 0.45 * better + noise.normal(0, 0.03, keys), 0, 1)
    values = ends[:, None] * (1 - 0.5 / np.arange(1, POINTS + 1)) + noise.normal(0, 0.005, (keys, POINTS))
    if keys > 1:
        values[1] = 2 - 1.5 * values[1]
        if broken:
            values[1, -1] = np.nan
    return np.asarray(values, np.float64)


# --- long curves ----------------------------------------------------------------------------------------------------------------


def _long(size: Size) -> Iterator[Rows]:
    """Runs of an experiment of their own, whose curves fall, with noise, and with one spike each."""
    rnd, noise = random.Random(7), np.random.default_rng(7).normal(0, 0.02, 4 * size.points)
    keys = tuple(f"curve.{i:02d}" for i in range(size.curves))
    steps, series = np.arange(size.points), size.runs * len(size.metric_keys) + 1
    for number in range(size.curve_runs):
        rows, run, begun = _empty(), _run_id(rnd), _LATEST + number * _APART
        _add_run(rows, rnd, run, f"long {number}", begun, None, 8)
        rows["runs"][0] = (run, experiment_id(CURVES), *rows["runs"][0][2:])
        values = np.empty((size.curves, size.points))
        for one in values:
            first = rnd.randrange(3 * size.points)
            one[:] = (
                rnd.uniform(0.5, 2) * np.exp(-steps / (size.points * rnd.uniform(0.1, 0.6))) + noise[first : first + size.points]
            ).astype(np.float32)
            one[rnd.randrange(size.points)] += 3
        points = Points(np.tile(steps, size.curves), np.tile(begun + steps * 10_000, size.curves), values.ravel())
        _add_points(rows, run, keys, points, size.points, series)
        series += size.curves
        yield rows


def _add_points(rows: Rows, run: str, keys: Sequence[str], points: Points, each: int, first: int) -> None:
    """Points of series that are numbered from ``first``, as many of each; with their summaries."""
    ids = list(range(first, first + len(keys)))
    groups = Groups(ids, np.full(len(keys), each), points)
    told = list(zip(ids, keys, summarize_groups(groups), strict=True))
    rows["series"] += [(number, run, key, 1, "", 1, *row) for number, key, row in told]
    rows["metrics"] += sorted((run, key, 1, *row) for _, key, row in told)
    chunks: Iterable[Chunk] = mixed_chunks(run, groups.each, points) if each < CHUNK // 16 else own_chunks(groups)
    rows["chunks"] += list(chunks)


def _run_id(rnd: random.Random) -> str:
    return str(uuid.UUID(int=rnd.getrandbits(128), version=4))


def main(words: Sequence[str] | None = None) -> None:
    """Make one where the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard_store", description="Fill a ledger for the dashboard to show.")
    parser.add_argument("home", type=Path, help="the folder that PREFECT_LEDGER_HOME names")
    usual = asdict(Size())
    for name, amount in usual.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=amount, metavar="N")
    asked = vars(parser.parse_args(words))
    begun, home = time.perf_counter(), asked.pop("home")
    one = made(home, Size(**asked))
    taken, size = time.perf_counter() - begun, one.database.stat().st_size / 1e6
    print(f"{len(one.runs):,} and {len(one.curves):,} runs in {home}: {size:,.0f} MB, {taken:.0f} s")


if __name__ == "__main__":
    main()
