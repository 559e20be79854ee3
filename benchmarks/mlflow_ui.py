"""MLflow's own UI over the runs of a ledger: its database made by its own migrations and filled by plain SQL, its server beside ours."""

from __future__ import annotations

import contextlib
import signal
import socket
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks.contenders.asking import PEERS, environment
from benchmarks.dashboard_store import RUNS, Made
from tests.services_real.processes import dies_with_us, start, stop, wait_until

MLFLOW = next(peer for peer in PEERS if peer.name == "MLflow")
NAME = f"MLflow {MLFLOW.version} UI"
EXPERIMENT = 1
_SECONDS = 120.0
# What its own store would have written; of each metric the last point alone, since the UI's table shows no other.
_ID = "replace(r.id, '-', '')"
_STATUS = "CASE r.status WHEN 'COMPLETED' THEN 'FINISHED' WHEN 'CANCELLED' THEN 'KILLED' ELSE 'FAILED' END"
_RUNS = f"FROM ours.runs r WHERE r.experiment_id = (SELECT id FROM ours.experiments WHERE name = '{RUNS}')"
_OF = _RUNS.replace("runs r WHERE", "runs r JOIN ours.{} x ON x.run_id = r.id WHERE")
_FILL = (
    f"INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage) VALUES ({EXPERIMENT}, '{RUNS}', 'runs', 'active')",
    f"""INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri, experiment_id)
        SELECT {_ID}, r.name, 'LOCAL', r.user_id, {_STATUS}, r.started / 1000, r.ended / 1000, 'active', 'runs/' || r.id, {EXPERIMENT}
        {_RUNS} ORDER BY 1""",
    f"INSERT INTO params (key, run_uuid, value) SELECT x.key, {_ID}, x.value {_OF.format('params')} ORDER BY 1, 2",
    f"INSERT INTO tags (key, run_uuid, value) SELECT x.key, {_ID}, x.value {_OF.format('tags')} ORDER BY 1, 2",
    f"INSERT INTO tags (key, run_uuid, value) SELECT 'mlflow.runName', {_ID}, r.name {_RUNS}",
    f"""INSERT INTO tags (key, run_uuid, value)
        SELECT 'mlflow.parentRunId', {_ID}, replace(r.parent_id, '-', '') {_RUNS} AND r.parent_id IS NOT NULL""",
    f"""INSERT INTO latest_metrics (key, run_uuid, value, timestamp, step, is_nan)
        SELECT x.key, {_ID}, coalesce(x.lv, 0), x.lt / 1000, x.ls, x.lnan {_OF.format("metrics")} ORDER BY 1, 2""",
    """INSERT INTO metrics (key, run_uuid, value, timestamp, step, is_nan)
        SELECT key, run_uuid, value, timestamp, step, is_nan FROM latest_metrics""",
)


def made(folder: Path, ours: Made) -> Path:
    """MLflow's database with the runs of our ledger; filled first where it is not there, or of other runs."""
    path, told = folder / "mlflow.db", folder / "filled"
    stamp = f"{MLFLOW.version} {ours.database.stat().st_mtime_ns}"
    if not told.exists() or told.read_text("utf-8") != stamp:
        folder.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        command = [*dies_with_us(), *_mlflow(), "db", "upgrade", f"sqlite:///{path}"]
        subprocess.run(command, check=True, capture_output=True, env=environment(folder), cwd=folder, timeout=_SECONDS)
        _fill(path, ours.database)
        told.write_text(stamp, "utf-8")
    return path


def _mlflow() -> list[str]:
    return [str(MLFLOW.python), "-m", "mlflow"]


def _fill(path: Path, ours: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -400000")
    connection.execute("ATTACH ? AS ours", (f"{ours}",))
    named = "'params', 'tags', 'metrics', 'latest_metrics'"
    asked = f"SELECT name, sql FROM main.sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({named})"
    indexes = connection.execute(asked).fetchall()
    connection.execute("BEGIN")
    for name, _ in indexes:  # made of all rows at once, below
        connection.execute(f"DROP INDEX main.{name}")
    for statement in (*_FILL, *(made_by for _, made_by in indexes)):
        connection.execute(statement)
    connection.execute("COMMIT")
    connection.execute("ANALYZE main")
    connection.close()


@contextlib.contextmanager
def served(database: Path, folder: Path) -> Iterator[tuple[str, int]]:
    """Its server with one worker, as ``mlflow server`` starts it; the address of the runs, and the process."""
    log, port = folder / "mlflow.log", _free()
    words = ["server", "--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(folder / "artifacts")]
    words += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    child = start([*dies_with_us(), *_mlflow(), *words], log, env=environment(folder), cwd=folder)
    try:
        wait_until(lambda: _answers(f"http://127.0.0.1:{port}/health"), child, log, seconds=_SECONDS)
        yield f"http://127.0.0.1:{port}/#/experiments/{EXPERIMENT}/runs", child.pid
    finally:
        stop(child, signal.SIGTERM)


def _free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
