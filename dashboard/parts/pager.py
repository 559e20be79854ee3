"""In which order runs stand, how many of them a page has, and which page it is."""

from __future__ import annotations

import streamlit as st

from prefect_ledger.queries.cells import Cells

from ..data import runs as data
from .filter_box import PAGE, first_page

LATEST = "start_time desc"
_ROWS = (50, 100, 200)
_TOKENS = "tokens of pages"


def order() -> str:
    """The order that was chosen."""
    return st.selectbox(
        "Order",
        [LATEST, "start_time", "run_name", "status", "duration desc"],
        key="order",
        bind="query-params",
        accept_new_options=True,
        on_change=first_page,
    )


def rows() -> int:
    """How many runs a page has."""
    return st.selectbox("Rows", _ROWS, index=1, key="rows", bind="query-params", on_change=first_page)


def number() -> int:
    """Which page the address names; the first where it names none."""
    said = st.query_params.get(PAGE, "1")
    return max(1, int(said)) if said.isascii() and said.isdecimal() and len(said) < 7 else 1


def place(asked: data.Asked, order: str, rows: int, number: int) -> str | int:
    """Where the page begins: by the token that the page before it gave, else by how many runs stand before."""
    if number == 1:
        return 0
    known: dict[object, str] = st.session_state.get(_TOKENS, {})
    return known.get((asked, order, rows, number), (number - 1) * rows)


def show(asked: data.Asked, order: str, rows: int, number: int, cells: Cells) -> None:
    """Where this page stands among those that match, and ways to others."""
    if cells.next_page is not None:
        st.session_state.setdefault(_TOKENS, {})[asked, order, rows, number + 1] = cells.next_page
    total = data.count(asked)
    first = (number - 1) * rows
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{first + 1:,} to {first + len(cells.runs):,} of {total:,}", width="content")
        st.button("Previous", icon=":material/chevron_left:", disabled=number == 1, on_click=_go, args=(number - 1,), key="previous")
        st.button("Next", icon=":material/chevron_right:", disabled=cells.next_page is None, on_click=_go, args=(number + 1,), key="next")


def _go(number: int) -> None:
    if number <= 1:
        first_page()
    else:
        st.query_params[PAGE] = str(number)
