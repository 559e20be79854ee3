"""Runs as tables: the same runs, their columns and types, and what is missing."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import pytest

from prefect_ledger.database import Database
from prefect_ledger.errors import InvalidValue, MissingExtra
from prefect_ledger.queries import Reader
from tests.stores.filling import BASE, Filled, Points, fill

FIRST = ["run_id", "name", "experiment", "status", "started_at", "ended_at", "experiment_id", "attempt", "parent_id", "kind", "user"]
FIRST += ["status_reason", "artifact_uri", "lifecycle", "description"]
RUNS = [
    Filled(
        "00000001-0000-4000-8000-000000000000",
        experiment=999_999_999_999_999_998,
        name="one",
        started=BASE + 1,
        ended=BASE + 2,
        params={"depth": "6", "model": "xgb"},
        metrics={"auc": Points((0.5,)), "odd": Points((math.nan,))},
        tags={"team": "risk", "gone": None},
    ),
    Filled("00000002-0000-4000-8000-000000000000", experiment=None, attempt=0, started=None, metrics={"auc": Points((math.inf,))}),
]


@pytest.fixture
def reader(store_url: str) -> Iterator[Reader]:
    """A store with two runs."""
    database = Database(store_url)
    fill(database, RUNS, {999_999_999_999_999_998: "churn"})
    yield Reader(database)
    database.close()


def test_a_frame_has_the_runs_and_their_columns(reader: Reader) -> None:
    """What runs have first, then parameters as text, metrics as float64, tags as text; keys sorted; missing is NA."""
    pandas = pytest.importorskip("pandas")
    frame = reader.search_runs(order_by="name desc", as_="pandas")
    assert list(frame.columns) == [*FIRST, "params.depth", "params.model", "metrics.auc", "metrics.odd", "tags.team"]
    assert frame["run_id"].tolist() == [run.id for run in RUNS]
    assert frame["started_at"].dtype == frame["ended_at"].dtype == "datetime64[us, UTC]"
    assert frame["started_at"][0].value == (BASE + 1) * 1_000
    assert pandas.isna(frame["started_at"][1])
    assert frame["experiment_id"][0] == 999_999_999_999_999_998
    assert pandas.isna(frame["experiment_id"][1])
    assert frame["attempt"].tolist() == [1, 1]
    assert frame["params.depth"][0] == "6"
    assert frame["params.depth"].isna().tolist() == [False, True]
    assert frame["metrics.auc"].dtype == frame["metrics.odd"].dtype == "float64"
    assert frame["metrics.auc"].tolist() == [0.5, math.inf]
    assert frame["metrics.odd"].isna().all()
    assert frame["tags.team"][0] == "risk"
    assert frame.attrs["next_page"] is None


def test_a_table_tells_nan_from_missing(reader: Reader) -> None:
    """In arrow what is missing is null, and NaN is NaN."""
    arrow = pytest.importorskip("pyarrow")
    table = reader.search_runs(order_by="name desc", as_="arrow")
    assert table.column_names == [*FIRST, "params.depth", "params.model", "metrics.auc", "metrics.odd", "tags.team"]
    assert table.schema.field("started_at").type == arrow.timestamp("us", tz="UTC")
    assert table.schema.field("metrics.odd").type == arrow.float64()
    assert table.schema.field("params.depth").type == table.schema.field("tags.team").type == arrow.string()
    odd = table["metrics.odd"].to_pylist()
    assert math.isnan(odd[0])
    assert odd[1] is None
    assert table["experiment_id"].to_pylist() == [999_999_999_999_999_998, None]
    assert table["started_at"].cast(arrow.int64()).to_pylist() == [BASE + 1, None]


def test_tables_have_pages(reader: Reader) -> None:
    """A table carries the token of the next page, and lists, frames and tables take each other's."""
    frame = reader.search_runs(limit=1, as_="pandas")
    page = reader.search_runs(limit=1)
    table = reader.search_runs(limit=1, as_="arrow")
    token = page.next_page
    assert token
    assert frame.attrs["next_page"] == token
    assert table.schema.metadata[b"next_page"].decode() == token
    rest = reader.search_runs(page=token, as_="arrow")
    assert rest["run_id"].to_pylist() == [RUNS[1].id]
    assert rest.schema.metadata is None


def test_no_runs_have_the_same_columns(reader: Reader) -> None:
    """An empty answer is a table of the columns that every run has, of the same types."""
    whole, none = (reader.search_runs(filter=text, as_="pandas") for text in ("", "name = 'nobody'"))
    assert list(none.columns) == FIRST
    assert len(none) == 0
    assert none["started_at"].dtype == whole["started_at"].dtype
    table = reader.search_runs(filter="name = 'nobody'", as_="arrow")
    assert table.num_rows == 0
    assert table.schema.field("experiment_id").type == reader.search_runs(as_="arrow").schema.field("experiment_id").type


@pytest.mark.parametrize(("as_", "package"), [("pandas", "pandas"), ("arrow", "pyarrow")])
def test_a_missing_package_is_named(reader: Reader, monkeypatch: pytest.MonkeyPatch, as_: str, package: str) -> None:
    """Without the package the error says which extra brings it."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"needs the package '{package}': pip install 'prefect-ledger\[data\]'"):
        reader.search_runs(as_=as_)


def test_other_forms_are_refused(reader: Reader) -> None:
    """A form that is not there is refused with those that are."""
    with pytest.raises(InvalidValue, match="'polars': it is one of 'list', 'pandas', 'arrow'"):
        reader.search_runs(as_="polars")
