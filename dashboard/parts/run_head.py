"""The top of the page Run: which it is, how it stands, and where else it can be seen."""

from __future__ import annotations

import streamlit as st

from prefect_ledger.entities import Run
from prefect_ledger.formats import duration, moment

from ..data import prefect_ui
from ..data import run as data
from . import links, said, states

_REASON = 600  # characters


def show(run: Run) -> None:
    """Show it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(said.plain(run.name or run.id[:8], 200), width="content", anchor=False)
        states.badge(run.status)
    if run.lifecycle != "active":
        _deleted(run)
    if run.status_reason:
        st.caption(said.plain(run.status_reason, _REASON))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for text in _about(run):
            st.caption(text, width="content")
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        _ways(run)


def _about(run: Run) -> list[str]:
    found = [said.code(run.id), f"started {said.plain(moment(run.started_at))}"]
    if run.ended_at is not None:
        found.append(f"ended {said.plain(moment(run.ended_at))}")
    if run.duration is not None:
        found.append(f"took {said.plain(duration(run.duration))}")
    if run.user:
        found.append(f"by {said.plain(run.user, 100)}")
    if run.kind:
        found.append(said.plain(run.kind, 40))
    if run.attempt > 1:
        found.append(f"attempt {run.attempt}")
    return found


def _ways(run: Run) -> None:
    if run.experiment:
        links.link(run.experiment, "runs", icon=":material/folder_open:", experiment=run.experiment)
    if run.parent_id:
        links.within(data.name_of(run.parent_id), "run", key="parent", icon=":material/arrow_upward:", run=run.parent_id)
    if address := prefect_ui.address(run):
        st.link_button("Prefect", address, icon=":material/open_in_new:", type="tertiary")


def _deleted(run: Run) -> None:
    if run.lifecycle == "erasing":
        st.warning("What this run had logged is being taken away for good.", icon=":material/delete_forever:")
    else:
        st.warning(
            f"This run is deleted; {said.code(f'prefect-ledger runs restore {run.id[:8]}')} brings it back.", icon=":material/delete:"
        )
