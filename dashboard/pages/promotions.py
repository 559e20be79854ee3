"""The page Promotions: what waits for an approval and on what evidence, what became of earlier requests, and the audit log."""

from __future__ import annotations

import streamlit as st

from .. import people
from ..data import promotions
from ..parts import acting, audit_log, request_evidence, request_gates, request_head, request_list, request_replay, request_votes

_VIEWS = ("Requests", "Audit log")


def show() -> None:
    """Show it: one request where the address names it, else the list of them, or the audit log."""
    if number := st.query_params.get("request"):
        _request(number)
        return
    st.title("Promotions", anchor=False)
    acting.tell()
    view = st.segmented_control("View", _VIEWS, default=_VIEWS[0], key="view", bind="query-params", label_visibility="collapsed")
    if view == _VIEWS[1]:
        audit_log.show()
        return
    model, state = request_list.filters()
    if found := promotions.listed(model, state):
        request_list.show(found)
    else:
        request_list.empty(model, state)


def _request(number: str) -> None:
    one = promotions.get(number)
    request_head.show(one)
    acting.tell()
    left, right = st.columns([5, 3])
    with right:
        request_votes.show(one, people.here())
    with left:
        request_gates.show(one)
    evidence, replay = st.tabs(["Evidence", "Judge again"], key="part", on_change="rerun", bind="query-params")
    if evidence.open:
        with evidence:
            request_evidence.show(one)
    if replay.open:
        with replay:
            request_replay.show(one)
