"""Everything that runs have, side by side: only what differs, the best values marked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from prefect_ledger.comparison import SECTIONS, Row
from prefect_ledger.entities import Run
from prefect_ledger.formats import MISSING, duration, moment, number, numbers, short

from ..data import compare
from . import links, said

_AGGREGATES: tuple[compare.Aggregate, ...] = ("last", "min", "max", "mean")
_BOUND: dict[str, Any] = {"bind": "query-params"}
_WAYS = "Whether each run is a column or a row; by itself, many runs are rows, whose columns can be sorted."
_ARROWS = {"lower": " ↓", "higher": " ↑", None: ""}
_WIDEST = 80  # characters of a cell
_SHORT = 13  # of a digest
_TURNED = 9  # runs from which on they are rows unless it is said otherwise
_ROW = 35  # pixels
_LINES = 21
_LINKS = 12
_BEST = 4  # metrics named in the cell that says where a run is the best


def show(chosen: compare.Chosen) -> None:
    """The table, and what decides what is in it."""
    runs = chosen.runs
    with st.container(horizontal=True, vertical_alignment="center"):
        whole = st.toggle("Also what is the same", key="all", **_BOUND)
        way = st.segmented_control(
            "Runs are", ["auto", "columns", "rows"], default="auto", required=True, key="runs_are", help=_WAYS, **_BOUND
        )
        aggregate = st.selectbox("Metric", _AGGREGATES, key="value", width=110, help="Which of its values: the last, or of all.", **_BOUND)
        sections = st.multiselect("Sections", SECTIONS, key="sections", placeholder="all sections", **_BOUND)
        lower, higher = _better(runs)
    rows = compare.rows(runs, lower=lower, higher=higher, aggregate=aggregate)
    shown = [row for row in rows if (whole or row.differs) and (not sections or row.section in sections)]
    if not shown:
        st.info("These runs do not differ in anything the ledger knows." if not whole else "There is nothing of these sections.")
        return
    turned = way == "rows" or (way == "auto" and len(runs) >= _TURNED)
    (_as_rows if turned else _as_columns)(runs, shown)
    if not turned and len(runs) <= _LINKS:
        _links(runs)
    marked = any(row.best for row in shown)
    st.caption(("★ best; ↓ lower is better, ↑ higher. " if marked else "") + ("" if whole else "Only what differs is shown."))


def _better(runs: Sequence[Run]) -> tuple[list[str], list[str]]:
    keys = sorted({key for run in runs for key in run.metrics})
    with st.popover("Best is…", help="Which way each metric gets better is guessed by its name; say it here where that is wrong."):
        lower = st.multiselect("Lower is better", keys, key="lower", **_BOUND)
        higher = st.multiselect("Higher is better", keys, key="higher", **_BOUND)
    return lower, higher


def _as_columns(runs: Sequence[Run], rows: Sequence[Row]) -> None:
    called = compare.names(runs)
    frame = pd.DataFrame(
        [[row.section, f"{short(row.key, _WIDEST)}{_ARROWS[row.direction]}", *texts(row)] for row in rows],
        columns=["section", "name", *(run.id for run in runs)],
    )
    about: dict[str, Any] = {run.id: st.column_config.TextColumn(short(called[run.id], 40), help=said.plain(_about(run))) for run in runs}
    about["section"] = st.column_config.TextColumn("", pinned=True, width=90)
    about["name"] = st.column_config.TextColumn("", pinned=True)
    st.dataframe(frame, hide_index=True, column_config=about, height=_height(len(frame)), key="compared", alt="Runs side by side")


def _as_rows(runs: Sequence[Run], rows: Sequence[Row]) -> None:
    called = compare.names(runs)
    columns: dict[str, Any] = {"run": [called[run.id] for run in runs], "open": [links.to_run(run.id) for run in runs]}
    about: dict[str, Any] = {"run": st.column_config.TextColumn("run", pinned=True)}
    about["open"] = st.column_config.LinkColumn("", display_text=":material/open_in_new:", width=40, pinned=True)
    if any(row.best for row in rows):
        columns["best"] = [_bests(rows, at) for at in range(len(runs))]
        about["best"] = st.column_config.TextColumn("★ best in")
    for number_, row in enumerate(row for row in rows if (row.section, row.key) != ("run", "name")):
        name = f"{row.section}.{number_}"
        columns[name] = list(row.values) if row.section == "metrics" else texts(row)
        kind = st.column_config.NumberColumn if row.section == "metrics" else st.column_config.TextColumn
        label = row.key if row.section in ("params", "metrics", "run") else f"{row.section}: {row.key}"
        about[name] = kind(f"{short(label, 40)}{_ARROWS[row.direction]}", help=said.plain(f"{row.section}: {row.key}"))
    st.dataframe(
        pd.DataFrame(columns), hide_index=True, column_config=about, height=_height(len(runs)), key="compared_rows", alt="Runs, one a row"
    )


def _bests(rows: Sequence[Row], at: int) -> str:
    names = [row.key for row in rows if at in row.best]
    more = f" and {len(names) - _BEST:,} more" if len(names) > _BEST else ""
    return ", ".join(short(name, 30) for name in names[:_BEST]) + more


def _height(rows: int) -> int:
    return (min(rows, _LINES) + 1) * _ROW + 3


def _links(runs: Sequence[Run]) -> None:
    called = compare.names(runs)
    with st.container(horizontal=True):
        for run in runs:
            links.link(short(called[run.id], 40), "run", icon=":material/science:", run=run.id)


def _about(run: Run) -> str:
    return f"{run.name or run.id}: {run.status} in {run.experiment or 'no experiment'}, began {moment(run.started_at)}"


def texts(row: Row) -> list[str]:
    """The values of a row as people read them, the best with a star."""
    if row.section == "metrics":
        said_ = numbers(row.values)
        if len(set(said_)) < len({repr(value) for value in row.values}):  # they differ where the common format does not look
            said_ = [number(value) if value is None else f"{value:.10g}" for value in row.values]
        return [f"{text} ★" if at in row.best else text for at, text in enumerate(said_)]
    return [_text(row, value) for value in row.values]


def _text(row: Row, value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, datetime):
        return moment(value)
    if row.section == "run" and row.key == "duration":
        return duration(value)
    return short(
        value, _SHORT if row.section == "datasets" or (row.section, row.key) in (("run", "parent"), ("git", "commit")) else _WIDEST
    )
