"""The page Run: one run, all of it, a part at a time."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from prefect_ledger.entities import Run
from prefect_ledger.errors import InvalidName, RunNotFound

from ..data import run as data
from ..parts import (
    live,
    run_artifacts,
    run_code,
    run_curves,
    run_find,
    run_head,
    run_lineage,
    run_machine,
    run_media,
    run_overview,
    run_timeline,
    said,
)

_TABS: dict[str, Callable[[Run], None]] = {
    "Overview": run_overview.show,
    "Curves": run_curves.show,
    "Timeline": run_timeline.show,
    "Artifacts": run_artifacts.show,
    "Media": run_media.show,
    "Machine": run_machine.show,
    "Code": run_code.show,
    "Lineage": run_lineage.show,
}


def show() -> None:
    """Show it."""
    wanted = st.query_params.get("run", "")
    if not wanted:
        st.title("Run", anchor=False)
        run_find.box()
        run_find.latest()
        return
    try:
        run = data.find(wanted)
    except (RunNotFound, InvalidName) as error:
        st.title("Run", anchor=False)
        run_find.box()
        st.error(said.plain(error), icon=":material/error:")
        return
    run_head.show(run)
    # Only the tab that is open asks the ledger for anything.
    for tab, section in zip(st.tabs(list(_TABS), key="tab", bind="query-params"), _TABS.values(), strict=True):
        if tab.open:
            with tab:
                section(run)
    live.watch(not run.status.final)
