"""Exported files, read by the programs that people read them with; each gives the same plain values."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
from pyarrow import parquet

Rows = list[dict[str, Any]]
_NUMBERS = {"attempt", "step", "points", "nan_points", "first_step", "last_step", "min_step", "max_step", "experiment_id"}
_FLOATS = {"value", "first", "last", "min", "max", "mean"}


def plain(rows: Rows) -> Rows:
    """NaN as a text, so that it equals itself."""
    return [{k: "NaN" if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()} for row in rows]


def by_arrow(path: Path) -> Rows:
    """As pyarrow has it; times as microseconds."""
    table = parquet.read_table(path)
    columns = {
        n: table[n].cast("int64") if str(table.schema.field(n).type).startswith("timestamp") else table[n] for n in table.column_names
    }
    listed = {name: column.to_pylist() for name, column in columns.items()}
    return [dict(zip(listed, row, strict=True)) for row in zip(*listed.values(), strict=True)]


def by_pandas(path: Path) -> Rows:
    """As pandas has it."""
    frame = pd.read_parquet(path)
    for name in frame.columns:
        kind = str(frame[name].dtype)
        if kind.startswith("datetime"):
            assert kind == "datetime64[us, UTC]"
        if not kind.startswith("float"):
            values = frame[name].astype("int64") if kind.startswith("datetime") else frame[name]
            frame[name] = values.astype(object).where(frame[name].notna(), None)
    return [{str(name): value for name, value in row.items()} for row in frame.astype(object).to_dict("records")]


def by_polars(path: Path) -> Rows:
    """As polars has it."""
    frame = pl.read_parquet(path)
    return frame.with_columns(pl.col(pl.Datetime).to_physical()).to_dicts() if frame.width else []


def by_duckdb(path: Path) -> Rows:
    """As DuckDB has it."""
    relation = duckdb.sql(f"SELECT COLUMNS(* EXCLUDE (time)), epoch_us(time) AS time FROM '{path}'")
    assert relation is not None
    names = relation.columns
    return [dict(zip(names, row, strict=True)) for row in relation.fetchall()]


def by_csv(path: Path) -> Rows:
    """As the csv module has it."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: _of_text(name, text) for name, text in row.items()} for row in csv.DictReader(file)]


def by_pandas_csv(path: Path) -> Rows:
    """As pandas reads CSV."""
    frame = pd.read_csv(path, keep_default_na=False, dtype=str)
    return [{str(name): _of_text(str(name), text) for name, text in row.items()} for row in frame.to_dict("records")]


def by_polars_csv(path: Path) -> Rows:
    """As polars reads CSV."""
    frame = pl.read_csv(path, infer_schema=False, empty_string_is_null=False)
    return [{name: _of_text(name, text) for name, text in row.items()} for row in frame.to_dicts()]


def by_json(path: Path) -> Rows:
    """As the json module has it, which is not let see NaN."""
    return [{name: _of_json(name, value) for name, value in row.items()} for row in json.loads(path.read_bytes(), parse_constant=_refuse)]


def by_lines(path: Path) -> Rows:
    """The same, a line a row."""
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    return [{name: _of_json(name, value) for name, value in json.loads(line, parse_constant=_refuse).items()} for line in lines]


READERS: dict[str, list[Callable[[Path], Rows]]] = {
    "parquet": [by_arrow, by_pandas, by_polars, by_duckdb],
    "csv": [by_csv, by_pandas_csv, by_polars_csv],
    "json": [by_json],
    "jsonl": [by_lines],
}


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


def _of_text(name: str, text: str) -> Any:
    if name in _NUMBERS:
        return int(text) if text else None
    if name in _FLOATS:
        return float(text) if text else None
    return _micros(text) if name == "time" else text


def _of_json(name: str, value: Any) -> Any:
    if name == "time":
        return _micros(value)
    return float(value) if name in _FLOATS and isinstance(value, str) else value


def _micros(text: str) -> int:
    assert text.endswith("Z")
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
