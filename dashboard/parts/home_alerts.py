"""What runs wanted somebody to know."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from prefect_ledger.entities import Alert
from prefect_ledger.formats import moment

from . import links, said

_COLOURS = {"error": "red", "warning": "orange"}


def show(found: Sequence[Alert]) -> None:
    """Show it; nothing where there is nothing."""
    if not found:
        return
    st.subheader(":material/notifications: Alerts of the last week", anchor=False)
    for one in found:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(one.level, color=_COLOURS.get(one.level, "gray"))  # type: ignore[arg-type]
            st.markdown(f"**{said.plain(one.title, 250)}** {said.plain(one.text, 200)}", width="content")
            links.link(f"run {one.run_id[:8]}", "run", run=one.run_id)
            st.caption(moment(one.logged_at), width="content")
