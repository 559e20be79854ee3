# ruff: noqa: ARG002  # verbs take what others need
"""Trackio as a contender: its local database, no Space and no dashboard."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from benchmarks.contenders.contender import BATCH, Contender, Log, LogMany, fitted, noise
from benchmarks.contenders.program import main

_OURS = ("loss", "warm", "key")  # how the names begin that these programs log


class Trackio(Contender):
    """Runs of one project."""

    def open(self, folder: Path) -> None:
        """Where its files go is read when it is imported."""
        os.environ["TRACKIO_DIR"] = str(folder / "trackio")
        import trackio
        from trackio.sqlite_storage import SQLiteStorage

        self._trackio, self._storage = trackio, SQLiteStorage

    def begin(self) -> Any:
        """``trackio.init``."""
        return self._trackio.init(project="bench", embed=False)

    def logger(self, run: Any) -> Log:
        """``run.log`` of one."""
        log = run.log
        return lambda key, value, step: log({key: value}, step=step)

    def logger_of_many(self, run: Any) -> LogMany:
        """``run.log``."""
        log = run.log
        return lambda values, step: log(values, step=step)

    def end(self, run: Any) -> None:
        """``run.finish`` waits for its thread, half a minute at most."""
        run.finish()

    def where(self, run: Any) -> str:
        """Its name and id."""
        return json.dumps([run.name, run.id])

    def count(self, where: str) -> int:
        """From what the dashboard is fed with."""
        name, key = json.loads(where)
        rows = self._storage.get_logs("bench", name, run_id=key)
        return sum(one.startswith(_OURS) for row in rows for one in row)

    def make_series(self, count: int) -> str:
        """By the call that its thread writes with."""
        run = self.begin()
        for first in range(0, count, BATCH):
            steps = list(range(first, min(count, first + BATCH)))
            rows = [{"loss": value} for value, _ in zip(noise(first), steps, strict=False)]
            self._storage.bulk_log(project="bench", run=run.name, run_id=run.id, metrics_list=rows, steps=steps)
        self.end(run)
        return self.where(run)

    def read(self, where: str) -> int:
        """What ``trackio get metric`` calls."""
        name, key = json.loads(where)
        return len(self._storage.get_metric_values("bench", name, "loss", run_id=key))

    def log_model(self, run: Any, path: Path, *, quick: bool) -> None:
        """A file that its user pickled."""
        import joblib  # type: ignore[import-untyped,unused-ignore]

        joblib.dump(fitted(), path.with_suffix(".joblib"))
        run.log_artifact(path.with_suffix(".joblib"), name=path.name, type="model")

    def log_files(self, run: Any, path: Path) -> None:
        """``run.log_artifact`` of a path, which it copies by its digest."""
        run.log_artifact(path, name=path.stem, type="dataset")


if __name__ == "__main__":
    main(Trackio())
