"""States of runs and tasks, in the colours that they have everywhere."""

from __future__ import annotations

import streamlit as st

from . import said

_COLORS = {
    "COMPLETED": "green",
    "CACHED": "green",
    "FAILED": "red",
    "CRASHED": "red",
    "CANCELLED": "orange",
    "PAUSED": "orange",
    "RUNNING": "blue",
    "SCHEDULED": "blue",
    "PENDING": "blue",
}


def badge(state: object) -> None:
    """Show a state."""
    text = str(state)
    st.badge(said.plain(text, 40) or "-", color=_COLORS.get(text.upper(), "gray"))  # type: ignore[arg-type]
