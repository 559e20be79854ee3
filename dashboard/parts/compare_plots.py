"""What parameters do to metrics over the compared runs: parallel coordinates, points, a landscape, boxes, and which of them tell most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from prefect_ledger.entities import Run
from prefect_ledger.formats import count

from ..charts import boxes, contour, importance, parallel, scatter
from ..charts.columns import Column, column
from ..data import compare

_BOUND: dict[str, Any] = {"bind": "query-params"}
_CONFIG = {"displaylogo": False}
_AXES = 7  # of parallel coordinates where none were chosen
_MOST = 16


def show_parallel(chosen: compare.Chosen) -> None:
    """A line for each run through its parameters and metrics."""
    params, metrics = _varying(chosen.runs)
    if not params and not metrics:
        _same()
        return
    names = [*params, *metrics]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = f"those that tell most of the colour; choose up to {_MOST}"
        axes = st.multiselect("Axes", names, key="axes", max_selections=_MOST, placeholder=words, **_BOUND)
        by = st.selectbox("Colour", names, index=None, key="color", placeholder=(metrics or params)[0], width=260, **_BOUND)
    color = _column(chosen.runs, by or (metrics or params)[0])
    if axes:
        shown = [_column(chosen.runs, one) for one in axes]
    else:
        telling = [_column(chosen.runs, one) for one in _telling(chosen.runs, params, color)]
        shown = [*parallel.shared(telling, color, _AXES - 1), color]
    made, left_out = parallel.figure(shown, color)
    _draw(made, left_out, chosen, "parallel")
    st.caption("Drag along an axis to choose a range of it, also on several; drag a name to move its axis; a double click lets go.")


def show_scatter(chosen: compare.Chosen) -> None:
    """One thing over another."""
    params, metrics = _varying(chosen.runs)
    if len(names := [*params, *metrics]) < 2:
        _same()
        return
    y_first = (metrics or names)[0]
    x_first = next(one for one in names if one != y_first)
    with st.container(horizontal=True):
        x = st.selectbox("From left to right", names, index=None, key="right", placeholder=x_first, **_BOUND) or x_first
        y = st.selectbox("Up", names, index=None, key="up", placeholder=y_first, **_BOUND) or y_first
        by = st.selectbox("Colour", names, index=None, key="color", placeholder="the same for all", **_BOUND)
    color = _column(chosen.runs, by) if by else None
    made, left_out = scatter.figure(_column(chosen.runs, x), _column(chosen.runs, y), _names(chosen.runs), color)
    _draw(made, left_out, chosen, "scatter")


def show_contour(chosen: compare.Chosen) -> None:
    """A metric over two parameters."""
    params, metrics = _varying(chosen.runs)
    if len(params) < 2 or not metrics:
        st.info("This takes two parameters and a metric that differ between the runs.")
        return
    with st.container(horizontal=True):
        x = st.selectbox("From left to right", params, index=None, key="right", placeholder=params[0], **_BOUND) or params[0]
        y = st.selectbox("Up", params, index=None, key="up", placeholder=params[1], **_BOUND) or next(one for one in params if one != x)
        z = st.selectbox("Colour", metrics, index=None, key="color", placeholder=metrics[0], **_BOUND) or metrics[0]
    across, up, land = (_column(chosen.runs, one) for one in (x, y, z))
    made, left_out = contour.figure(across, up, land, _names(chosen.runs))
    _draw(made, left_out, chosen, "contour")
    st.caption(
        "Between runs: the mean of all, weighed by the inverse square of how far each is. A picture of what was tried, and no model."
    )


def show_boxes(chosen: compare.Chosen) -> None:
    """How a metric spreads for each value of a parameter."""
    params, metrics = _varying(chosen.runs)
    if not params or not metrics:
        st.info("This takes a parameter and a metric that differ between the runs.")
        return
    with st.container(horizontal=True):
        by = st.selectbox("Parameter", params, index=None, key="right", placeholder=params[0], **_BOUND) or params[0]
        metric = st.selectbox("Metric", metrics, index=None, key="up", placeholder=metrics[0], **_BOUND) or metrics[0]
    made, left_out = boxes.figure(_column(chosen.runs, by), _column(chosen.runs, metric), _names(chosen.runs))
    _draw(made, left_out, chosen, "boxes")


def show_importance(chosen: compare.Chosen) -> None:
    """Which parameters go with a metric."""
    params, metrics = _varying(chosen.runs)
    if not params or not metrics:
        st.info("This takes a parameter and a metric that differ between the runs.")
        return
    metric = st.selectbox("Metric", metrics, index=None, key="up", placeholder=metrics[0], width=420, **_BOUND) or metrics[0]
    found = importance.shares([_column(chosen.runs, one) for one in params], _column(chosen.runs, metric))
    if not found:
        st.info(f"Too few runs have it: at least {importance.LEAST} with different values of a parameter say something.")
        return
    _draw(importance.figure(found, metric), 0, chosen, "importance")
    st.caption(
        f"How much of the order of {count(len(chosen.runs), 'run')} each parameter explains by itself: of numbers the square of Spearman's"
        " rank correlation (blue rises, orange falls), of categories epsilon squared (grey). It says nothing of causes, of parameters that"
        " act together, or of ups and downs; with few runs, chance alone gives shares such as 0.2."
    )


def _telling(runs: Sequence[Run], params: Sequence[str], metric: Column) -> list[str]:
    """The parameters, those first that tell most of the metric; where nothing can be told, as they are."""
    found = importance.shares([replace(_column(runs, one), name=one) for one in params], metric)
    order = [one.name for one in found]
    return [*order, *(one for one in params if one not in set(order))]


def _varying(runs: Sequence[Run]) -> tuple[list[str], list[str]]:
    """The parameters and metrics that differ, those that most runs have first."""
    found: list[list[str]] = []
    for side in ("params", "metrics"):
        had: dict[str, set[Any]] = {}
        count_: dict[str, int] = {}
        for run in runs:
            for key, value in getattr(run, side).items():
                had.setdefault(key, set()).add(value)
                count_[key] = count_.get(key, 0) + 1
        varying = [key for key, values in had.items() if len(values) > 1]
        found.append([f"{side}.{key}" for key in sorted(varying, key=lambda key: (-count_[key], key))])
    return found[0], found[1]


def _column(runs: Sequence[Run], name: str) -> Column:
    side, _, key = name.partition(".")
    return column(key, [getattr(run, side).get(key) for run in runs])


def _names(runs: Sequence[Run]) -> list[str]:
    called = compare.names(runs)
    return [called[run.id] for run in runs]


def _draw(made: go.Figure, left_out: int, chosen: compare.Chosen, name: str) -> None:
    if left_out == len(chosen.runs):
        st.info("No run has all of these values: choose fewer of them, or others.")
        return
    st.plotly_chart(made, theme="streamlit", key=f"plot:{name}", config=_CONFIG, alt=f"Runs: {name}")
    if left_out:
        st.caption(f"{left_out:,} of {count(len(chosen.runs), 'run')} have no value there that can be drawn, and are left out.")


def _same() -> None:
    st.info("No parameter and no metric differs between these runs: choose more of them, or others.")
