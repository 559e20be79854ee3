"""In which order runs stand, whether those below others are folded, how many a page has, and which page it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import streamlit as st

from prefect_ledger.errors import InvalidFilter
from prefect_ledger.expressions import parse_order
from prefect_ledger.queries.cells import Cells

from ..data import runs as data
from . import said
from .filter_box import PAGE, first_page

ORDER, VIEW = "order", "view"  # of the address
LATEST = "start_time desc"
View = Literal["folded", "unfolded", "flat"]
_VIEWS: tuple[View, ...] = ("folded", "unfolded", "flat")
_ROWS = (50, 100, 200)
_TOKENS = "tokens of pages"


def order(columns: Iterable[str]) -> str:
    """The order that was chosen; others than those that are offered can be typed."""
    names = ("start_time", "duration", "run_name", "status", *columns)
    offered = [LATEST, *(f"{name}{way}" for name in names for way in ("", " desc") if f"{name}{way}" != LATEST)]
    chosen = st.selectbox("Order", offered, key=ORDER, bind="query-params", accept_new_options=True, on_change=first_page, width=260)
    try:
        parse_order(chosen)
    except InvalidFilter as error:
        st.error(f"No order: {said.plain(str(error).partition(chr(10))[0])}")
        return LATEST
    return chosen


def order_by(name: str) -> None:
    """Order by a column, the greatest first; the other way round where that is how they stand."""
    now = st.session_state.get(ORDER)
    text = name in ("run_name", "experiment", "status") or name.startswith(("params.", "tags."))
    first, second = (name, f"{name} desc") if text else (f"{name} desc", name)
    st.session_state[ORDER] = second if now == first else first
    first_page()


def rows() -> int:
    """How many runs a page has."""
    return st.selectbox("Rows", _ROWS, index=1, key="rows", bind="query-params", on_change=first_page, width=90)


def view() -> View:
    """Whether runs below others are hidden, shown under them, or stand for themselves."""
    wanted = st.segmented_control(
        "Child runs", _VIEWS, default="folded", required=True, key=VIEW, bind="query-params", on_change=first_page
    )
    return wanted if wanted in _VIEWS else "folded"


def flatten() -> None:
    """Show all runs for themselves."""
    st.session_state[VIEW] = "flat"
    first_page()


def number() -> int:
    """Which page the address names; the first where it names none."""
    named = st.query_params.get(PAGE, "1")
    return max(1, int(named)) if named.isascii() and named.isdecimal() and len(named) < 7 else 1


def to_last(asked: data.Asked, rows: int) -> int:
    """Go to the last page there is, from one behind it; returns its number."""
    last = max(1, -(-data.count(asked) // rows))
    _go(last)
    return last


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
    first = (number - 1) * rows
    st.button("Previous", icon=":material/chevron_left:", disabled=number == 1, on_click=_go, args=(number - 1,), key="previous_page")
    st.button("Next", icon=":material/chevron_right:", disabled=cells.next_page is None, on_click=_go, args=(number + 1,), key="next_page")
    st.caption(f"{first + 1:,} to {first + len(cells.runs):,} of {data.count(asked):,}", width="content")


def _go(number: int) -> None:
    if number <= 1:
        first_page()
    else:
        st.query_params[PAGE] = str(number)
