"""Pictures, figures and tables of the compared runs side by side, at a step that is common to all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from prefect_ledger.entities import Run
from prefect_ledger.errors import LedgerError
from prefect_ledger.formats import count, short
from prefect_ledger.queries.shown import Shown

from ..data import compare, pictures, sheets
from ..data import compare_media as data
from . import links, preview, said

_RUNS = 24  # that are asked, and shown, at once
_SIDE = 480  # pixels of a picture
_EACH = 4  # of one run at one step
_BOUND: dict[str, Any] = {"bind": "query-params"}


def show(chosen: compare.Chosen) -> None:
    """What to look at, the step, and each run's."""
    runs = chosen.runs[:_RUNS]
    found = data.beside(tuple(run.id for run in runs))
    if len(runs) < len(chosen.runs):
        st.caption(f"Of {count(len(chosen.runs), 'run')}, the first {_RUNS}.")
    if not found:
        st.info("These runs logged no pictures, figures or tables.", icon=":material/imagesmode:")
        st.code('run.log_image(picture, key="digits", step=step)\nrun.log_table(rows, "answers", step=step)', language="python")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox("Side by side", [one.label for one in found], key="series", width=320, **_BOUND)
        one = next((each for each in found if each.label == label), found[0])
        step = _step(one.steps)
        wide = st.segmented_control(
            "In a row", ["2", "3", "4", "6"], default="4" if one.kind == "image" else "2", required=True, key="wide", **_BOUND
        )
    _grid([run for run in runs if run.id in one.shown], one, step, int(wide or 2))  # an address may say none
    if lacking := [run for run in runs if run.id not in one.shown]:
        st.caption(f"{count(len(lacking), 'run')} logged nothing of this name.")


def _step(steps: Sequence[int]) -> int | None:
    if len(steps) < 2:
        return steps[0] if steps else None
    return int(
        st.select_slider("Step", list(steps), value=steps[-1], key="step", help="Each run's at this step, or its last before.", **_BOUND)
    )


def _grid(runs: Sequence[Run], one: data.Beside, step: int | None, wide: int) -> None:
    called = compare.names(runs)
    for low in range(0, len(runs), wide):
        for run, place in zip(runs[low : low + wide], st.columns(wide), strict=False):
            with place:
                links.link(short(called[run.id], 40), "run", run=run.id)
                here = one.at(run.id, step)
                if not here:
                    st.caption("nothing yet at this step")
                for each in here[:_EACH]:
                    _show(one.kind, each, step)
                if len(here) > _EACH:
                    st.caption(f"and {len(here) - _EACH:,} more of this step")


def _show(kind: str, each: Shown, step: int | None) -> None:
    artifact = each.artifact
    try:
        if kind == "image":
            st.image(pictures.shown(artifact, artifact.sha256, _SIDE))
        elif kind == "table":
            sheet = sheets.first(artifact, artifact.sha256)
            st.dataframe(sheet.frame, hide_index=True, height=300)
            st.caption(f"{sheet.rows or 0:,} rows, {sheet.columns:,} columns." + (" The first are shown." if sheet.cut else ""))
        else:
            preview.show(artifact)
    except LedgerError as error:
        st.error(said.plain(error), icon=":material/error:")
    if each.step is not None and each.step != step:
        st.caption(f"of step {each.step:,}")
