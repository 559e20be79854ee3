"""Pictures and tables that a run logged at its steps: a slider goes through them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from prefect_ledger.entities import Run
from prefect_ledger.errors import LedgerError
from prefect_ledger.formats import count
from prefect_ledger.queries.shown import Shown

from ..data import media as data
from ..data import pictures, sheets
from . import preview, said

_AT_ONCE = 12  # pictures of one step
_SIDE = 600  # pixels


def show(run: Run) -> None:
    """Show them."""
    series = data.of_run(run.id)
    if not series:
        st.info("This run logged no pictures, figures or tables by step.", icon=":material/imagesmode:")
        st.code('run.log_image(picture, key="digits", step=step)\nrun.log_table(rows, "answers", step=step)', language="python")
        return
    names = [one.name for one in series]
    chosen = st.selectbox("Series", names, key="series", width=320, bind="query-params")
    one = next((each for each in series if each.name == chosen), series[0])
    step = _step(one.steps)
    here = [each for each in one.shown if each.step == step or (step is None and each.step is None)]
    if len(here) > _AT_ONCE:
        st.caption(f"{count(len(here), 'of them')} were logged here; the first {_AT_ONCE} are shown.")
    columns = st.columns(min(4, len(here)) if one.kind == "image" and here else 1)
    for at, each in enumerate(here[:_AT_ONCE]):
        with columns[at % len(columns)]:
            _one(one.kind, each)


def _step(steps: Sequence[int]) -> int | None:
    if not steps:
        return None
    if len(steps) == 1:
        st.caption(f"At step {steps[0]:,}.")
        return steps[0]
    return int(st.select_slider("Step", list(steps), value=steps[-1], key="step", bind="query-params"))


def _one(kind: str, each: Shown) -> None:
    artifact = each.artifact
    try:
        if kind == "image":
            st.image(pictures.shown(artifact, artifact.sha256, _SIDE), caption=said.plain(artifact.path.rpartition("/")[2], 80))
        elif kind == "table":
            found = sheets.first(artifact, artifact.sha256)
            st.dataframe(found.frame, hide_index=True)
            st.caption(f"{found.rows or 0:,} rows, {found.columns:,} columns." + (" The first are shown." if found.cut else ""))
        else:
            preview.show(artifact)
    except LedgerError as error:
        st.error(said.plain(error), icon=":material/error:")
