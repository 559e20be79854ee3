"""The audit log: whether it is whole, where it ends, and its rows."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from prefect_ledger.formats import count, duration, moment

from ..data import audit
from . import said

PART = 200


def show() -> None:
    """Show it."""
    state()
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    text = left.text_input("Search", key="text", bind="query-params", placeholder="a name, an action, a reason, a digest")
    with right:
        st.download_button(
            "Export as JSON lines", lambda: "".join(audit.exported()).encode(), "audit.jsonl", "application/jsonl", on_click="ignore"
        )
    before = _before()
    found = audit.latest(None, None, text or "", before, PART)
    if not found:
        st.info("No row matches." if text or before else "Nothing was changed in the registry yet.", icon=":material/inbox:")
        return
    table(found)
    _more(found)


def state() -> None:
    """Whether the log is whole; walked at once where that is quick, else when it is asked for."""
    head = audit.head()
    st.markdown(f"The log ends with row {head.seq:,}, {said.code(head.hash)}")
    if head.seq > audit.AT_ONCE and not st.button(f"Verify {head.seq:,} rows", icon=":material/verified:"):
        st.caption("Kept where nobody of this ledger can change it, the hash shows later whether history was written anew.")
        return
    checked = audit.verified(head.seq, head.hash)
    found = checked.found
    if found.whole:
        took = f"verified {moment(checked.at)} in {duration(checked.seconds)}"
        st.success(f"Whole: {count(found.rows, 'row')} hold, and the tables are what they say ({took}).", icon=":material/verified:")
        return
    if found.broken is not None:
        st.error(f"Broken: {said.plain(found.reason)}", icon=":material/gpp_bad:")
    for line in found.disagreements[:20]:
        st.error(said.plain(line), icon=":material/gpp_bad:")


def table(found: Sequence[audit.Row], *, model: bool = True) -> None:
    """Rows as a table; without their model where all are of one."""
    rows = [
        {
            "row": one.seq,
            "when": moment(one.at),
            "what": one.action,
            "model": one.name,
            "version": one.version,
            "who": f"{one.by} ({one.strength})",
        }
        | {"why": one.why, "before": one.before, "after": one.after, "evidence": one.evidence[:16], "hash": one.hash[:16]}
        for one in found
    ]
    frame = pd.DataFrame(rows).astype({"version": "Int64"})
    st.dataframe(frame if model else frame.drop(columns=["model", "hash"]), hide_index=True, placeholder="")


def _before() -> int | None:
    text = st.query_params.get("before", "")
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) < 18 else None


def _more(found: Sequence[audit.Row]) -> None:
    with st.container(horizontal=True):
        if _before() is not None:
            st.button("Newest", icon=":material/first_page:", on_click=_go, args=(None,))
        if len(found) == PART:
            st.button("Older", icon=":material/chevron_right:", on_click=_go, args=(found[-1].seq,))


def _go(before: int | None) -> None:
    if before is None:
        st.query_params.pop("before", None)
    else:
        st.query_params["before"] = str(before)
