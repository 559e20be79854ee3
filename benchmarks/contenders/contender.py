# ruff: noqa: ARG002  # verbs that a tracker lacks take what they would take
"""What a tracker does for the benchmarks, by the verbs of its documentation. Nothing but the standard library is imported."""

from __future__ import annotations

import contextlib
import functools
import itertools
import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

KEYS = [f"loss{i}" for i in range(10)]
BATCH = 1_000  # points that a tracker is given at once, where it takes many

Log = Callable[[str, float, int], object]
LogMany = Callable[[dict[str, float], int], object]


class Cannot(Exception):
    """This tracker has no such thing; the message says what it has instead."""


class Contender:
    """A tracker, each verb as its documentation shows it. What it lacks raises :class:`Cannot`."""

    batch = BATCH  # points for one ``log_quickly``

    def open(self, folder: Path) -> None:
        """Use the store in ``folder``, which is made when it is not there."""
        raise NotImplementedError

    def begin(self) -> Any:
        """A new run."""
        raise NotImplementedError

    def logger(self, run: Any) -> Log:
        """What logs one point of a run."""
        raise NotImplementedError

    def logger_in_threads(self, run: Any) -> Log:
        """The same where several threads log to one run."""
        return self.logger(run)

    def logger_of_many(self, run: Any) -> LogMany:
        """What logs several metrics of one step in one call."""
        raise Cannot("one point a call")

    def log_quickly(self, run: Any, first: int, values: list[float]) -> None:
        """Log the values, ten keys in turns, as arrays or in a batch; steps go on from ``first``."""
        raise Cannot("no arrays or batches of steps")

    def end(self, run: Any) -> None:
        """Finish the run; returns when everything is in the store and can be read."""
        raise NotImplementedError

    def settle(self) -> None:
        """Wait for what it still does behind, so that this does not fall into the turn of another."""

    def where(self, run: Any) -> str:
        """What finds the run from another process."""
        raise NotImplementedError

    def count(self, where: str) -> int:
        """How many points of it can be read."""
        raise NotImplementedError

    def used(self, folder: Path) -> int:
        """Bytes on the disk, logs of databases written back."""
        for path in folder.rglob("*.db"):
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute("pragma wal_checkpoint(truncate)")
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())

    def make_series(self, count: int) -> str:
        """A finished run with one series ``loss`` of so many points, by the quickest way there is; returns where."""
        raise Cannot("nothing reads a series back in Python")

    def read(self, where: str) -> int:
        """Read the series ``loss``, every point; returns how many there are."""
        raise Cannot("nothing reads a series back in Python")

    def make_runs(self, count: int) -> None:
        """So many finished runs with ten params, ten metrics and a tag each, by the quickest way there is."""
        raise Cannot("no search over runs")

    def search(self, condition: str, order: str) -> int:
        """The first hundred runs; returns how many were found."""
        raise Cannot("no search over runs")

    def frame(self) -> tuple[int, int]:
        """A thousand runs as a DataFrame; returns its shape."""
        raise Cannot("no search over runs")

    def log_model(self, run: Any, path: Path, *, quick: bool) -> None:
        """Log the model that :func:`fitted` gives by the name of ``path``, where a file may be written first.

        ``quick`` names the requirements, so that nothing has to look for them.
        """
        raise Cannot("no models")

    def log_files(self, run: Any, path: Path) -> None:
        """Log a file, or a folder with all its files, by the name that it has."""
        raise Cannot("no artifacts")


def noise(seed: int = 7) -> Iterator[float]:
    """Values as a measurement gives them: every bit of the mantissa is used."""
    rnd = random.Random(seed)
    return itertools.cycle([rnd.gauss(0.5, 0.1) for _ in range(10_007)])


@functools.cache
def fitted() -> Any:
    """A scikit-learn model."""
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(*make_classification(500, 20, random_state=0))
