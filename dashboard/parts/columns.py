"""Which columns a table of runs has: those that were chosen, else those that tell runs apart."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from prefect_ledger.errors import InvalidFilter
from prefect_ledger.expressions import Null, Operand, unparse
from prefect_ledger.expressions.tree import AGGREGATES
from prefect_ledger.queries.cells import MOST_COLUMNS, read_columns
from prefect_ledger.queries.census import Census, Key

from . import said

MOST_PARAMS, MOST_METRICS, MOST_TAGS = 5, 6, 1
COLUMNS, PINNED = "cols", "pin"  # of the address
_ADDED, _AS, _FIRST = "add_column", "add_column_as", "column_first"
_RARE = 0.05  # of the runs: a key that fewer have stands in no column that nobody chose
_MOST = 500  # keys that are offered; others can be typed
_ATTRIBUTES = ("user_id", "attempt", "end_time", "description", "experiment", "parent_run_id", "run_id")


def name_of(operand: Operand) -> str:
    """The operand as a filter, an order or the choice of a column writes it.

    Example:
        >>> name_of(Operand("metric", "val auc", "max"))
        'max(metrics.`val auc`)'
    """
    return unparse(Null(operand)).removesuffix(" is null")


def telling(census: Census) -> list[str]:
    """Columns where nobody chose any: parameters, metrics and tags that differ, those that most runs have; training's metrics last."""
    often = [key for key in census.keys if key.runs >= census.runs * _RARE and (not key.same or census.runs == 1)]
    params, metrics, tags = (_of_kind(often, kind) for kind in ("param", "metric", "tag"))
    metrics = sorted(metrics, key=lambda key: "train" in key.operand.key.lower())
    chosen = params[:MOST_PARAMS] + metrics[:MOST_METRICS] + tags[:MOST_TAGS]
    return [name_of(key.operand) for key in chosen]


def show(census: Census) -> dict[str, Operand]:
    """A menu to choose columns by; returns those that are shown, by the names they are asked for with."""
    automatic = telling(census)
    with st.popover("Columns", icon=":material/view_column:", key="columns"):
        _add(census, automatic)
        chosen = st.multiselect(
            "Columns, in this order",
            [name_of(key.operand) for key in census.keys[:_MOST]],
            key=COLUMNS,
            bind="query-params",
            accept_new_options=True,
            select_all=False,
            placeholder="those that tell runs apart",
        )
        found = _understood(chosen) or read_columns(automatic)
        if len(chosen) > 1:
            st.selectbox("Move to the front", chosen, index=None, key=_FIRST, on_change=_move, placeholder="a column")
        if chosen:
            st.button("Back to those that tell runs apart", on_click=_take, args=([],))
        st.multiselect("Pinned on the left", list(found), key=PINNED, bind="query-params", placeholder="the name alone")
    return found


def pinned() -> set[str]:
    """The columns that stay where they are when others are scrolled."""
    return set(st.session_state.get(PINNED, ()))


def _add(census: Census, automatic: Sequence[str]) -> None:
    """What is offered, by how many runs have it."""
    counts = {name_of(key.operand): key.runs for key in census.keys} | dict.fromkeys(_ATTRIBUTES, census.runs)
    shares = {name: f"{count / max(census.runs, 1):.0%}" for name, count in counts.items()}
    st.selectbox(
        "Add a column",
        list(counts),
        index=None,
        key=_ADDED,
        format_func=lambda name: f"{name} · {shares.get(name, '')}",
        placeholder="type a part of its name",
        on_change=_added,
        args=(tuple(automatic),),
        help=f"How many of the latest {census.runs:,} runs that match have it.",
    )
    st.segmented_control("A metric's", AGGREGATES, default="last", key=_AS, required=True)


def _added(automatic: tuple[str, ...]) -> None:
    name = st.session_state[_ADDED]
    if name is None:
        return
    if name.startswith("metrics.") and (aggregate := st.session_state.get(_AS) or "last") != "last":
        name = f"{aggregate}({name})"
    before = list(st.session_state.get(COLUMNS) or automatic)
    _take([*(one for one in before if one != name), name])
    st.session_state[_ADDED] = None


def _move() -> None:
    if (name := st.session_state[_FIRST]) is not None:
        _take([name, *(one for one in st.session_state[COLUMNS] if one != name)])
        st.session_state[_FIRST] = None


def _take(names: Sequence[str]) -> None:
    st.session_state[COLUMNS] = list(names)


def _understood(names: Sequence[str]) -> dict[str, Operand]:
    """Columns that were chosen, without those that mean nothing."""
    found: dict[str, Operand] = {}
    for name in names[:MOST_COLUMNS]:
        try:
            found |= read_columns([name])
        except InvalidFilter as error:
            st.error(f"No column: {said.plain(str(error).partition(chr(10))[0])}")
    return found


def _of_kind(keys: Sequence[Key], kind: str) -> list[Key]:
    return [key for key in keys if key.operand.kind == kind]
