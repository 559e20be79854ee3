"""A page that is shown anew while what it shows is running."""

from __future__ import annotations

import time

import streamlit as st

EVERY = 4.0  # seconds
_SHOWN = "shown at"


def watch(running: bool) -> None:
    """Show the page anew in a few seconds, where something on it runs."""
    st.session_state[_SHOWN] = time.monotonic()
    if running:
        _again()


@st.fragment(run_every=EVERY)
def _again() -> None:
    if time.monotonic() - st.session_state.get(_SHOWN, 0.0) > EVERY / 2:  # not the first time, which is part of the page itself
        st.rerun()
    st.caption(f"Runs are running: shown anew every {EVERY:.0f} seconds.")
