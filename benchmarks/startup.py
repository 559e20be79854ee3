"""What the first things cost: the import on top of Prefect's, and a script's first run in a database that is not there yet."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import stores
from benchmarks.measure import Row, Sample, Work, in_turns
from tests.services_real.prefect_server import pointed_at, prefect_server

IMPORT_LIMIT, FIRST_LIMIT = 0.1, 2.0  # s
HEAVY = ("numpy", "sqlmodel", "alembic", "fsspec", "pandas")

_IMPORT = """
import sys, time
from prefect import flow, task
before = set(sys.modules)
start = time.perf_counter()
import prefect_ledger
package = time.perf_counter() - start
from prefect_ledger import tracked_flow, tracked_task, log_metric, log_metrics, log_params, start_run, search_runs, Metrics, Model
print(package, time.perf_counter() - start)
print(" ".join(name for name in {heavy} if name in set(sys.modules) - before))
"""

_SCRIPT = """
from prefect_ledger import start_run
with start_run(experiment="first") as run:
    run.log_params({"depth": 6, "rate": 0.1})
    for step in range(100):
        run.log_metric("loss", 1 / (step + 1), step)
"""
_ROWS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("pragma journal_mode=wal")
connection.execute("pragma synchronous=normal")
connection.execute("CREATE TABLE params (run INTEGER, key TEXT, value TEXT)")
connection.execute("CREATE TABLE points (run INTEGER, key TEXT, step INTEGER, value REAL, at INTEGER)")
connection.execute("BEGIN")
connection.executemany("INSERT INTO params VALUES (1, ?, ?)", [("depth", "6"), ("rate", "0.1")])
connection.executemany("INSERT INTO points VALUES (1, 'loss', ?, ?, 0)", [(step, 1 / (step + 1)) for step in range(100)])
connection.execute("COMMIT")
"""
_FLOW = """
import asyncio
from prefect import flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
{imports}
{decorator}
async def first(depth: int = 6) -> None:
    for step in range(100):
        {log}
with temporary_settings({{PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}}):
    asyncio.run(first())
"""
_PLAIN = _FLOW.format(imports="", decorator="@flow", log="pass")
_TRACKED = _FLOW.format(
    imports="from prefect_ledger import tracked_flow, log_metric", decorator="@tracked_flow", log='log_metric("loss", 1 / (step + 1), step)'
)


def imports(work: Work) -> Iterator[Row]:
    """The import of our names after Prefect's, in the same process, each time a new one."""
    package, names, loaded = list[float](), list[float](), set[str]()
    for turn in range(work.times(7, 3) + 1):
        seconds, heavy = _python(_IMPORT.format(heavy=HEAVY), {}).splitlines()
        if turn:  # before that the files may not be in the page cache
            for kept, value in zip((package, names), seconds.split(), strict=True):
                kept.append(float(value))
            loaded.update(heavy.split())
    note = f"loaded by then: {', '.join(sorted(loaded)) or 'none'} of {', '.join(HEAVY)}"
    yield Row("import prefect_ledger on top of `from prefect import flow, task`", Sample.of(package), "s", limit=IMPORT_LIMIT)
    what = "with tracked_flow, tracked_task, log_metric and six more names"
    yield Row(f"the same {what}", Sample.of(names), "s", limit=IMPORT_LIMIT, note=note)


def script(work: Work) -> Iterator[Row]:
    """A script that logs two parameters and a hundred points into a new database, from its start to its end, when all is stored."""
    with stores.folder() as folder:

        def ours() -> float:
            home = folder / str(time.monotonic_ns())
            taken = _wall(_SCRIPT, {"PREFECT_LEDGER_HOME": str(home)})
            assert _stored(home) == 100
            return taken

        def theirs() -> float:
            return _wall(_ROWS, {}, str(folder / f"{time.monotonic_ns()}.db"))

        def once_more() -> float:
            return _wall(_SCRIPT, {"PREFECT_LEDGER_HOME": str(folder / "again")})

        once_more()
        nothing, mine, raws, again = in_turns(work.times(7, 3), lambda: _wall("pass", {}), ours, theirs, once_more)
        beyond = nothing.median
        note = f"an empty process takes {beyond:.3f} s of each, and is not counted"
        first = mine.each(lambda s: s - beyond)
        yield Row(
            "script, process start to stored in a new database", first, "s", raws.each(lambda s: s - beyond), "rows", FIRST_LIMIT, note=note
        )
        yield Row("the same in a database that is there", again.each(lambda s: s - beyond), "s", limit=FIRST_LIMIT)


def flow(work: Work) -> Iterator[Row]:
    """A flow of a hundred points, tracked into a new database, beside the plain flow: whole processes."""
    if work.quick:
        return
    with stores.folder() as folder, prefect_server() as url, pointed_at(url):

        def ours() -> float:
            home = folder / str(time.monotonic_ns())
            taken = _wall(_TRACKED, {"PREFECT_LEDGER_HOME": str(home)})
            assert _stored(home) == 100
            return taken

        plain, tracked = in_turns(work.times(5), lambda: _wall(_PLAIN, {}), ours)
        more = Sample.of([a - b for a, b in zip(tracked.values, plain.values, strict=True)])
        note = f"whole process: @tracked_flow {tracked.median:.2f} s, @flow {plain.median:.2f} s"
        yield Row("first tracked flow in a new database, process start to end, beyond @flow", more, "s", limit=FIRST_LIMIT, note=note)


def _wall(code: str, env: dict[str, str], *words: str) -> float:
    start = time.perf_counter()
    _python(code, env, *words)
    return time.perf_counter() - start


def _python(code: str, env: dict[str, str], *words: str) -> str:
    """What a new process prints; it is an error that it writes warnings about itself."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=os.environ | env, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{json.dumps(code[:80])} ended with {done.returncode}\n{done.stderr[-4000:]}")
    return done.stdout


def _stored(home: Path) -> int:
    """The points in the store of a process that has ended."""
    connection = sqlite3.connect(home / "ledger.db")
    try:
        return int(connection.execute("SELECT SUM(n) FROM metrics WHERE key NOT LIKE 'system.%'").fetchone()[0] or 0)
    finally:
        connection.close()


BENCHES = {"startup.import": imports, "startup.script": script, "startup.flow": flow}
