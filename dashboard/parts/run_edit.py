"""What people write about a run: its name, what it is about, its tags."""

from __future__ import annotations

import zlib

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
            name, text = f"{_NAME}_{run.id}_{_mark(run.name)}", f"{_TEXT}_{run.id}_{_mark(run.description)}"
            st.text_input("Name", value=run.name, key=name, max_chars=250)
            st.text_area("What it is about", value=run.description, key=text, max_chars=20_000)
            st.form_submit_button("Save", on_click=_write, args=(run, name, text))
        with st.form("tag_run", border=False, clear_on_submit=True):
            st.text_input("Tag", key=_TAG, placeholder="a new one, or one that is there")
            st.text_input("Value", key=_VALUE, placeholder="nothing: the tag is taken away")
            st.form_submit_button("Set tag", on_click=_tag, args=(run.id,))


def _mark(text: str) -> str:
    """For the key of a widget that begins with this text: one that has the same key keeps what it had, and would bring back what others
    have changed since."""
    return f"{zlib.crc32(text.encode()):x}"


def _write(seen: Run, name_key: str, text_key: str) -> None:
    """Write what was changed, and nothing else: somebody may have changed the rest meanwhile."""
    people.here().acts(people.Role.CONTRIBUTOR)
    name, text = st.session_state[name_key], st.session_state[text_key]
    if name and name != seen.name:
        rename_run(seen.id, name)
    if text != seen.description:
        describe_run(seen.id, text)


def _tag(run_id: str) -> None:
    people.here().acts(people.Role.CONTRIBUTOR)
    if key := st.session_state[_TAG].strip():
        tag_runs(run_id, tags={key: st.session_state[_VALUE] or None})
