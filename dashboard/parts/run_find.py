"""Where no run was named, or none is there: a box to find one, and the latest."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from prefect_ledger.entities import Run
from prefect_ledger.formats import moment

from ..data import run as data
from . import links

_BOX = "find_run"


def box() -> None:
    """Ask for the id of a run."""
    st.text_input(
        "Run", key=_BOX, placeholder="its id, or the first 8 characters of it", on_change=_found, icon=":material/search:", max_chars=100
    )


def latest() -> None:
    """Offer the runs that began last."""
    runs = data.latest()
    if not runs:
        st.info("No run is here yet. A first one takes three lines:", icon=":material/science:")
        code = 'from prefect_ledger import start_run\n\nwith start_run(experiment="first") as run:\n    run.log_metric("loss", 0.25)'
        st.code(code, language="python")
        return
    st.subheader("Latest")
    with st.container(gap=None):
        _listed(runs)


def _listed(runs: Sequence[Run]) -> None:
    for one in runs:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            links.within(one.name or one.id[:8], "run", key=f"latest_{one.id}", run=one.id)
            st.caption(f"{one.status} · {moment(one.started_at)}", width="content")


def _found() -> None:
    if wanted := str(st.session_state[_BOX]).strip():
        st.query_params["run"] = wanted
