"""A table of runs: one line each, as people read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pyarrow as pa
import streamlit as st

from prefect_ledger.errors import InvalidFilter
from prefect_ledger.expressions import Operand, parse_order
from prefect_ledger.formats import duration, number, short
from prefect_ledger.queries.cells import Cells
from prefect_ledger.queries.details import RunFields

from . import links, said

ATTRIBUTES = {"Run": "run_name", "State": "status", "Experiment": "experiment", "Started": "start_time", "Took": "duration"}
_COLORS = {
    "COMPLETED": "#2e9d5b",
    "FAILED": "#e05252",
    "CRASHED": "#e05252",
    "CANCELLED": "#c98a1b",
    "PAUSED": "#c98a1b",
    "RUNNING": "#4c8df0",
    "SCHEDULED": "#4c8df0",
}
_WIDEST = 60


def show(cells: Cells, columns: Mapping[str, Operand], order: str) -> None:
    """Show it."""
    zone = _zone()
    runs = cells.runs
    several = len({one.experiment_id for one in runs}) > 1
    table: dict[str, Any] = {
        "Run": [f"{links.to_run(one.id)}#{quote(short(one.name, _WIDEST) or one.id[:8], safe='')}" for one in runs],
        "State": [[one.status] for one in runs],
        **({"Experiment": [short(one.experiment or "", _WIDEST) for one in runs]} if several else {}),
        "Started": [_moment(one.started, zone) for one in runs],
        "Took": [duration(_took(one)) for one in runs],
        **({"Below": [str(count) if count else "" for count in cells.below]} if any(cells.below) else {}),
    }
    table |= {name: list(map(_writer(operand, zone), cells.values[name])) for name, operand in columns.items()}
    st.dataframe(
        pa.table({name: pa.array(values, pa.list_(pa.string()) if name == "State" else pa.string()) for name, values in table.items()}),
        key="runs",
        hide_index=True,
        height=min(38 + 35 * len(runs), 738),
        column_config=_config(columns, order),
        placeholder="",
        alt="Runs",
    )


def _config(columns: Mapping[str, Operand], order: str) -> dict[str, Any]:
    make = st.column_config
    by = _direction(order)
    return {
        "Run": make.LinkColumn("Run" + by.get("run_name", ""), display_text=r"#(.*)$", pinned=True, alignment="left", width=200),
        "State": make.MultiselectColumn("State" + by.get("status", ""), options=list(_COLORS), color=list(_COLORS.values()), width=120),
        "Started": make.Column("Started" + by.get("start_time", ""), width=150),
        "Took": make.Column("Took" + by.get("duration", ""), alignment="right"),
        "Below": make.Column("Below", alignment="right", help="Runs right below this one"),
        **{
            name: make.Column(
                _head(operand) + by.get(name, ""),
                alignment="right" if operand.kind in ("metric", "param") else "left",
                help=said.plain(name),
            )
            for name, operand in columns.items()
        },
    }


def _head(operand: Operand) -> str:
    key = short(operand.key, 40)
    return key if operand.aggregate == "last" else f"{operand.aggregate} {key}"


def _direction(order: str) -> dict[str, str]:
    """An arrow for the column that the rows are ordered by."""
    from .columns import name_of

    try:
        first, *_ = parse_order(order) or (None,)
    except InvalidFilter:
        return {}
    return {} if first is None else {name_of(first.operand): " ↓" if first.descending else " ↑"}


def _writer(operand: Operand, zone: tzinfo) -> Callable[[Any], str]:
    if operand.key in ("start_time", "end_time") and operand.kind == "attribute":
        return lambda value: _moment(value, zone)
    if operand.key == "duration" and operand.kind == "attribute":
        return duration
    return lambda value: "" if value is None else number(value) if isinstance(value, float | int) else short(value, _WIDEST)


def _took(run: RunFields) -> float | None:
    return None if run.started is None or run.ended is None else (run.ended - run.started) / 1e6


def _moment(micros: int | None, zone: tzinfo) -> str:
    return "" if micros is None else datetime.fromtimestamp(micros / 1e6, zone).strftime("%Y-%m-%d %H:%M:%S")


def _zone() -> tzinfo:
    """The browser's time zone."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ValueError, OSError):  # none that this machine knows
        return UTC
