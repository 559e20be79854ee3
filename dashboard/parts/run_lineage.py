"""What a run came of, and what came of it."""

from __future__ import annotations

import streamlit as st

from prefect_ledger.entities import Run

from ..charts import lineage as chart
from ..data import lineage as data
from . import links

_LINKS = 30


def show(run: Run) -> None:
    """Show it."""
    things, ways = data.of(run)
    if not ways:
        st.info("Nothing is known yet of what this run used or made. Both are said in its code:", icon=":material/account_tree:")
        st.code('run.log_dataset(frame, "train", context="train")\nrun.log_model(model, "churn", register=True)', language="python")
        return
    st.plotly_chart(chart.figure(things, ways), key="lineage", config={"displaylogo": False})
    with st.container(horizontal=True, gap="small"):
        for one in [each for each in things if each.kind in ("run", "version")][:_LINKS]:
            if one.kind == "run":
                links.within(one.name, "run", key=f"lineage_{one.id}", icon=":material/science:", run=one.id, tab="Lineage")
            else:
                name, _, number = one.name.rpartition(" ")
                links.link(one.name, "models", icon=":material/deployed_code:", model=name, version=number)
