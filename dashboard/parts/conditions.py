"""A condition put together from what is offered, for those who do not know the keys by heart: it is added to the filter as text."""

from __future__ import annotations

import streamlit as st

from prefect_ledger.errors import InvalidFilter
from prefect_ledger.expressions import ATTRIBUTES, STATUSES, Operand, Or, number_of, parse_filter
from prefect_ledger.expressions.tree import AGGREGATES, ALLOWED

from ..data import runs as data
from . import said
from .columns import name_of
from .filter_box import QUERY, first_page

_KEY, _OP, _VALUE, _OFFERED, _REFUSED = "add_key", "add_op", "add_value", "add_offered", "condition that was refused"
_HELP = """`and`, `or`, `not` and parentheses join conditions. `in ('a', 'b')` takes several values; `like '%part%'` looks for a part of
a text, `ilike` whatever its case. `max(metrics.loss)` asks for an aggregate: last, first, min, max, mean, count. Odd keys stand in
backticks: ``metrics.`my key` ``."""
_NULLS = ("is null", "is not null")


def show(asked: data.Asked) -> None:
    """A menu that adds a condition."""
    menu = st.popover("Add a condition", icon=":material/add:", on_change="rerun", key="add_condition")
    if not menu.open:
        return
    with menu:
        operand = _operand(asked)
        if operand is None:
            return
        op = st.selectbox("Operator", _operators(operand), key=_OP)
        if op not in _NULLS:
            _value(asked, operand, op)
        st.button("Add to the filter", icon=":material/add:", type="primary", on_click=_add, args=(operand,))
        if refused := st.session_state.pop(_REFUSED, None):
            st.error(said.plain(refused))
        st.caption(_HELP)


def _operand(asked: data.Asked) -> Operand | None:
    census = data.keys(asked)
    offered = {name_of(key.operand): (key.operand, key.runs) for key in census.keys}
    offered |= {name: (Operand("attribute", name), census.runs) for name in ATTRIBUTES}
    share = max(census.runs, 1)
    chosen = st.selectbox(
        "What",
        list(offered),
        index=None,
        key=_KEY,
        format_func=lambda name: f"{name} · {offered[name][1] / share:.0%}",
        placeholder="type a part of a key",
    )
    if chosen is None:
        return None
    operand = offered[chosen][0]
    if operand.kind == "metric":
        aggregate = st.segmented_control("Of its values the", AGGREGATES, default="last", required=True, key="add_aggregate")
        return Operand("metric", operand.key, aggregate or "last")
    return operand


def _operators(operand: Operand) -> list[str]:
    found = dict.fromkeys(op.lower() for textual in (False, True) for op in ALLOWED[operand.type(textual=textual)])
    return [*found, *_NULLS]


def _value(asked: data.Asked, operand: Operand, op: str) -> None:
    offered = list(STATUSES) if operand.key == "status" else [value for one, value, _ in data.values(asked) if one == operand]
    if op in ("in", "not in"):
        st.multiselect("Values", offered, key=_OFFERED, accept_new_options=True)
    else:
        st.selectbox("Value", offered, index=None, key=_VALUE, accept_new_options=True, placeholder="choose or type")


def _add(operand: Operand) -> None:
    op = st.session_state[_OP]
    name = name_of(operand)
    if op in _NULLS:
        text = f"{name} {op}"
    elif op in ("in", "not in"):
        text = f"{name} {op} ({', '.join(_literal(operand, op, value) for value in st.session_state[_OFFERED])})"
    else:
        text = f"{name} {op} {_literal(operand, op, st.session_state[_VALUE] or '')}"
    try:
        parse_filter(text)
    except InvalidFilter as error:
        st.session_state[_REFUSED] = str(error).partition("\n")[0]
        return
    st.session_state[QUERY] = joined(st.session_state.get(QUERY) or "", text)
    first_page()


def joined(before: str, more: str) -> str:
    """A filter that asks for ``more`` too.

    Example:
        >>> joined("metrics.auc > 0.9 or params.depth = 3", "status = 'FAILED'")
        "(metrics.auc > 0.9 or params.depth = 3) and status = 'FAILED'"
    """
    if not before.strip():
        return more
    try:
        either = isinstance(parse_filter(before), Or)
    except InvalidFilter:
        either = False
    return f"({before}) and {more}" if either else f"{before} and {more}"


def _literal(operand: Operand, op: str, value: str) -> str:
    """The value as a filter writes it: a number where it is compared as one."""
    numeric = "number" in (operand.type(textual=True), operand.type(textual=False)) or operand.type(textual=False) == "whole"
    if numeric and "like" not in op and number_of(value) is not None:
        return value
    return "'" + value.replace("'", "''") + "'"
