"""A ledger at a glance: what runs with what it logged last, what failed of late and why, and how a metric went; on both databases."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from prefect_ledger.database import Database, execute
from prefect_ledger.queries import overview
from tests.stores.filling import BASE, Filled, Points, fill

IDS = [f"8f2c51aa-0000-4000-8000-{number:012d}" for number in range(8)]


@pytest.fixture
def tx(store_url: str) -> Iterator[sa.Connection]:
    """Eight runs of two experiments: one is at work, two failed, one is deleted; the first attempt of each had other values."""
    database = Database(store_url)
    fill(database, [_run(number) for number in range(8)], {7: "churn", 8: "prices", 9: "empty"})
    with database.write() as changing:
        said = json.dumps({"type": "ValueError", "message": "no luck"})
        execute(changing, "INSERT INTO attempts (run_id, attempt, status, exception) VALUES (?, 2, 'FAILED', ?)", [IDS[3], said])
        execute(changing, "UPDATE metrics SET lt = lt + 5 WHERE key = 'loss'")
    with database.read() as reading:
        yield reading
    database.close()


def _run(number: int) -> Filled:
    auc = {"auc": Points((0.5, 0.6 + number / 100))} if number != 1 else {}
    return Filled(
        IDS[number],
        experiment=8 if number == 6 else 7,
        name=f"run {number}",
        status={2: "RUNNING", 3: "FAILED", 4: "CRASHED"}.get(number, "COMPLETED"),
        started=BASE + number,
        ended=None if number == 2 else BASE + 100 + number,
        attempt=2,
        lifecycle="deleted" if number == 5 else "active",
        metrics={**auc, "loss": Points((3.0, 2.0, math.nan if number == 7 else 1.0)), "system.cpu": Points((9.0,))},
    )


def test_what_runs_comes_with_what_it_logged_last(tx: sa.Connection) -> None:
    """The metric logged last, not the first by name, and none of the machine's."""
    count, [run] = overview.running(tx, 5)
    assert (count, run.id, run.experiment, run.key, run.step, run.value) == (1, IDS[2], "churn", "loss", 2, 1.0)


def test_what_failed_since_a_moment_comes_with_its_reason(tx: sa.Connection) -> None:
    """The latest first, all of them counted; the reason is what was said of the end, else what the exception says."""
    count, found = overview.failed(tx, BASE, 1)
    assert (count, [(run.id, run.status) for run in found]) == (2, [(IDS[4], "CRASHED")])
    assert [run.reason for run in overview.failed(tx, BASE, 5)[1]] == ["", "ValueError: no luck"]
    assert overview.failed(tx, BASE + 104, 5)[0] == 1
    assert overview.failed(tx, BASE + 200, 5) == (0, [])


def test_a_trend_is_of_the_latest_runs_that_have_the_metric(tx: sa.Connection) -> None:
    """The oldest first; deleted runs and those without it are passed over; NaN stays NaN; experiments at work last come first."""
    churn, prices = overview.trends(tx, "auc", runs=50, experiments=5)
    assert (churn.experiment, prices.experiment) == ("churn", "prices")
    assert [(run, value) for run, _, value in churn.points] == [(IDS[n], 0.6 + n / 100) for n in (0, 2, 3, 4, 7)]
    assert [run for run, _, _ in overview.trends(tx, "auc", runs=2, experiments=1)[0].points] == [IDS[4], IDS[7]]
    assert math.isnan(overview.trends(tx, "loss", runs=1, experiments=1)[0].points[0][2])
    assert overview.trends(tx, "nothing", runs=5, experiments=1)[0].points == ()


def test_without_a_metric_named_most_runs_say_which(tx: sa.Connection) -> None:
    """What most of the latest runs have; nothing of the machine."""
    assert [trend.key for trend in overview.trends(tx, None, runs=50, experiments=5)] == ["loss", "auc"]
    assert overview.latest_keys(tx, 5) == ["loss", "auc"]
    room = overview.room(tx)
    assert (room.runs, room.artifacts, room.bytes) == (7, 0, 0)
    assert room.store > 0
