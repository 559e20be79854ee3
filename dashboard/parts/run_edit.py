"""What people write about a run: its name, what it is about, its tags."""

from __future__ import annotations

import streamlit as st

from prefect_ledger import describe_run, rename_run, tag_runs
from prefect_ledger.entities import Run

from .. import people

_NAME, _TEXT, _TAG, _VALUE = "edit_name", "edit_text", "edit_tag", "edit_value"


def show(run: Run) -> None:
    """Offer it to those who may."""
    if not people.here().may(people.Role.CONTRIBUTOR):
        return
    with st.popover("Edit", icon=":material/edit:"), st.container():
        with st.form("edit_run", border=False):
            st.text_input("Name", value=run.name, key=f"{_NAME}_{run.id}", max_chars=250)
            st.text_area("What it is about", value=run.description, key=f"{_TEXT}_{run.id}", max_chars=20_000)
            st.form_submit_button("Save", on_click=_write, args=(run.id,))
        with st.form("tag_run", border=False, clear_on_submit=True):
            st.text_input("Tag", key=_TAG, placeholder="a new one, or one that is there")
            st.text_input("Value", key=_VALUE, placeholder="nothing: the tag is taken away")
            st.form_submit_button("Set tag", on_click=_tag, args=(run.id,))


def _write(run_id: str) -> None:
    people.here().acts(people.Role.CONTRIBUTOR)
    name, text = st.session_state[f"{_NAME}_{run_id}"], st.session_state[f"{_TEXT}_{run_id}"]
    if name:
        rename_run(run_id, name)
    describe_run(run_id, text)


def _tag(run_id: str) -> None:
    people.here().acts(people.Role.CONTRIBUTOR)
    if key := st.session_state[_TAG].strip():
        tag_runs(run_id, tags={key: st.session_state[_VALUE] or None})
