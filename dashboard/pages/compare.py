"""The page Compare: runs side by side, their curves over one another, and what parameters do to metrics."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ..data import compare
from ..parts import compare_curves, compare_media, compare_plots, compare_runs, compare_table, links, saved_views

_VIEWS: dict[str, Callable[[compare.Chosen], None]] = {
    "Table": compare_table.show,
    "Curves": compare_curves.show,
    "Parallel": compare_plots.show_parallel,
    "Scatter": compare_plots.show_scatter,
    "Contour": compare_plots.show_contour,
    "Boxes": compare_plots.show_boxes,
    "Importance": compare_plots.show_importance,
    "Media": compare_media.show,
}


def show() -> None:
    """Show it."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Compare", width="stretch")
        saved_views.show("compare")
    chosen = compare_runs.choose()
    if not chosen.runs:
        _nothing()
        return
    view = st.segmented_control(
        "View", _VIEWS, default="Table", required=True, key="view", bind="query-params", label_visibility="collapsed"
    )
    _VIEWS.get(view, compare_table.show)(chosen)  # an address may say none


def _nothing() -> None:
    st.info(
        "No runs are chosen. Select some in the table of runs and press Compare, or write a filter above, such as: experiment = 'churn'"
    )
    links.link("Runs", "runs", icon=":material/table_rows:")
    st.code("prefect-ledger runs list\nprefect-ledger runs compare 8f2c51aa 03b7d2e9", language="bash")
