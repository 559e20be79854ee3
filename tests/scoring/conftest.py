"""A model, and the same rows in every form a source may have."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LinearRegression

from prefect_ledger import start_run
from prefect_ledger.entities import LoggedModel
from prefect_ledger.tracking.ledger import Ledger

FEATURES = ["age", "income", "visits"]


def customers(rows: int = 1_000) -> pd.DataFrame:
    """Rows with an id, what the model eats, and what it does not know."""
    draw = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "customer_id": np.arange(rows) + 7,
            "age": draw.normal(40, 10, rows),
            "city": draw.choice(["Bonn", "Köln", 'a, "b"\nc'], rows),
            "income": draw.normal(50_000, 9_000, rows),
            "visits": draw.integers(0, 50, rows),
        }
    )


@pytest.fixture(scope="session")
def fitted() -> LinearRegression:
    data = customers(50)
    return LinearRegression().fit(data[FEATURES], data["age"] + data["visits"])


@pytest.fixture
def model(fresh_ledger: Ledger, fitted: LinearRegression) -> LoggedModel:
    """A model of scikit-learn with a signature, in the ledger of this test."""
    with start_run(experiment="models") as run:
        return run.log_model(fitted, "spend", input_example=customers(5)[FEATURES])


@pytest.fixture
def logged(fresh_ledger: Ledger) -> Callable[..., str]:
    """Log a function as a model; gives its reference."""

    def log(function: Callable[..., object], example: pd.DataFrame | None = None) -> str:
        with start_run(experiment="models") as run:
            return run.log_model(function, "function", signature=None if example is None else "auto", input_example=example).uri

    return log


@pytest.fixture
def expected(fitted: LinearRegression) -> pd.DataFrame:
    """What every form must give."""
    data = customers()
    return pd.DataFrame({"customer_id": data["customer_id"], "prediction": fitted.predict(data[FEATURES])})


def written(kind: str, folder: Path, data: pd.DataFrame) -> tuple[str, str | None]:
    """The data as a source of this kind, and the query where it takes one."""
    folder.mkdir(exist_ok=True)
    if kind == "parquet":
        data.to_parquet(folder / "customers.parquet", row_group_size=300)
        return str(folder / "customers.parquet"), None
    if kind == "folder":
        (folder / "many" / "b").mkdir(parents=True)
        data.iloc[:400].to_parquet(folder / "many" / "a.parquet")
        data.iloc[400:].to_parquet(folder / "many" / "b" / "c.parquet", row_group_size=250)
        (folder / "many" / "_SUCCESS").touch()
        pq.write_table(pq.read_table(folder / "many" / "a.parquet"), folder / "many" / ".half.parquet")
        return str(folder / "many"), None
    if kind == "csv":
        data.to_csv(folder / "customers.csv", index=False)
        return str(folder / "customers.csv"), None
    if kind == "gzip":
        data.to_csv(folder / "customers.csv.gz", index=False)
        return str(folder / "customers.csv.gz"), None
    assert kind == "sqlite"
    with sqlite3.connect(folder / "shop.db") as database:
        data.to_sql("customers", database, index=False)
    database.close()
    return f"sqlite:///{folder}/shop.db", "SELECT * FROM customers WHERE city LIKE '%' ORDER BY customer_id"


def hidden(folder: Path) -> list[str]:
    """What is left of things that were not finished."""
    return sorted(one.name for one in folder.iterdir() if ".unfinished" in one.name)
