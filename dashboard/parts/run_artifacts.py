"""The artifacts of a run: folders on the left, what one is on the right. What is open stands in the address, as ``path``."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from prefect_ledger.entities import Artifact, Run
from prefect_ledger.formats import clean, count, moment, size

from ..data import artifacts as data
from . import facts, preview, said

_LISTED, _SEEN = 2_000, 16  # lines of a folder, and of these without scrolling


def show(run: Run) -> None:
    """Show them."""
    found = data.of_run(run.id)
    if not found:
        st.info("This run logged no artifacts.", icon=":material/draft:")
        st.code('run.log_artifact("report.html")\nrun.log_figure(figure, "loss.json")', language="python")
        return
    path = st.query_params.get("path", "")
    one = next((each for each in found if each.path == path), None)
    folder = path if path.endswith("/") or not path else path[: path.rfind("/") + 1]
    left, right = st.columns([2, 3], gap="medium")
    with left:
        _folder(found, folder)
    with right:
        if one is not None:
            _one(run, one)
        elif path and not path.endswith("/"):
            st.warning(f"This run has no artifact {said.code(path[:300])}.", icon=":material/draft:")
        else:
            total = sum(each.size for each in found)
            st.caption(f"{count(len(found), 'artifact')}, {size(total)}. Choose one to look at it.")


def _folder(found: Sequence[Artifact], folder: str) -> None:
    """A folder's lines; a click on one goes into it, or opens it."""
    words = st.text_input("Find", key="find", placeholder="a part of a path", label_visibility="collapsed", bind="query-params")
    lines = data.found_by(found, words) if words.strip() else data.listing(found, folder)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if folder and not words.strip():
            above = folder[: folder[:-1].rfind("/") + 1]
            st.button("Up", icon=":material/arrow_upward:", key="artifacts_up", on_click=_go, args=(above,), type="tertiary")
        st.caption(f"{len(lines):,} found" if words.strip() else said.code(f"/{folder}"[-200:]), width="content")
    if not lines:
        st.caption("Nothing is called so." if words.strip() else "Nothing is in this folder.")
        return
    shown = lines[:_LISTED]
    frame = pd.DataFrame(
        {
            "name": [clean(one.name) + ("" if one.artifact is not None else "/") for one in shown],
            "size": [size(one.size) for one in shown],
            "kind": [one.artifact.kind if one.artifact is not None else count(one.files, "file") for one in shown],
            "sha256": [one.artifact.sha256[:12] if one.artifact is not None else "" for one in shown],
        }
    )
    key = f"artifacts_in_{folder}_{words}"
    st.dataframe(
        frame,
        hide_index=True,
        key=key,
        on_select=lambda: _chosen(key, [one.path for one in shown]),
        selection_mode="single-row",
        height="content" if len(shown) <= _SEEN else facts.height(_SEEN),
    )
    if len(lines) > _LISTED:
        st.caption(f"The first {_LISTED:,} of {len(lines):,}.")


def _chosen(key: str, paths: Sequence[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows and rows[0] < len(paths):
        _go(paths[rows[0]])


def _go(path: str) -> None:
    if path:
        st.query_params["path"] = path
    else:
        st.query_params.pop("path", None)


def _one(run: Run, one: Artifact) -> None:
    st.subheader(said.plain(one.path, 300), anchor=False)
    about = [size(one.size), one.kind, f"logged {moment(one.logged_at)}", f"sha256 {one.sha256[:12]}"]
    if one.run_id != run.id:
        about.append(f"by run {one.run_id[:8]}, whose result came from the cache")
    st.caption(said.plain(" · ".join(about)))
    preview.show(one)
    with st.expander("More about it"):
        values = {"sha256": one.sha256, "bytes": f"{one.size:,}", "media type": data.media_of(one), "attempt": one.attempt, "at": one.uri}
        facts.pairs([*values.items(), *sorted((str(key), value) for key, value in one.metadata.items())])
        st.code(f'get_run("{run.id}").read_artifact({one.path!r})', language="python")
