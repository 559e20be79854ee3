"""Floor 3. Runs as a table: one row a run, one column for each parameter, metric and tag that any of them has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from prefect_ledger.errors import InvalidValue, MissingExtra
from prefect_ledger.queries.details import RunFields, Sides

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_PACKAGES = {"pandas": "pandas", "arrow": "pyarrow"}
_NOT_A_TIME = np.iinfo(np.int64).min


def library(as_: str) -> Any:
    """The package that ``as_`` needs.

    Raises:
        InvalidValue: not "pandas" or "arrow". MissingExtra: it is not installed.
    """
    if as_ not in _PACKAGES:
        raise InvalidValue(f"as_={as_!r}: it is one of 'list', 'pandas', 'arrow'")
    try:
        return import_module(_PACKAGES[as_])
    except ImportError as error:
        raise MissingExtra(_PACKAGES[as_], "data", need=f"search_runs(as_={as_!r})") from error


def to_pandas(fields: Sequence[RunFields], sides: Sides, next_page: str | None) -> pd.DataFrame:
    """A DataFrame; a parameter or tag that is missing is NA to pandas, a metric NaN."""
    pandas = library("pandas")
    columns: dict[str, Any] = {}
    for name, values in _run_columns(fields).items():
        if name in ("started_at", "ended_at"):
            times = np.fromiter((_NOT_A_TIME if t is None else t for t in values), np.int64, len(values))
            columns[name] = pandas.DatetimeIndex(times.view("M8[us]")).tz_localize("UTC")
        elif name in ("experiment_id", "attempt"):
            columns[name] = pandas.array(values, dtype="Int64")  # an id has up to 18 digits, more than a float keeps
        else:
            columns[name] = pandas.Series(values, dtype=None if values else object)
    ids = [one.id for one in fields]
    columns |= {f"params.{key}": values for key, values in _spread(ids, sides.params).items()}
    columns |= {f"metrics.{key}": np.array(values, np.float64) for key, values in _spread(ids, sides.metrics).items()}
    columns |= {f"tags.{key}": values for key, values in _spread(ids, sides.tags).items()}
    frame: pd.DataFrame = pandas.DataFrame(columns)
    frame.attrs["next_page"] = next_page
    return frame


def to_arrow(fields: Sequence[RunFields], sides: Sides, next_page: str | None) -> pa.Table:
    """A table; what is missing is null, a metric that is NaN is NaN."""
    arrow = library("arrow")
    time, text = arrow.timestamp("us", tz="UTC"), arrow.string()
    types = {"started_at": time, "ended_at": time, "experiment_id": arrow.int64(), "attempt": arrow.int64()}
    columns = {name: arrow.array(values, types.get(name, text)) for name, values in _run_columns(fields).items()}
    ids = [one.id for one in fields]
    for side, by_run, type_ in (("params", sides.params, text), ("metrics", sides.metrics, arrow.float64()), ("tags", sides.tags, text)):
        columns |= {f"{side}.{key}": arrow.array(values, type_) for key, values in _spread(ids, by_run).items()}
    return arrow.table(columns, metadata=None if next_page is None else {"next_page": next_page})


def _run_columns(fields: Sequence[RunFields]) -> dict[str, list[Any]]:
    """What every run has, by name; times in microseconds."""
    columns = dict(zip(RunFields._fields, map(list, zip(*fields, strict=True)) if fields else ([] for _ in RunFields._fields), strict=True))
    columns["attempt"] = [max(1, number) for number in columns["attempt"]]
    return {
        "run_id": columns.pop("id"),
        "name": columns.pop("name"),
        "experiment": columns.pop("experiment"),
        "status": columns.pop("status"),
        "started_at": columns.pop("started"),
        "ended_at": columns.pop("ended"),
        **columns,
    }


def _spread(ids: Sequence[str], by_run: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Any]]:
    """For each key, sorted, the value of each run; None where it has none."""
    columns: dict[str, list[Any]] = {}
    for at, run in enumerate(ids):
        for key, value in by_run[run].items():
            column = columns.get(key)
            if column is None:
                column = columns[key] = [None] * len(ids)
            column[at] = value
    return dict(sorted(columns.items()))
