"""The page Runs: which there are, those that match in order, and what can be done with those that are selected."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from prefect_ledger.expressions import Operand
from prefect_ledger.formats import count
from prefect_ledger.queries.cells import Cells

from ..data import runs as data
from ..parts import bulk, columns, conditions, export_box, filter_box, live, pager, picked, run_table, saved_views

_FIRST = """from prefect_ledger import start_run

with start_run(experiment="first") as run:
    run.log_param("depth", 6)
    run.log_metric("auc", 0.91)"""


def show() -> None:
    """Show it."""
    head = st.container(horizontal=True, vertical_alignment="bottom", key="head")
    head.title("Runs", width="stretch")
    box = filter_box.show()
    if box is None:
        return
    asked = box.asked()
    with head:
        conditions.show(asked)
        chosen = columns.show(data.keys(asked))
    below = st.container(horizontal=True, vertical_alignment="bottom", key="paging")
    with below:
        order, view, rows = pager.order(chosen), pager.view(), pager.rows()
    with head:
        export_box.show(asked, tuple(chosen), order)
        saved_views.show("runs")
    number = pager.number()
    wanted = asked if view == "flat" else asked.top
    cells = data.page(wanted, tuple(chosen), order, rows, pager.place(wanted, order, rows, number))
    if not cells.runs and view != "flat" and data.count(asked) and (number == 1 or not data.count(wanted)):
        wanted, view = asked, "flat"  # what matches stands below others, all of it
        cells = data.page(wanted, tuple(chosen), order, rows, pager.place(wanted, order, rows, number))
    if not cells.runs and number > 1:
        number = pager.to_last(wanted, rows)
        cells = data.page(wanted, tuple(chosen), order, rows, pager.place(wanted, order, rows, number))
    if not cells.runs:
        _nothing(box)
        return
    _table(cells, chosen, order, view, asked)
    with below:
        pager.show(wanted, order, rows, number, cells)
    live.watch(any(run.status == "RUNNING" for run in cells.runs))


def _table(cells: Cells, chosen: Mapping[str, Operand], order: str, view: str, asked: data.Asked) -> None:
    actions = st.container()
    if view == "unfolded":
        lines = data.unfolded(cells, asked, order)
    else:
        lines = data.folded(cells, asked) if view == "folded" else data.flat(cells)
    run_table.show(lines, chosen, order)
    with actions:
        bulk.show({run.id for run in lines.cells.runs})
    if view == "folded":
        _hidden(asked)


def _hidden(asked: data.Asked) -> None:
    """Say how many match that stand below others."""
    if hidden := data.count(asked) - data.count(asked.top):
        label = f"{count(hidden, 'run')} below others {'matches' if hidden == 1 else 'match'} too: show {'it' if hidden == 1 else 'them'}"
        st.button(label, type="tertiary", icon=":material/unfold_more:", on_click=pager.flatten)


def _nothing(box: filter_box.Box) -> None:
    if data.count(data.Asked(lifecycle="all")):
        if picked.ids():
            bulk.show(set())  # those that were deleted a moment ago can be restored
        filter_box.nothing(box)
        return
    st.info("This ledger has no runs yet. A flow with `@tracked_flow` logs one each time it runs; so does this:", icon=":material/science:")
    st.code(_FIRST, language="python")
