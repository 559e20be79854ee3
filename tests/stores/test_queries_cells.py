"""Pages of runs with the columns that somebody looks at: the same runs as a search finds, and of each what was asked and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from prefect_ledger.database import Database
from prefect_ledger.errors import InvalidFilter
from prefect_ledger.queries import Reader
from tests.stores.filling import BASE, Filled, Points, fill
from tests.stores.questions import HOSTILE

IDS = [f"8f2c51aa-0000-4000-8000-{number:012d}" for number in range(6)]


@pytest.fixture
def reader(store_url: str) -> Iterator[Reader]:
    """A reader of six runs: the third and fourth below the first, the last one deleted."""
    database = Database(store_url)
    fill(database, [_run(number) for number in range(6)], {7: "churn"})
    yield Reader(database)
    database.close()


def _run(number: int) -> Filled:
    auc = Points((0.5, 0.9, 0.6 + number / 100)) if number != 4 else Points((0.5, math.nan))
    return Filled(
        IDS[number],
        experiment=7,
        name=f"run {number}",
        started=BASE + number,
        attempt=2,
        parent=IDS[0] if number in (2, 3) else None,
        lifecycle="deleted" if number == 5 else "active",
        params={"depth": str(number % 2), "seed": "0"},
        metrics={"auc": auc} if number != 1 else {"system.cpu": auc},
        tags={"team": "risk", HOSTILE[0]: HOSTILE[1], "gone": None} if number == 0 else {},
        stale_params={"old": "1"},
    )


def test_cells_are_what_was_asked_of_the_runs_of_a_page(reader: Reader) -> None:
    """Columns hold each run's own value: aggregates of metrics, NaN as NaN, and None where a run has nothing under the key."""
    found = reader.run_cells(["metrics.auc", "max(metrics.auc)", "params.depth", "tags.team", "run_name"], "churn", limit=10)
    assert [run.id for run in found.runs] == IDS[4::-1]
    auc = found.values["metrics.auc"]
    assert math.isnan(auc[0])
    assert auc[1:] == [0.63, 0.62, None, 0.6]
    assert found.values["max(metrics.auc)"] == [0.5, 0.9, 0.9, None, 0.9]
    assert found.values["params.depth"] == ["0", "1", "0", "1", "0"]
    assert found.values["tags.team"] == [None, None, None, None, "risk"]
    assert found.values["run_name"][0] == "run 4"


def test_cells_count_the_runs_below(reader: Reader) -> None:
    """Beside each run stands how many are right below it, of those that the search is about."""
    assert reader.run_cells([], filter="run_name = 'run 0'").below == [2]
    assert reader.run_cells([], filter="run_name = 'run 2'").below == [0]
    assert reader.run_cells([], filter="run_name = 'run 5'", lifecycle="all").below == [0]


def test_children_are_gathered_as_the_column_says(reader: Reader) -> None:
    """The greatest of the greatest, the least of the least, the sum of counts, the last of whoever started last; None of others."""
    names = ["max(metrics.auc)", "min(metrics.auc)", "count(metrics.auc)", "mean(metrics.auc)", "metrics.auc", "first(metrics.auc)"]
    found = reader.gathered([*names, "params.depth", "metrics.none"], [IDS[0], IDS[1]])
    values = [found[name].pop(IDS[0]) for name in names]
    assert values == [0.9, 0.5, 6, pytest.approx(2.025 / 3, abs=1e-9), 0.63, 0.5]
    assert found == {**{name: {} for name in names}, "metrics.none": {}}


@pytest.mark.parametrize("order", ["", "metrics.auc desc", "params.depth, run_name"])
def test_pages_of_cells_are_those_of_the_search(reader: Reader, order: str) -> None:
    """By token or by the number of runs that stand before it, a page holds the runs that the search has there; beyond the end none."""
    whole = [run.id for run in reader.search_runs(order_by=order, lifecycle="all")]
    first = reader.run_cells([], order_by=order, limit=2, lifecycle="all")
    second = reader.run_cells([], order_by=order, limit=2, lifecycle="all", page=first.next_page)
    skipped = reader.run_cells([], order_by=order, limit=2, lifecycle="all", skip=2)
    assert whole[:4] == [run.id for run in (*first.runs, *second.runs)]
    assert second == skipped
    assert reader.run_cells(["run_name"], order_by=order, lifecycle="all", skip=6).runs == []


def test_sixty_columns_are_more_than_a_database_joins(reader: Reader) -> None:
    """So many columns that they cannot all be joined are read all the same."""
    found = reader.run_cells([*(f"params.p{number}" for number in range(60)), "params.depth"], limit=1)
    assert found.values["params.depth"] == ["0"]


@pytest.mark.parametrize("name", ["metrics.auc desc", "metrics.a, params.b", "nothing", "metrics.", "datasets.name", "auc > 1"])
def test_what_names_no_column_is_refused(reader: Reader, name: str) -> None:
    """A column is one name, without a direction."""
    with pytest.raises(InvalidFilter):
        reader.run_cells([name])


@pytest.mark.parametrize(
    "asked", [{}, {"lifecycle": "all"}, {"filter": "metrics.auc > 0.61"}, {"filter": "not params.depth = 0", "experiment": 7}]
)
def test_the_count_is_that_of_the_search(reader: Reader, asked: dict[str, Any]) -> None:
    """As many runs are counted as a search finds on all its pages."""
    assert len(reader.search_runs(**asked)) == reader.count_runs(**asked)


def test_keys_come_with_how_many_runs_have_them(reader: Reader) -> None:
    """Keys of the last attempt are counted over the latest runs that match, frequent ones first; what was seen of the machine is not."""
    found = reader.run_keys("churn")
    assert found.runs == 5
    seen = {str(key.operand): (key.runs, key.same) for key in found.keys}
    assert {"params.depth", "params.seed", "metrics.auc", "tags.team", f"tags.{HOSTILE[0]}"} == set(seen)
    assert seen["params.depth"] == (5, False)
    assert seen["params.seed"] == (5, True)
    assert seen["metrics.auc"] == (4, False)
    assert [str(key.operand) for key in found.keys[:3]] == ["params.depth", "params.seed", "metrics.auc"]
    assert reader.run_keys("churn", latest=2).runs == 2


def test_values_come_with_how_many_runs_have_them(reader: Reader) -> None:
    """Values of parameters and tags are offered, the frequent ones first; keys with too many different ones are not."""
    found = [(str(operand), value, count) for operand, value, count in reader.run_values("churn")]
    assert found[:3] == [("params.depth", "0", 3), ("params.depth", "1", 2), ("params.seed", "0", 5)]
    assert ("tags.team", "risk", 1) in found
    assert "params.depth" not in [str(operand) for operand, _, _ in reader.run_values("churn", most=1)]
