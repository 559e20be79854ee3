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
_AT_ONCE = 500
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
        return _whole(asked, order)
    cells = ledger().reader.run_cells(columns, order_by=order, limit=MOST, **asked.args)
    made: dict[str, Any] = _fixed(cells)
    for name, operand in read_columns(columns).items():
        kind = operand.kind
        type_ = pa.float64() if kind == "metric" else _TIME if kind == "attribute" and operand.key in _TIMES else None
        made[name] = pa.array(cells.values[name], type_)
    return pa.table(made)


def _whole(asked: Asked, order: str) -> pa.Table:
    """All that the runs have, some at a time: a million values take twenty times as much memory before they are a table."""
    pieces: list[pa.Table] = []
    page: str | None = None
    while True:
        found: pa.Table = search_runs(order_by=order, limit=_AT_ONCE, page=page, as_="arrow", **asked.args)
        pieces.append(found.replace_schema_metadata(None))
        token = (found.schema.metadata or {}).get(b"next_page")
        if token is None or len(pieces) * _AT_ONCE >= MOST:
            return pa.concat_tables(pieces, promote_options="default")
        page = token.decode()


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
