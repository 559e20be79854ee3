"""Requests to move versions, in a list: those that wait as cards with what they lack, those that ended as a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from prefect_ledger.formats import moment

from ..data import promotions
from ..data.promotions import Line
from . import links, persons, said

COLOURS = {"open": "blue", "done": "green", "rejected": "red"}
_CARDS = 25


def filters() -> tuple[str | None, str | None]:
    """The model and the state that are asked for; both stand in the address."""
    left, right, _ = st.columns([2, 2, 3])
    state = left.selectbox("State", [*promotions.STATES, "all"], key="state", bind="query-params")
    model = right.selectbox("Model", promotions.names(), index=None, placeholder="all models", key="model", bind="query-params")
    return model, None if state == "all" else state


def show(found: Sequence[Line]) -> None:
    """Show them."""
    waiting = [one for one in found if promotions.state_now(one) == "open"]
    for one in waiting[:_CARDS]:
        _card(one)
    rest = [*waiting[_CARDS:], *(one for one in found if promotions.state_now(one) != "open")]
    if rest:
        _table(rest)
    if len(found) >= promotions.MOST:
        st.caption(f"The newest {promotions.MOST:,} are shown; a state or a model shows others.")


def empty(model: str | None, state: str | None) -> None:
    """Say what to do where there is none."""
    st.info("Nothing waits for approval." if state == "open" and not model else "No request matches.", icon=":material/inbox:")
    st.caption("Where the policy has gates or wants approvals, this opens a request:")
    st.code("prefect-ledger promote MODEL VERSION --to production", language="shell")


def badge(state: str) -> str:
    """A state as a badge."""
    return f":{COLOURS.get(state, 'orange')}-badge[{said.plain(state)}]"


def _card(one: Line) -> None:
    with st.container(border=True):
        left, right = st.columns([5, 2], vertical_alignment="center")
        with left, st.container(horizontal=True, vertical_alignment="center", gap="small"):
            label = f"{one.name} {one.version} to {one.stage}"
            links.within(label, "promotions", key=f"open-{one.id}", icon=":material/how_to_vote:", request=one.id)
            gates = ":green-badge[gates passed]" if one.passed else ":red-badge[gates refused]"
            st.markdown(f"{gates} :gray-badge[{one.agreed} of {one.wanted} approvals]", width="content")
        left.caption(f"Request {one.id} of {persons.marked(one.requester)}, {moment(one.opened_at)}; expires {moment(one.expires_at)}")
        right.caption(said.plain(one.lacks.removeprefix(f"request {one.id} ")) or "nothing is missing: it can be carried out")


def _table(found: Sequence[Line]) -> None:
    rows = [
        {
            "request": one.id,
            "model": one.name,
            "version": one.version,
            "to": one.stage,
            "state": promotions.state_now(one),
            "gates": "passed" if one.passed else "refused",
            "approvals": f"{one.agreed} of {one.wanted}" if one.wanted else "none asked for",
            "asked by": persons.text(one.requester),
            "opened": moment(one.opened_at),
            "why it ended": one.reason,
        }
        for one in found
    ]
    st.caption("Select a row to open it.")
    told = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="requests_table",
    )
    if chosen := told.selection.rows:
        links.go("promotions", request=found[chosen[0]].id)
