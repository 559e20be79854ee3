"""Ours as a contender: a ledger on SQLite with everything on, as users have it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import raw, searching, stores
from benchmarks.contenders.contender import KEYS, Contender, Log, LogMany, fitted
from benchmarks.contenders.program import main
from prefect_ledger.database import Database
from prefect_ledger.queries import Reader
from prefect_ledger.recovery import recover
from prefect_ledger.tracking.ledger import Ledger

if TYPE_CHECKING:
    from prefect_ledger.tracking.runs import ActiveRun


class Ours(Contender):
    """A run in a process of ours."""

    batch = 100_000

    def open(self, folder: Path) -> None:
        """Open the ledger, and take in what killed processes left, as the next run does."""
        self._path = folder / "ledger.db"
        url = f"sqlite:///{self._path}"
        settings = stores.settings(folder, url)
        self._ledger, self._database = Ledger(settings), Database(url)
        self._database.prepare()
        recover(settings.journal_folder, self._database)
        self._reader = Reader(self._database)

    def begin(self) -> ActiveRun:
        """A run whose surroundings are recorded."""
        return stores.new_run(self._ledger)

    def logger(self, run: ActiveRun) -> Log:
        """``run.log_metric``."""
        return run.log_metric

    def logger_of_many(self, run: ActiveRun) -> LogMany:
        """``run.log_metrics``."""
        return run.log_metrics

    def log_quickly(self, run: ActiveRun, first: int, values: list[float]) -> None:
        """``run.log_series``, an array a key."""
        import numpy as np

        steps = np.arange(first, first + len(values) // len(KEYS))
        for key, column in zip(KEYS, np.reshape(values, (-1, len(KEYS))).T, strict=True):
            run.log_series(key, column, steps=steps)

    def end(self, run: ActiveRun) -> None:
        """Finish, and wait for the store."""
        run.finish()
        stores.flush(self._ledger)

    def settle(self) -> None:
        """The last compaction."""
        assert self._ledger.recorder is not None
        with self._ledger.recorder._mutex:  # held until that is done
            pass

    def where(self, run: ActiveRun) -> str:
        """Its id."""
        return run.id

    def count(self, where: str) -> int:
        """Of the series that were logged, not those of the system."""
        run = self._reader.run(where)
        return sum(len(run.metric(key)) for key in (*KEYS, "loss") if key in run.metrics)

    def used(self, folder: Path) -> int:  # noqa: ARG002
        """Of the database; the journal's files are gone when a run has ended."""
        return raw.settled_bytes(self._path)

    def make_series(self, count: int) -> str:
        """As an array."""
        import numpy as np

        run = self.begin()
        run.log_series("loss", np.random.default_rng(7).normal(0.5, 0.1, count))
        self.end(run)
        return run.id

    def read(self, where: str) -> int:
        """``run.metric``; the imports are not what is timed."""
        return len(self._reader.run(where).metric("loss"))

    def make_runs(self, count: int) -> None:
        """Rows as ingest leaves them."""
        searching.fill(self._database, count)

    def search(self, condition: str, order: str) -> int:
        """``search_runs``."""
        return len(self._reader.search_runs(None, condition, order, 100))

    def frame(self) -> tuple[int, int]:
        """``search_runs(as_="pandas")``."""
        shape: tuple[int, int] = self._reader.search_runs(None, limit=1_000, as_="pandas").shape
        return shape

    def log_model(self, run: ActiveRun, path: Path, *, quick: bool) -> None:
        """``run.log_model``."""
        run.log_model(fitted(), path.name, requirements=["scikit-learn"] if quick else "auto")

    def log_files(self, run: ActiveRun, path: Path) -> None:
        """``run.log_artifact`` or ``log_artifacts``."""
        if path.is_dir():
            run.log_artifacts(path, path.name, progress=False)
        else:
            run.log_artifact(path, progress=False)


if __name__ == "__main__":
    main(Ours())
