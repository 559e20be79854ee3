"""The page Runs: which runs there are, those that match in order, and what can be done with those that are chosen."""

from __future__ import annotations

import streamlit as st

from prefect_ledger.queries.cells import read_columns

from ..data import runs as data
from ..parts import columns, filter_box, pager, run_table


def show() -> None:
    """Show it."""
    st.title("Runs")
    asked = filter_box.show()
    if asked is None:
        return
    order, rows = pager.order(), pager.rows()
    chosen = tuple(columns.telling(data.keys(asked)))
    number = pager.number()
    cells = data.page(asked, chosen, order, rows, pager.place(asked, order, rows, number))
    run_table.show(cells, read_columns(chosen), order)
    pager.show(asked, order, rows, number, cells)
