"""The curves of a run's metrics, those whose names begin alike together: a group is read when it is looked at."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import streamlit as st

from prefect_ledger.entities import Run
from prefect_ledger.formats import count, number

from ..charts import curves as chart
from ..charts.curves import X
from ..data import curves as data
from . import said

MOST = 12  # panels at once
_POINTS = 1_000  # of a curve
_WEIGHTS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
_X: tuple[X, ...] = ("step", "time", "relative")
_FIRST = re.compile(r"[./]")
_ALONE = "others"
CONFIG = {"displaylogo": False}


def show(run: Run) -> None:
    """Show them."""
    keys = {key: one.count for key, one in run.summaries.items()}
    if not keys:
        st.info("This run has no metrics yet.", icon=":material/show_chart:")
        st.code('run.log_metric("train.loss", loss, step=step)', language="python")
        return
    groups = grouped([key for key, points in keys.items() if points > 1])
    if not groups:
        st.info("All metrics of this run have one value each: the overview has them.", icon=":material/show_chart:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        group = st.selectbox("Group", list(groups), key="panels", format_func=_named(groups), width=240, bind="query-params")
        x: X | None = st.segmented_control("From left to right", _X, default="step", required=True, key="x", bind="query-params")
        weight = st.select_slider("Smoothing", _WEIGHTS, key="smooth", width=180, bind="query-params")
        log_y = st.toggle("log y", key="log_y", bind="query-params")
    chosen = groups.get(group or "", [])
    if len(chosen) > MOST:
        pages = -(-len(chosen) // MOST)
        page = st.segmented_control("Panels", list(range(1, pages + 1)), default=1, required=True, key="panel", bind="query-params")
        page = page or 1  # an address may say none
        chosen = chosen[(page - 1) * MOST : page * MOST]
    panels(run, chosen, x=x or "step", weight=float(weight), log_y=log_y)


def panels(run: Run, keys: Sequence[str], *, x: X = "step", weight: float = 0.0, log_y: bool = False) -> None:
    """A panel for each metric."""
    wanted = data.Wanted(weight=weight, most=_POINTS)
    line = data.Line(run, run.attempt, run.name or run.id[:8])
    columns = st.columns(2 if len(keys) > 1 else 1, gap="small")
    for at, key in enumerate(keys):
        with columns[at % len(columns)]:
            found = data.drawn(key, [line], wanted)
            if not found:
                st.caption(f"{said.plain(key, 100)}: nothing was logged yet.")
                continue
            made = chart.figure(found, x=x, smoothing=weight, log_y=log_y, title=key, height=260)
            st.plotly_chart(made, key=f"curve {key}", config=CONFIG)
            if odd := found[0].left_out:
                st.caption(
                    f"{count(odd, 'value')} of it {'is' if odd == 1 else 'are'} NaN or infinite; the last is {number(_last(run, key))}."
                )


def grouped(keys: Sequence[str]) -> dict[str, list[str]]:
    """Keys by what stands before their first point or slash.

    Example:
        >>> grouped(["train.loss", "auc", "train.acc", "val/loss"])
        {'train': ['train.acc', 'train.loss'], 'val': ['val/loss'], 'others': ['auc']}
    """
    found: dict[str, list[str]] = {}
    for key in sorted(keys):
        parts = _FIRST.split(key, maxsplit=1)
        found.setdefault(parts[0] if len(parts) > 1 and parts[0] else _ALONE, []).append(key)
    if alone := found.pop(_ALONE, None):
        found[_ALONE] = alone
    return found


def _named(groups: dict[str, list[str]]) -> Callable[[str], str]:
    return lambda name: f"{name} ({len(groups.get(name, ()))})"


def _last(run: Run, key: str) -> float | None:
    return run.metrics.get(key)
