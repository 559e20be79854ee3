"""Which runs: a filter that is typed, and quick ones beside it that add to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import streamlit as st

from prefect_ledger.errors import InvalidFilter
from prefect_ledger.expressions import STATUSES, And, Comparison, Node, Operand, Or, parse_filter, unparse
from prefect_ledger.formats import count

from ..data import runs as data
from . import said

PAGE, QUERY = "page", "q"  # of the address: which page of what matches, and the filter that was typed
_ANY_TIME = "any time"
_SINCE = {"last hour": timedelta(hours=1), "last day": timedelta(days=1), "last week": timedelta(weeks=1), "last month": timedelta(days=30)}
_LIVES: tuple[data.Lifecycle, ...] = ("active", "deleted", "all")
_EXAMPLE = "metrics.auc > 0.9 and params.model in ('xgb', 'lgbm')"
_EMPTY = {"q": "", "experiment": [], "state": [], "only": [], "since": _ANY_TIME, "life": "active"}
_CALLED = {
    "q": "the filter",
    "experiment": "Experiment",
    "state": "State",
    "only": "Parameters and tags",
    "since": "Started",
    "life": "Show",
}


@dataclass(frozen=True, slots=True)
class Box:
    """What was asked: its parts by the key of their widget, each a condition (None where nothing is asked there)."""

    parts: Mapping[str, Node | None]
    experiments: tuple[str, ...]
    lifecycle: data.Lifecycle

    def asked(self, without: str = "") -> data.Asked:
        """The question; ``without`` one of its parts."""
        nodes = [item for key, node in self.parts.items() if key != without for item in _items(node)]
        whole = "" if not nodes else unparse(nodes[0] if len(nodes) == 1 else And(tuple(nodes)))
        named = () if without == "experiment" else self.experiments
        return data.Asked(whole, named, "all" if without == "life" else self.lifecycle)

    @property
    def narrowing(self) -> list[str]:
        """The keys of the widgets that leave runs out."""
        found = [key for key, node in self.parts.items() if node is not None]
        return [*found, *(["experiment"] if self.experiments else []), *(["life"] if self.lifecycle != "all" else [])]


def show() -> Box | None:
    """Show what can be asked; returns what is. None where it cannot be understood, which is said at its place."""
    typed = st.text_input(
        "Filter", key=QUERY, bind="query-params", type="search", placeholder=_EXAMPLE, on_change=first_page, label_visibility="collapsed"
    )
    places = st.columns([3, 2.2, 3, 1.4, 1.2])
    named = places[0].multiselect("Experiment", _experiments(), key="experiment", bind="query-params", on_change=first_page)
    states = places[1].multiselect("State", STATUSES, key="state", bind="query-params", on_change=first_page)
    since = places[3].selectbox("Started", [_ANY_TIME, *_SINCE], key="since", bind="query-params", on_change=first_page)
    lifecycle = places[4].selectbox("Show", _LIVES, key="life", bind="query-params", on_change=first_page)
    base = data.Asked("", tuple(named), lifecycle)
    with places[2]:
        only = _only(base)
    try:
        parts = {"q": parse_filter(typed or ""), "state": _in(states), "only": _alternatives(only), "since": _since(since)}
    except InvalidFilter as error:
        _told(error)
        return None
    box = Box(parts, tuple(named), lifecycle)
    if any(node is not None for key, node in parts.items() if key != "q"):
        st.code(box.asked().filter, language=None, wrap_lines=True)  # the whole of it, to be copied
    return box


def _experiments() -> list[str]:
    """Those there are, and those of the address that are not: Streamlit would take them away without a word, and show other runs."""
    there = data.experiments()
    return [*there, *(one for one in dict.fromkeys(st.query_params.get_all("experiment")) if one not in there)]


def _items(node: Node | None) -> tuple[Node, ...]:
    return () if node is None else node.items if isinstance(node, And) else (node,)


def first_page() -> None:
    """Where other runs match, or in another order, begin at their first page."""
    st.query_params.pop(PAGE, None)


def nothing(box: Box) -> None:
    """Say that no run matches, and which part of the question to give up."""
    st.info("No run matches.", icon=":material/filter_alt_off:")
    for key in box.narrowing:
        if found := data.count(box.asked(key)):
            label = f"Without {_CALLED[key]} {count(found, 'run')} {'matches' if found == 1 else 'match'}: take it away"
            st.button(label, key=f"without_{key}", on_click=_clear, args=(key,), type="tertiary", icon=":material/close:")


def _clear(key: str) -> None:
    st.session_state[key] = "all" if key == "life" else _EMPTY[key]
    first_page()


def _only(base: data.Asked) -> list[str]:
    """Values of parameters and tags that were chosen, as conditions."""
    offered = [unparse(Comparison(operand, "=", value)) for operand, value, _ in data.values(base)]
    return st.multiselect(
        "Parameters and tags",
        offered,
        key="only",
        bind="query-params",
        on_change=first_page,
        accept_new_options=True,
        select_all=False,
        placeholder="params.model = 'xgb'",
    )


def _in(states: list[str]) -> Node | None:
    return Comparison(Operand("attribute", "status"), "IN", tuple(states)) if states else None


def _since(chosen: str) -> Node | None:
    if chosen not in _SINCE:
        return None
    at = datetime.now(UTC).replace(second=0, microsecond=0) - _SINCE[chosen]  # whole minutes: the same question for a while
    return Comparison(Operand("attribute", "start_time"), ">=", int(at.timestamp()) * 1_000_000)


def _alternatives(texts: list[str]) -> Node | None:
    """Conditions on the same key are alternatives, those on others come on top."""
    grouped: dict[object, list[Node]] = {}
    for node in map(parse_filter, texts):
        if node is not None:
            grouped.setdefault(node.left if isinstance(node, Comparison) else node, []).append(node)
    found = [nodes[0] if len(nodes) == 1 else Or(tuple(nodes)) for nodes in grouped.values()]
    return None if not found else found[0] if len(found) == 1 else And(tuple(found))


def _told(error: InvalidFilter) -> None:
    """The sentence, and below it the place."""
    message, _, pointed = str(error).partition("\n")
    st.error(said.plain(message), icon=":material/error:")
    if pointed:
        st.code(pointed, language=None)
