"""What an artifact looks like, so far as it can be shown without trusting it; of all others a sentence, and a way to save the file."""

from __future__ import annotations

import json
from collections.abc import Callable

import streamlit as st

from prefect_ledger.entities import Artifact
from prefect_ledger.errors import ArtifactCorrupt, ArtifactNotFound, ArtifactsUnavailable, LedgerError
from prefect_ledger.formats import size

from .. import raw
from ..data import artifacts, documents, drawings, pictures, sheets
from . import frame, prose, said

_LANGUAGES = {
    "py": "python",
    "yaml": "yaml",
    "yml": "yaml",
    "toml": "toml",
    "js": "javascript",
    "css": "css",
    "diff": "diff",
    "patch": "diff",
}


def show(one: Artifact) -> None:
    """Show it."""
    there = True
    try:
        _shown_as(one)(one)
    except (ArtifactNotFound, ArtifactCorrupt, ArtifactsUnavailable) as error:
        there = False
        st.error(said.plain(error), icon=":material/error:")
    except LedgerError as error:
        st.info(said.plain(error), icon=":material/visibility_off:")
    if there:
        # A plain link: the browser saves what it brings, and this process never holds it whole.
        frame.save(f"Save ({size(one.size)})", raw.offer(one))


def _shown_as(one: Artifact) -> Callable[[Artifact], None]:
    media, suffix = artifacts.media_of(one), one.path.rpartition(".")[2].lower()
    if media in ("text/html", "image/svg+xml"):
        return _framed
    if media.startswith("image/"):
        return _picture
    if suffix in ("csv", "tsv", "parquet"):
        return _sheet
    if suffix == "json":
        return _drawing if one.kind == "figure" or one.path.lower().endswith((".plotly.json", "figure.json")) else _document
    if media == "text/markdown":
        return _prose
    return _text


def _framed(one: Artifact) -> None:
    if one.size > artifacts.LARGEST:
        st.info(f"{size(one.size)} are too many to be shown here; save the file to look at it.", icon=":material/visibility_off:")
        return
    artifacts.check(one, one.uri, one.sha256)  # gone or corrupt is said here, and not in the frame
    frame.show(raw.offer(one, media=artifacts.media_of(one)), name=one.path)


def _picture(one: Artifact) -> None:
    st.image(pictures.shown(one, one.sha256))


def _sheet(one: Artifact) -> None:
    found = sheets.first(one, one.sha256)
    st.dataframe(found.frame, hide_index=True)
    rows = "more rows than are shown" if found.rows is None else f"{found.rows:,} rows"
    cut = " The first are shown." if found.cut else ""
    st.caption(f"{rows}, {found.columns:,} columns.{cut}")


def _document(one: Artifact) -> None:
    found = documents.read(one, one.sha256)
    if found is None:
        _text(one)
        return
    st.json(json.loads(found), expanded=2)


def _drawing(one: Artifact) -> None:
    found = drawings.read(one, one.sha256)
    if found is None:
        _document(one)
        return
    st.plotly_chart(found, theme="streamlit", key=f"drawing_{one.sha256}")


def _prose(one: Artifact) -> None:
    found = artifacts.text(one, one.sha256)
    prose.show(found.text)


def _text(one: Artifact) -> None:
    found = artifacts.text(one, one.sha256)
    st.code(said.text(found.text), language=_LANGUAGES.get(one.path.rpartition(".")[2].lower()), line_numbers=False, height=500)
    _cut(found)


def _cut(found: artifacts.Text) -> None:
    if not found.whole:
        st.caption(f"The first {len(found.text):,} characters are shown.")
