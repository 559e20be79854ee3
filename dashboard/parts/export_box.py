"""Runs that match, as a file to take along."""

from __future__ import annotations

from functools import partial

import streamlit as st

from ..data import run_files
from ..data.runs import Asked


def show(asked: Asked, columns: tuple[str, ...], order: str) -> None:
    """A menu with the files; nothing is read before one is asked for."""
    menu = st.popover("Export", icon=":material/download:", on_change="rerun", key="export")
    if not menu.open:
        return
    with menu:
        every = st.toggle("Every parameter, metric and tag", key="export_every")
        wanted = None if every else columns
        with st.container(horizontal=True):
            for kind, make, mime in (("CSV", run_files.csv, "text/csv"), ("Parquet", run_files.parquet, "application/vnd.apache.parquet")):
                name = f"runs.{kind.lower()}"
                st.download_button(kind, partial(make, asked, wanted, order), name, mime, on_click="ignore", icon=":material/download:")
        st.caption(
            f"All runs that match, in this order, with {'all they have' if every else 'the columns shown'}: {run_files.MOST:,} at most."
            " `prefect-ledger runs export` writes any number, with curves and artifacts."
        )
