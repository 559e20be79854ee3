"""How a metric went from run to run, for each experiment: a small curve in a table, a larger one of the experiment that is chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from prefect_ledger.queries.overview import Trend

from ..charts import trend
from ..data import home
from . import links

_RUNS = (20, 50, 200)


def show() -> bool:
    """Show them; returns whether there is any experiment with runs."""
    if not home.trends(None, _RUNS[1]):
        return False
    st.subheader(":material/trending_up: Trends", anchor=False)
    left, right, _ = st.columns([3, 2, 3], vertical_alignment="bottom")
    key = left.selectbox(
        "Metric",
        home.keys(),
        index=None,
        key="metric",
        bind="query-params",
        placeholder="each experiment's own",
        accept_new_options=True,
    )
    runs = right.segmented_control("Latest runs", _RUNS, default=_RUNS[1], key="last", bind="query-params") or _RUNS[1]
    found = home.trends(key or None, runs)
    shown = [one for one in found if one.points]
    if not shown:
        st.info("None of the latest runs has this metric." if key else "No run has logged a metric yet.", icon=":material/info:")
        return True
    chosen = _table(shown)
    _larger(chosen or next((one for one in shown if one.experiment == st.query_params.get("experiment")), shown[0]), chosen is not None)
    return True


def _table(found: Sequence[Trend]) -> Trend | None:
    """The table; returns the trend whose row is selected."""
    rows = []
    for one in found:
        values = [value for _, _, value in one.points]
        curve = [value for value in values if math.isfinite(value)]
        word = "lowest" if home.is_lower(one.key) else "highest"
        told = {"experiment": one.experiment, "metric": one.key, "trend": curve, "last": values[-1]}
        rows.append({**told, "best": home.best(one.key, values), "best is the": word, "runs": len(values)})
    number = st.column_config.NumberColumn(format="%.5g")
    told_ = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height="content" if len(rows) <= 10 else 400,
        on_select="rerun",
        selection_mode="single-row",
        key="trends_table",
        column_config={"trend": st.column_config.LineChartColumn(width="medium"), "last": number, "best": number},
    )
    chosen = told_.selection.rows
    return found[chosen[0]] if chosen and chosen[0] < len(found) else None


def _larger(one: Trend, selected: bool) -> None:
    if selected:
        st.query_params["experiment"] = one.experiment
    with st.container(horizontal=True, vertical_alignment="center"):
        links.link(f"{one.experiment}: {one.key}", "runs", icon=":material/table_rows:", experiment=one.experiment)
    st.plotly_chart(trend.figure(one.key, one.points, lower=home.is_lower(one.key)), key="trend_chart", config={"displaylogo": False})
