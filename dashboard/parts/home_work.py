"""What runs now, and what failed in the last day."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from prefect_ledger.entities import to_datetime
from prefect_ledger.formats import count, duration, number
from prefect_ledger.queries.overview import Failed, Running
from prefect_ledger.tracking.overview import Work

from . import links, said, states


def show(found: Work) -> None:
    """Show it."""
    running, failed = st.columns(2)
    with running:
        _head(":material/play_circle: Running", found.running_count)
        for one in found.running:
            _running(one)
        if not found.running:
            st.caption("Nothing runs.")
        _more(found.running_count - len(found.running), "status = 'RUNNING'")
    with failed:
        _head(":material/error: Failed in the last day", found.failed_count)
        for other in found.failed:
            _failed(other)
        if not found.failed:
            st.caption("Nothing failed.")
        _more(found.failed_count - len(found.failed), "status in ('FAILED', 'CRASHED')")


def _head(title: str, how_many: int) -> None:
    st.subheader(f"{title} :gray[{how_many:,}]" if how_many else title, anchor=False)


def _running(one: Running) -> None:
    links.link(one.name or one.id[:8], "run", run=one.id)
    began = to_datetime(one.started)
    since = f", for {duration((datetime.now(UTC) - began).total_seconds())}" if began else ""
    last = f"; {said.plain(one.key, 60)} {number(one.value)} at step {one.step:,}{_ago(one.at)}" if one.key else "; no metric yet"
    st.caption(f"{said.plain(one.experiment, 60)}{f', {said.plain(one.user, 40)}' if one.user else ''}{since}{last}")


def _failed(one: Failed) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        links.link(one.name or one.id[:8], "run", run=one.id)
        states.badge(one.status)
    reason = said.plain(one.reason, 200) or "no reason was told"
    st.caption(f"{said.plain(one.experiment, 60)}{_ago(one.ended)}: {reason}")


def _ago(at: int | None) -> str:
    then = to_datetime(at)
    return "" if then is None else f", {duration(max(0.0, (datetime.now(UTC) - then).total_seconds()))} ago"


def _more(rest: int, filter_: str) -> None:
    if rest > 0:
        links.link(f"{count(rest, 'more run')}", "runs", icon=":material/table_rows:", q=filter_)
