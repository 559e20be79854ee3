"""Views that people saved: what the address of a page says, by a name, for all who look."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from prefect_ledger.errors import LedgerError
from prefect_ledger.tracking.saved_views import delete_view, save_view, saved_views

from .. import people
from . import links, said


def show(page: str) -> None:
    """A menu with the views of ``page``, to open one, and for contributors to save what is seen now or to delete one."""
    person = people.here()
    with st.popover("Views", icon=":material/bookmark:"):
        views = saved_views(page)
        if not views:
            st.caption("Nothing saved yet: what the address says now, filter, columns, selection and all, can be kept by a name.")
        for one in views:
            with st.container(horizontal=True, vertical_alignment="center"):
                links.afresh(one.name, page, one.query)
                st.caption(said.plain(f"{one.author}" + (f", {one.saved_at:%Y-%m-%d}" if one.saved_at else "")))
                if person.may(people.Role.CONTRIBUTOR):
                    what = f"Delete the view {said.plain(one.name)}"
                    st.button("", icon=":material/delete:", key=f"forget:{one.name}", on_click=_forget, args=(page, one.name), help=what)
        if person.may(people.Role.CONTRIBUTOR):
            _save(page)


def _save(page: str) -> None:
    query = urlencode([(key, value) for key in st.query_params for value in st.query_params.get_all(key)])
    with st.form("save_view", clear_on_submit=True, border=False):
        name = st.text_input("Save what is seen now as", max_chars=100, placeholder="a name")
        if st.form_submit_button(
            "Save", disabled=not query, help=None if query else "Nothing is chosen yet: the page is as it is by itself."
        ):
            try:
                save_view(page, name, query, people.here().acts(people.Role.CONTRIBUTOR).name)
            except LedgerError as error:
                st.error(said.plain(error))
            else:
                st.rerun()


def _forget(page: str, name: str) -> None:
    people.here().acts(people.Role.CONTRIBUTOR)
    delete_view(page, name)
