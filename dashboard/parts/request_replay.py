"""Whether a request, judged again on the evidence that was kept, comes to the same verdict."""

from __future__ import annotations

import streamlit as st

from prefect_ledger.registered import TransitionRequest

from ..data import promotions
from . import said


def show(one: TransitionRequest) -> None:
    """Show it; judging may take a while, so it is asked for."""
    st.markdown("The evidence is kept. Judged again, a request must come to the same verdict, gate by gate and to the last digit.")
    if not st.button("Judge again", icon=":material/replay:", key=f"replay-{one.id}"):
        return
    with st.spinner("Judging…"):
        found = promotions.replayed(one.id, one.evidence)
    if found.same:
        st.success(f"The same verdict again: {'passed' if found.passed else 'refused'}.", icon=":material/check:")
        return
    st.error("It comes out otherwise.", icon=":material/error:")
    for line in found.differences[:50]:
        st.markdown(f"- {said.plain(line)}")
