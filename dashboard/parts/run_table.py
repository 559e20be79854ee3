"""A table of runs: a line each, as people read it. Rows can be selected; a click on a column's head orders by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pyarrow as pa
import streamlit as st

from prefect_ledger.errors import InvalidFilter
from prefect_ledger.expressions import Operand, Order, parse_order
from prefect_ledger.formats import duration, number, short
from prefect_ledger.queries.details import RunFields

from ..data import runs as data
from . import columns as chosen
from . import links, pager, picked, said

KEY, _CLICKS = "runs", "clicks on heads of runs"
_BY = {"Run": "run_name", "State": "status", "Experiment": "experiment", "Started": "start_time", "Took": "duration"}  # what heads order by
_FIXED = {*_BY, "Below"}
_COLORS = {
    "COMPLETED": "#2e9d5b",
    "FAILED": "#e05252",
    "CRASHED": "#b03a6a",
    "CANCELLED": "#c98a1b",
    "PAUSED": "#c98a1b",
    "RUNNING": "#4c8df0",
    "SCHEDULED": "#7d8da5",
}
_WIDEST, _TALLEST = 60, 20  # characters of a cell, lines that are seen without scrolling
_ROW, _HEAD = 31, 35  # pixels


def show(lines: data.Lines, columns: Mapping[str, Operand], order: str) -> None:
    """Show it; what is selected is in the address (see ``picked``), and so is the order (see ``pager``)."""
    runs = lines.cells.runs
    table = _table(lines, columns, _zone())
    ids = [run.id for run in runs]
    selected = set(picked.ids())
    rows = [at for at, one in enumerate(ids) if one in selected]
    key = f"{KEY}_{st.session_state.get(_CLICKS, 0)}"  # the browser forgets which column was clicked when the table is another one
    st.session_state[key] = {"selection": {"rows": rows, "columns": []}}
    st.container(key=KEY).dataframe(
        pa.table({name: pa.array(cells, pa.list_(pa.string()) if name == "State" else pa.string()) for name, cells in table.items()}),
        key=key,
        hide_index=True,
        row_height=_ROW,
        height=_HEAD + _ROW * min(max(len(runs), 3), _TALLEST),
        column_config=_config(lines, table, columns, order),
        placeholder="",
        alt="Runs",
        on_select=partial(_selected, key, ids),
        selection_mode=["multi-row", "single-column"],
    )


def _selected(key: str, ids: Sequence[str]) -> None:
    """Keep which rows are selected now; a column that is selected is one whose head was clicked."""
    state = st.session_state[key]["selection"]
    picked.among(ids, [ids[at] for at in state["rows"] if at < len(ids)])
    for name in state["columns"]:
        st.session_state[_CLICKS] = st.session_state.get(_CLICKS, 0) + 1
        if name in _BY or name not in _FIXED:
            pager.order_by(_BY.get(name, name))


def _table(lines: data.Lines, columns: Mapping[str, Operand], zone: tzinfo) -> dict[str, Sequence[Any]]:
    runs, below = lines.cells.runs, lines.cells.below
    several = len({one.experiment_id for one in runs}) > 1
    return {
        "Run": [_name(one, depth) for one, depth in zip(runs, lines.depths, strict=True)],
        "State": [[one.status] for one in runs],
        **({"Experiment": [short(one.experiment or "", _WIDEST) for one in runs]} if several and "experiment" not in columns else {}),
        "Started": [_moment(one.started, zone) for one in runs],
        "Took": [duration(_took(one)) for one in runs],
        **({"Below": [f"{count:,}" if count else "" for count in below]} if any(below) else {}),
        **{name: _cells(lines, name, _writer(operand, zone)) for name, operand in columns.items()},
    }


def _name(run: RunFields, depth: int) -> str:
    """The link, which shows what follows its ``#``."""
    name = short(run.name, _WIDEST) or run.id[:8]
    return f"{links.to_run(run.id)}#{quote('└ ' * depth + name, safe='')}"


def _cells(lines: data.Lines, name: str, write: Callable[[Any], str]) -> list[str]:
    """Each run's own value; where it has none, in parentheses what those below it come to."""
    gathered = lines.gathered.get(name, {})
    return [
        f"({write(gathered[run.id])})" if value is None and run.id in gathered else write(value)
        for run, value in zip(lines.cells.runs, lines.cells.values[name], strict=True)
    ]


def _config(lines: data.Lines, table: Mapping[str, Sequence[str]], columns: Mapping[str, Operand], order: str) -> dict[str, Any]:
    make, by, pinned = st.column_config, _direction(order), chosen.pinned()
    fixed = {head: head + by.get(name, "") for head, name in _BY.items()}
    return {
        "Run": make.LinkColumn(fixed["Run"], display_text=r"#(.*)$", pinned=True, alignment="left", width=190),
        "State": make.MultiselectColumn(fixed["State"], options=list(_COLORS), color=list(_COLORS.values()), width=115),
        "Experiment": make.Column(fixed["Experiment"]),
        "Started": make.Column(fixed["Started"], width=150),
        "Took": make.Column(fixed["Took"], alignment="right"),
        "Below": make.Column("Below", alignment="right", help="Runs right below this one."),
        **{
            name: make.Column(
                _head(operand) + by.get(name, ""),
                alignment="right" if operand.kind in ("metric", "param") else "left",
                pinned=name in pinned,
                width=_width(_head(operand), table[name]),
                help=said.plain(name) + (", in parentheses of the runs below" if lines.gathered.get(name) else ""),
            )
            for name, operand in columns.items()
        },
    }


def _width(head: str, cells: Sequence[str]) -> int:
    """Pixels that a column takes: as the table itself has it, but for each page anew."""
    return min(max(8 * len(head) + 40, 8 * max(map(len, cells), default=0) + 18, 60), 260)


def _head(operand: Operand) -> str:
    key = short(operand.key, 40)
    return key if operand.aggregate == "last" else f"{operand.aggregate} {key}"


def _direction(order: str) -> dict[str, str]:
    """An arrow for the column that the rows are ordered by."""
    try:
        found = parse_order(order)
    except InvalidFilter:
        return {}
    first = found[0] if found else Order(Operand("attribute", "start_time"), descending=True)
    return {chosen.name_of(first.operand): " ↓" if first.descending else " ↑"}


def _writer(operand: Operand, zone: tzinfo) -> Callable[[Any], str]:
    if operand.kind == "attribute" and operand.key in ("start_time", "end_time"):
        return partial(_moment, zone=zone)
    if operand.kind == "attribute" and operand.key == "duration":
        return duration
    if operand.kind == "metric":
        return lambda value: "" if value is None else number(value)
    return lambda value: "" if value is None else short(value, _WIDEST)


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
