"""What can be done with the runs that are selected."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from prefect_ledger import delete_runs, restore_runs, tag_runs
from prefect_ledger.formats import count

from .. import people
from ..data import runs as data
from . import acting, links, picked

_TAG, _VALUE = "bulk_tag", "bulk_value"


def show(shown: set[str]) -> None:
    """The buttons, always in their place, so that nothing moves below a hand that selects; ``shown``: the ids of the runs on this page."""
    ids = picked.ids()
    elsewhere = sum(one not in shown for one in ids)
    with st.container(horizontal=True, vertical_alignment="center", key="bulk"):
        st.markdown(f"{len(ids):,} selected" + (f", {elsewhere:,} not on this page" if elsewhere else ""), width="content")
        if st.button("Compare", icon=":material/compare_arrows:", disabled=len(ids) < 2, key="compare_selected"):
            links.go("compare", runs=",".join(ids))
        if st.button("Open", icon=":material/science:", disabled=len(ids) != 1, key="open_selected"):
            links.go("run", run=ids[0])
        if people.here().may(people.Role.CONTRIBUTOR):
            _changes(ids)
        st.button(
            "Clear", icon=":material/close:", type="tertiary", on_click=picked.pick, args=((),), disabled=not ids, key="clear_selected"
        )
    if len(ids) == picked.MOST:
        st.caption(f"No more than {picked.MOST} runs are selected at once; `prefect-ledger runs tag --where` has no such bound.")
    acting.tell()


def _changes(ids: list[str]) -> None:
    with (
        st.popover("Tag", icon=":material/sell:", disabled=not ids, key="tag_selected"),
        st.form("bulk_tag_form", border=False, clear_on_submit=True),
    ):
        st.text_input("Tag", key=_TAG, placeholder="a new one, or one that is there")
        st.text_input("Value", key=_VALUE, placeholder="nothing: the tag is taken away")
        st.form_submit_button("Set tag", on_click=_tag, args=(ids,))
    st.button("Delete", icon=":material/delete:", on_click=_delete, args=(ids,), disabled=not ids, key="delete_selected")
    st.button("Restore", icon=":material/restore_from_trash:", on_click=_restore, args=(ids,), disabled=not ids, key="restore_selected")


def _tag(ids: list[str]) -> None:
    people.here().acts(people.Role.CONTRIBUTOR)
    key, value = st.session_state[_TAG].strip(), st.session_state[_VALUE]
    if key:
        _done(lambda: f"Tagged {count(len(tag_runs(*ids, tags={key: value or None})), 'run')}.")


def _delete(ids: list[str]) -> None:
    people.here().acts(people.Role.CONTRIBUTOR)
    _done(lambda: f"Deleted {count(len(delete_runs(*ids)), 'run')}: they are still selected, and Restore takes it back.")


def _restore(ids: list[str]) -> None:
    people.here().acts(people.Role.CONTRIBUTOR)
    _done(lambda: f"Restored {count(len(restore_runs(*ids)), 'run')}.")


def _done(do: Callable[[], str]) -> None:
    if acting.act(do):
        data.forget()
