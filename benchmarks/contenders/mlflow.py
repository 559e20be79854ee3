"""MLflow as a contender: its SQLite store in this process, no server; calls at once or, with the word ``async``, from its queue."""

from __future__ import annotations

import random
import sqlite3
import sys
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.contenders.contender import KEYS, Contender, Log, LogMany, fitted, noise
from benchmarks.contenders.program import main


class MLflow(Contender):
    """Through ``MlflowClient``, which is told the run."""

    def __init__(self, *, synchronous: bool = True) -> None:
        self._synchronous = synchronous

    def open(self, folder: Path) -> None:
        """The database is made by MLflow's own migrations."""
        import mlflow

        self._mlflow, self._path = mlflow, folder / "mlflow.db"
        mlflow.set_tracking_uri(f"sqlite:///{self._path}")
        self._client = mlflow.MlflowClient()
        found = self._client.get_experiment_by_name("bench")
        self._experiment = found.experiment_id if found else self._client.create_experiment("bench", (folder / "artifacts").as_uri())

    def begin(self) -> str:
        """A run's id."""
        run: str = self._client.create_run(self._experiment).info.run_id
        return run

    def logger(self, run: str) -> Log:
        """``client.log_metric``."""
        log, now = self._client.log_metric, self._synchronous
        return lambda key, value, step: log(run, key, value, step=step, synchronous=now)

    def logger_of_many(self, run: str) -> LogMany:
        """``mlflow.log_metrics``."""
        log, now = self._mlflow.log_metrics, self._synchronous
        return lambda values, step: log(values, step=step, run_id=run, synchronous=now)

    def log_quickly(self, run: str, first: int, values: list[float]) -> None:
        """``client.log_batch`` of a thousand, which is the most it takes."""
        from mlflow.entities import Metric

        at = int(time.time() * 1000)
        points = [Metric(KEYS[i % len(KEYS)], value, at, first + i // len(KEYS)) for i, value in enumerate(values)]
        self._client.log_batch(run, metrics=points, synchronous=self._synchronous)

    def end(self, run: str) -> None:
        """What is queued is written first."""
        if not self._synchronous:
            self._mlflow.flush_async_logging()
        self._client.set_terminated(run)

    def where(self, run: str) -> str:
        """Its id."""
        return run

    def count(self, where: str) -> int:
        """The histories of all keys."""
        return sum(len(self._client.get_metric_history(where, key)) for key in self._client.get_run(where).data.metrics)

    def make_series(self, count: int) -> str:
        """Rows as MLflow's store writes them, since its own calls would take minutes."""
        run, at = self.begin(), int(time.time() * 1000)
        values = noise()
        self._insert("metrics", (("loss", next(values), at + i, run, i, False) for i in range(count)))
        self._insert("latest_metrics", [("loss", 0.5, at + count - 1, count - 1, False, run)])
        self._client.set_terminated(run)
        return run

    def read(self, where: str) -> int:
        """``client.get_metric_history``."""
        return len(self._client.get_metric_history(where, "loss"))

    def make_runs(self, count: int) -> None:
        """Rows as MLflow's store writes them."""
        rnd, at = random.Random(5), int(time.time() * 1000) - count * 1000
        rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _COLUMNS}
        for number in range(count):
            self._add_run(rows, rnd, number, at + number * 1000)
        for table, found in rows.items():
            self._insert(table, found)

    def _add_run(self, rows: dict[str, list[tuple[Any, ...]]], rnd: random.Random, number: int, at: int) -> None:
        run, name = uuid.UUID(int=rnd.getrandbits(128)).hex, f"run-{number}"
        where = f"{self._path.parent}/artifacts/{run}/artifacts"
        rows["runs"].append((run, name, "LOCAL", "bench", "FINISHED", at, at + 60, "active", where, int(self._experiment)))
        rows["params"] += [("model", rnd.choice(("xgb", "lgbm", "forest", "linear")), run), ("seed", str(rnd.randrange(1000)), run)]
        rows["params"] += [(f"p{i}", str(rnd.randrange(1, 100)), run) for i in range(8)]
        rows["tags"] += [("team", rnd.choice(("risk", "growth")), run), ("mlflow.runName", name, run)]
        for key in ("auc", *(f"m{i}" for i in range(9))):
            value = rnd.random()
            rows["metrics"].append((key, value, at, run, 99, False))
            rows["latest_metrics"].append((key, value, at, 99, False, run))

    def _insert(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        columns = _COLUMNS[table]
        with sqlite3.connect(self._path, timeout=30) as connection:
            connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", rows)
        connection.close()

    def search(self, condition: str, order: str) -> int:
        """``client.search_runs``."""
        return len(self._client.search_runs([self._experiment], condition, order_by=[order], max_results=100))

    def frame(self) -> tuple[int, int]:
        """``mlflow.search_runs``."""
        shape: tuple[int, int] = self._mlflow.search_runs([self._experiment], max_results=1_000).shape
        return shape

    def log_model(self, run: str, path: Path, *, quick: bool) -> None:
        """``mlflow.sklearn.log_model``; unless it is told the requirements, it finds them by loading the model in another process."""
        import mlflow.sklearn

        if mlflow.active_run() is None:
            mlflow.start_run(run_id=run)
        mlflow.sklearn.log_model(fitted(), name=path.name, pip_requirements=["scikit-learn"] if quick else None)

    def log_files(self, run: str, path: Path) -> None:
        """``client.log_artifacts`` or ``log_artifact``."""
        if path.is_dir():
            self._client.log_artifacts(run, str(path), path.name)
        else:
            self._client.log_artifact(run, str(path))


_COLUMNS = {
    "runs": (
        "run_uuid",
        "name",
        "source_type",
        "user_id",
        "status",
        "start_time",
        "end_time",
        "lifecycle_stage",
        "artifact_uri",
        "experiment_id",
    ),
    "params": ("key", "value", "run_uuid"),
    "tags": ("key", "value", "run_uuid"),
    "metrics": ("key", "value", "timestamp", "run_uuid", "step", "is_nan"),
    "latest_metrics": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
}

if __name__ == "__main__":
    main(MLflow(synchronous="async" not in sys.argv[1:]))
