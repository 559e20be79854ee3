"""Curves of the compared runs over one another: a panel for each metric, smoothed, grouped, by step or time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from prefect_ledger.entities import Run
from prefect_ledger.formats import count

from ..charts import bands as bands_chart
from ..charts import curves as curves_chart
from ..charts.bands import Spread
from ..charts.curves import X
from ..data import compare, curves
from . import said

WEIGHTS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
_SMOOTHING = "The weight of what came before in a moving average (EMA). The raw curve stays behind it, so that no spike disappears."
_BANDS = "range: from the lowest to the highest value of any of them; std: one standard deviation of the curves to each side of their mean."
_FIRST = 4  # metrics that are shown where none was chosen
_MOST = 24  # metrics at once
_GROUPS = 24
_X: tuple[X, ...] = ("step", "time", "relative")
_LABELS: dict[X, str] = {"step": "step", "time": "time (UTC)", "relative": "seconds since the run began"}
_SPREADS: tuple[Spread, ...] = ("range", "std")
_BOUND: dict[str, Any] = {"bind": "query-params"}  # what stands in the address stands there as it is offered
_BARE: dict[str, Any] = {**_BOUND, "label_visibility": "collapsed"}
CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}


@dataclass(frozen=True)
class Settings:
    """How curves are drawn."""

    x: X
    log_x: bool
    log_y: bool
    weight: float
    low: int | None
    high: int | None
    group: str
    spread: Spread
    children: bool


def show(chosen: compare.Chosen) -> None:
    """What decides how curves are drawn, and a panel for each metric."""
    settings = _settings(chosen)
    runs = _with_children(chosen.runs) if settings.children else chosen.runs
    lines = _lines(runs)
    keys = compare.keys(tuple(run.id for run in runs))
    if not keys:
        st.info("These runs have no metrics. log_metric('loss', value, step=step) in a run makes a curve.")
        return
    words = f"the first {_FIRST}; choose up to {_MOST}"
    asked = st.multiselect("Metrics", list(keys), key="metric", max_selections=_MOST, placeholder=words, **_BARE)
    curved = [key for key, points in keys.items() if points > 1]
    _panels(asked or (curved or list(keys))[:_FIRST], lines, settings)


def _settings(chosen: compare.Chosen) -> Settings:
    with st.container(horizontal=True, vertical_alignment="center"):
        x: X | None = st.segmented_control("From left to right", _X, default="step", required=True, key="x", **_BARE)
        weight = st.select_slider("Smoothing", WEIGHTS, key="smooth", width=170, help=_SMOOTHING, **_BOUND)
        log_y = st.toggle("log y", key="log_y", **_BOUND)
        log_x = st.toggle("log x", key="log_x", disabled=x == "time", **_BOUND)
        with st.popover("Steps", icon=":material/zoom_in:", help="A part of the curves, drawn as finely as the whole."):
            low, high = _step("From step", "from", "the first"), _step("To step", "to", "the last")
        with st.popover("Group", icon=":material/stacked_line_chart:"):
            group, spread, children = _grouping(chosen.runs)
    return Settings(x or "step", log_x, log_y, weight, low, high, group, spread, children)


def _step(label: str, key: str, placeholder: str) -> int | None:
    try:
        found: int | None = st.number_input(label, value=None, step=1, key=key, placeholder=placeholder, **_BOUND)
    except OverflowError:  # the address says more than any number
        return None
    return found


def _grouping(runs: Sequence[Run]) -> tuple[str, Spread, bool]:
    names = sorted({f"params.{key}" for run in runs for key in run.params} | {f"tags.{key}" for run in runs for key in run.tags})
    by = ["experiment", "status", *names]
    group = st.selectbox("One line for all that share", by, index=None, key="group", placeholder="nothing: a line for each run", **_BOUND)
    spread: Spread | None = st.segmented_control(
        "The band reaches", _SPREADS, default="range", required=True, key="band", disabled=not group, help=_BANDS, **_BOUND
    )
    children = st.toggle("With child runs", key="children", **_BOUND)
    return group or "", spread or "range", children


def _with_children(runs: Sequence[Run]) -> list[Run]:
    below = compare.choose(compare.children(tuple(run.id for run in runs)), "")
    return [*runs, *below.runs]


def _lines(runs: Sequence[Run]) -> list[curves.Line]:
    """A line for the last attempt of each run, and for the others that were chosen."""
    called = compare.names(runs)
    several = compare.attempts(tuple(run.id for run in runs))
    earlier = {
        f"{run.id[:8]} attempt {number}": (run, number) for run in runs for number in several.get(run.id, ()) if number != run.attempt
    }
    wanted: list[str] = []
    if earlier:
        wanted = st.multiselect("Earlier attempts", list(earlier), key="attempt", placeholder="earlier attempts too", **_BARE)
    lines = [curves.Line(run, run.attempt, called[run.id]) for run in runs]
    return lines + [curves.Line(run, number, f"{called[run.id]}, attempt {number}") for run, number in (earlier[one] for one in wanted)]


def _panels(keys: Sequence[str], lines: Sequence[curves.Line], settings: Settings) -> None:
    wide = 1 if len(keys) == 1 else 2 if len(keys) <= 4 else 3
    height = {1: 520, 2: 340, 3: 260}[wide]
    most = curves_chart.share(len(lines), len(keys))
    columns: Sequence[Any] = st.columns(wide) if wide > 1 else [st.container()]
    for at, key in enumerate(keys):
        with columns[at % wide]:
            made, told = _figure(key, lines, settings, most, height, legend=wide < 3)
            if made is None:
                st.caption(said.plain(f"{key}: {told}"))
                continue
            st.plotly_chart(made, theme="streamlit", key=f"curves:{key}", config=CONFIG, alt=f"Curves of {key}")
            if told:
                st.caption(told)


def _figure(
    key: str, lines: Sequence[curves.Line], settings: Settings, most: int, height: int, *, legend: bool
) -> tuple[go.Figure | None, str]:
    """The panel of a metric, and what is to be said below it; no panel where there is nothing to draw."""
    wanted = curves.Wanted(0.0 if settings.group else settings.weight, settings.low, settings.high, most)
    if settings.group:
        groups = _groups(lines, settings.group)
        few = dict(list(groups.items())[:_GROUPS])
        found = curves.grouped(key, few, wanted, settings.x, settings.spread)
        if not found:
            return None, "nothing there"
        made = bands_chart.figure(
            found, _LABELS[settings.x], title=key, height=height, log_x=settings.log_x, log_y=settings.log_y, smoothing=settings.weight
        )
        told = f"The first {_GROUPS} of {len(groups):,} groups." if len(groups) > _GROUPS else ""
    else:
        drawn = curves.drawn(key, lines, wanted)
        if not drawn:
            return None, "no run has a point of it there"
        made = curves_chart.figure(drawn, x=settings.x, title=key, height=height, log_x=settings.log_x, log_y=settings.log_y)
        odd = sum(one.left_out or 0 for one in drawn)
        told = f"{count(odd, 'value')} of these curves are NaN or infinite, and not drawn." if odd else ""
    if not legend:
        made.update_layout(showlegend=False)
    return made, told


def _groups(lines: Sequence[curves.Line], by: str) -> Mapping[str, list[curves.Line]]:
    found: dict[str, list[curves.Line]] = {}
    for line in lines:
        found.setdefault(f"{by.partition('.')[2] or by} = {_value(line.run, by)}", []).append(line)
    return dict(sorted(found.items()))


def _value(run: Run, by: str) -> str:
    side, _, key = by.partition(".")
    if side == "params":
        return run.params.get(key, "-")
    return run.tags.get(key, "-") if side == "tags" else str(getattr(run, side) or "-")
