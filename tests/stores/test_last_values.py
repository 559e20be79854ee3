"""The last values of one attempt, whatever came after it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from prefect_ledger.database import Database
from prefect_ledger.events import ResultSeen, RunStarted, TaskRunSeen
from prefect_ledger.queries import Reader
from tests.stores.folding import Drains, Point, Said

A, B = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2))


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An empty store, on each database in turn."""
    found = Database(store_url)
    yield found
    found.close()


def point(run: str, value: float, step: int, *, key: str = "loss", task: str = "", attempt: int = 1, turn: int = 1) -> Point:
    """A point, whose time is its step."""
    return Point((run, key, attempt, task, turn), step, step, value)


def say(database: Database, *said: Said) -> Reader:
    """Have it in the store."""
    Drains(database, [[[one]] for one in said]).rest()
    return Reader(database)


def test_each_attempt_has_its_own_last_values(database: Database) -> None:
    """An attempt that was followed by another keeps its last values, of all its tasks together, the greatest step counting."""
    reader = say(
        database,
        RunStarted(A, 1, 1),
        RunStarted(A, 9, 2),
        point(A, 0.5, 0),
        point(A, 0.25, 7, task="t"),
        point(A, 0.75, 3, task="u"),
        point(A, 9.0, 0, attempt=2),
        point(A, 1.0, 4, key="auc"),
    )
    assert reader.last_values(A, 1) == {"auc": (1.0, 4, 1), "loss": (0.25, 7, 3)}
    assert reader.last_values(A, 2) == {"loss": (9.0, 0, 1)}
    assert reader.last_values(A, 3) == reader.last_values(B, 1) == {}


def test_the_last_try_of_a_task_counts(database: Database) -> None:
    """What a task logged in a try that was tried again is left out, and so is what was seen of the machine."""
    reader = say(
        database,
        RunStarted(A, 1, 1),
        point(A, 0.1, 100, task="t", turn=1),
        point(A, 0.2, 1, task="t", turn=2),
        point(A, 50.0, 1, key="system.cpu_percent"),
    )
    assert reader.last_values(A, 1) == {"loss": (0.2, 1, 1)}


def test_numbers_that_are_none(database: Database) -> None:
    """NaN and the infinities are last values like others."""
    values = {"nan": math.nan, "up": math.inf, "down": -math.inf}
    reader = say(database, RunStarted(A, 1, 1), *(point(A, value, 0, key=key) for key, value in values.items()))
    found = {key: last.value for key, last in reader.last_values(A, 1).items()}
    assert math.isnan(found.pop("nan"))
    assert found == {"up": math.inf, "down": -math.inf}


def test_what_cached_tasks_bring_in(database: Database) -> None:
    """A run whose task came from the cache has the last values of the task that computed it, once however often it was hit."""
    hits: list[Said] = []
    for task in ("b", "c"):
        hits += [TaskRunSeen(B, 5, task, task, "Cached", cached=True, started=1, ended=5), ResultSeen(B, 9, 1, task, "k", cached=True)]
    reader = say(
        database,
        RunStarted(A, 1, 1),
        ResultSeen(A, 5, 1, "a", "k"),
        point(A, 0.5, 1, task="a"),
        point(A, 0.25, 2, task="a"),
        point(A, 8.0, 1, key="elsewhere"),
        RunStarted(B, 6, 1),
        *hits,
    )
    assert reader.last_values(B, 1) == {"loss": (0.25, 2, 2)}
