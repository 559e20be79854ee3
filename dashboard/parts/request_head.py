"""What a request asks, who asks it and why."""

from __future__ import annotations

import streamlit as st

from prefect_ledger.formats import moment
from prefect_ledger.registered import JUDGED, TransitionRequest

from ..data import promotions
from . import links, persons, request_list, said


def show(one: TransitionRequest) -> None:
    """Show it."""
    state = promotions.state_now(one)
    links.within("All requests", "promotions", key="all", icon=":material/arrow_back:")
    st.title(f"{said.plain(one.name)} {one.version} to {said.plain(one.stage)}", anchor=False)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"{request_list.badge(state)} Request {one.id} of {persons.marked(one.requester)}", width="content")
        links.link(f"version {one.version}", "models", icon=":material/deployed_code:", model=one.name, version=one.version)
        if one.champion is not None:
            links.link(f"champion {one.champion}", "models", icon=":material/trophy:", model=one.name, version=one.champion)
            links.link("both", "models", icon=":material/compare_arrows:", model=one.name, version=one.version, beside=one.champion)
    if one.why:
        st.markdown(said.lines(one.why))
    st.caption(_times(one))
    if one.reason:
        st.markdown(f"Ended: {said.plain(one.reason)}")


def _times(one: TransitionRequest) -> str:
    ends = f"expires {moment(one.expires_at)}" if one.state == "open" else f"ended {moment(one.closed_at)}"
    policy = f"policy {one.policy}" if one.policy else "no policy was set"
    return f"Opened {moment(one.opened_at)}, {ends}; {policy}; evidence {said.code(one.evidence[:16])}; {_beside(one)}."


def _beside(one: TransitionRequest) -> str:
    if one.champion is not None:
        return f"judged beside version {one.champion}, which was in production"
    if one.stage not in JUDGED:
        return f"who goes to {one.stage} is compared with nobody"
    if one.champion_until is not None:
        return f"there was no champion; version {one.champion_before} was one until {moment(one.champion_until)}"
    return "there was no champion yet" if one.champion_before is None else "it is the champion itself"
