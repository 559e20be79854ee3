"""Which runs are compared: those that the address names, and those that a filter finds; taken away and added on the page."""

from __future__ import annotations

import streamlit as st

from prefect_ledger.errors import InvalidFilter
from prefect_ledger.formats import count, listed

from ..data import compare
from . import said

RUNS, FILTER = "runs", "q"
_NAMED = 12  # runs that cannot be found are told one by one up to so many


def choose() -> compare.Chosen:
    """The runs of the address, with a menu to change them; a sentence about those that are not there."""
    named = [one.strip() for text in st.query_params.get_all(RUNS) for one in text.split(",") if one.strip()]
    with st.container(horizontal=True, vertical_alignment="center"):
        place = st.empty()
        words = st.text_input(
            "Also runs that match",
            key=FILTER,
            bind="query-params",
            placeholder="also runs that match, such as: metrics.auc > 0.9 and experiment = 'churn'",
            label_visibility="collapsed",
            max_chars=2_000,
        )
    chosen = _choose(named, words or "")
    with place.popover(count(len(chosen.runs), "run"), icon=":material/checklist:"):
        _edit(chosen, named)
    _tell(chosen)
    return chosen


def _choose(named: list[str], words: str) -> compare.Chosen:
    try:
        return compare.choose(named, words)
    except InvalidFilter as error:
        st.error(said.lines(error), icon=":material/filter_alt_off:")
        return compare.choose(named, "")


def _edit(chosen: compare.Chosen, named: list[str]) -> None:
    called = compare.names(chosen.runs)
    mine = [run.id for run in chosen.runs if any(run.id.startswith(one.lower()) or run.id.replace("-", "") == one.lower() for one in named)]
    st.session_state["compare_named"] = mine
    st.multiselect(
        "Runs named in the address",
        mine,
        key="compare_named",
        format_func=lambda one: said.plain(called.get(one, one), 60),
        placeholder="none; paste an id below",
        on_change=_keep,
    )
    st.text_input("Add runs", key="compare_added", placeholder="ids, or beginnings of ids", on_change=_add)


def _keep() -> None:
    st.query_params[RUNS] = ",".join(st.session_state["compare_named"])


def _add() -> None:
    words = str(st.session_state["compare_added"]).replace(",", " ").split()
    before = [one for text in st.query_params.get_all(RUNS) for one in text.split(",") if one]
    st.query_params[RUNS] = ",".join(dict.fromkeys([*before, *words]))
    st.session_state["compare_added"] = ""


def _tell(chosen: compare.Chosen) -> None:
    if chosen.missing:
        few = list(chosen.missing)
        why = said.plain(next(iter(chosen.missing.values()))) if len(few) == 1 else said.plain(listed(few, _NAMED))
        st.warning(
            why if len(few) == 1 else f"{len(few)} of the runs that were asked for are not there: {why}", icon=":material/search_off:"
        )
    if gone := [run for run in chosen.runs if run.lifecycle != "active"]:
        st.warning(f"Deleted, and shown until they are erased: {said.plain(listed([run.name or run.id[:8] for run in gone], _NAMED))}")
    if chosen.more:
        st.caption(f"More runs match than are compared: the {compare.MATCHING:,} that began last are.")
