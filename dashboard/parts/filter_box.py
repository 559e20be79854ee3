"""Which runs: a filter that is typed, and quick ones beside it that add to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import streamlit as st

from prefect_ledger.errors import InvalidFilter
from prefect_ledger.expressions import STATUSES, And, Comparison, Node, Operand, Or, parse_filter, unparse

from ..data import runs as data
from . import said

PAGE = "page"  # of the address: which page of what matches
ANY_TIME = "any time"
_SINCE = {"last hour": timedelta(hours=1), "last day": timedelta(days=1), "last week": timedelta(weeks=1), "last month": timedelta(days=30)}
_LIVES: tuple[data.Lifecycle, ...] = ("active", "deleted", "all")
_EXAMPLE = "metrics.auc > 0.9 and params.model in ('xgb', 'lgbm')"


def show() -> data.Asked | None:
    """Show what can be asked; returns what is. None where it cannot be understood, which is said at its place."""
    typed = st.text_input("Filter", key="q", bind="query-params", type="search", placeholder=_EXAMPLE, on_change=first_page)
    experiments, states, only, since, life = st.columns([3, 2, 3, 1.4, 1.2])
    with experiments:
        named = st.multiselect("Experiment", data.experiments(), key="experiment", bind="query-params", on_change=first_page)
    with states:
        status = st.multiselect("State", STATUSES, key="state", bind="query-params", on_change=first_page)
    with since:
        started = st.selectbox("Started", [ANY_TIME, *_SINCE], key="since", bind="query-params", on_change=first_page)
    with life:
        lifecycle = st.selectbox("Show", _LIVES, key="life", bind="query-params", on_change=first_page)
    base = data.Asked("", tuple(named), lifecycle)
    with only:
        conditions = _only(base)
    try:
        parts = [parse_filter(typed or ""), *_quick(status, conditions, started)]
    except InvalidFilter as error:
        _told(error)
        return None
    nodes = [node for node in parts if node is not None]
    whole = "" if not nodes else unparse(nodes[0] if len(nodes) == 1 else And(tuple(nodes)))
    if len(nodes) > 1 or (nodes and parts[0] is None):
        st.code(whole, language=None, wrap_lines=True)
    return data.Asked(whole, tuple(named), lifecycle)


def first_page() -> None:
    """Where other runs match, or in another order, begin at their first page."""
    st.query_params.pop(PAGE, None)


def _only(base: data.Asked) -> list[str]:
    """Values of parameters and tags that were chosen, as conditions."""
    offered = {unparse(Comparison(operand, "=", value)): count for operand, value, count in data.values(base)}
    return st.multiselect(
        "Parameters and tags",
        list(offered),
        key="only",
        bind="query-params",
        on_change=first_page,
        accept_new_options=True,
    )


def _quick(states: list[str], conditions: list[str], started: str) -> list[Node | None]:
    found: list[Node | None] = []
    if states:
        found.append(Comparison(Operand("attribute", "status"), "IN", tuple(states)))
    found += _by_operand([parse_filter(text) for text in conditions])
    if started in _SINCE:
        at = datetime.now(UTC).replace(second=0, microsecond=0) - _SINCE[started]  # whole minutes: the same question for a while
        found.append(Comparison(Operand("attribute", "start_time"), ">=", int(at.timestamp()) * 1_000_000))
    return found


def _by_operand(nodes: list[Node | None]) -> list[Node]:
    """Conditions on the same key are alternatives, those on others come on top."""
    grouped: dict[object, list[Node]] = {}
    for node in nodes:
        if node is not None:
            grouped.setdefault(node.left if isinstance(node, Comparison) else node, []).append(node)
    return [found[0] if len(found) == 1 else Or(tuple(found)) for found in grouped.values()]


def _told(error: InvalidFilter) -> None:
    message, _, pointed = str(error).partition("\n")
    st.error(said.plain(message), icon=":material/error:")
    if pointed:
        st.code(pointed, language=None)
