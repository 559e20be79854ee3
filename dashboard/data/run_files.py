"""Runs that match as a file: what somebody sees of them, or all they have."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from prefect_ledger import search_runs
from prefect_ledger.queries.cells import Cells, read_columns
from prefect_ledger.tracking.ledger import ledger

from .runs import Asked

MOST = 50_000  # runs; a search gives no more at once
_TIME = pa.timestamp("us", tz="UTC")
_TIMES = ("start_time", "end_time")


def csv(asked: Asked, columns: Sequence[str] | None, order: str) -> bytes:
    """As CSV; ``columns`` None means every parameter, metric and tag."""
    from pyarrow.csv import write_csv

    into = io.BytesIO()
    write_csv(table(asked, columns, order), into)
    return into.getvalue()


def parquet(asked: Asked, columns: Sequence[str] | None, order: str) -> bytes:
    """As Parquet."""
    from pyarrow.parquet import write_table

    into = io.BytesIO()
    write_table(table(asked, columns, order), into)
    return into.getvalue()


def table(asked: Asked, columns: Sequence[str] | None, order: str) -> pa.Table:
    """The rows of a file: a run each, in order; numbers and times as such."""
    if columns is None:
        found: pa.Table = search_runs(order_by=order, limit=MOST, as_="arrow", **asked.args)
        return found
    cells = ledger().reader.run_cells(columns, order_by=order, limit=MOST, **asked.args)
    made: dict[str, Any] = _fixed(cells)
    for name, operand in read_columns(columns).items():
        kind = operand.kind
        type_ = pa.float64() if kind == "metric" else _TIME if kind == "attribute" and operand.key in _TIMES else None
        made[name] = pa.array(cells.values[name], type_)
    return pa.table(made)


def _fixed(cells: Cells) -> dict[str, Any]:
    runs = cells.runs
    return {
        "run_id": [run.id for run in runs],
        "name": [run.name for run in runs],
        "experiment": pa.array([run.experiment for run in runs], pa.string()),
        "status": [run.status for run in runs],
        "started_at": pa.array([run.started for run in runs], _TIME),
        "ended_at": pa.array([run.ended for run in runs], _TIME),
        "parent_id": pa.array([run.parent_id for run in runs], pa.string()),
    }
