"""The frame around every page: who looks, where they can go, and trouble as a sentence."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from prefect_ledger.errors import LedgerError

from . import people
from .pages import compare, home, models, promotions, run, runs
from .parts import said

_ICON = Path(__file__).with_name("icon.svg")
_HERE = "page that is shown"
LOG = logging.getLogger("prefect_ledger.dashboard")
_PAGES: tuple[tuple[str, str, str, Callable[[], None]], ...] = (
    ("Home", "", ":material/home:", home.show),
    ("Runs", "runs", ":material/table_rows:", runs.show),
    ("Compare", "compare", ":material/compare_arrows:", compare.show),
    ("Run", "run", ":material/science:", run.show),
    ("Models", "models", ":material/deployed_code:", models.show),
    ("Promotions", "promotions", ":material/how_to_vote:", promotions.show),
)


def show() -> None:
    """Show the page that the address names."""
    st.set_page_config(page_title="prefect-ledger", page_icon=str(_ICON), layout="wide")
    with told():
        person = people.here()
        if person.role is people.Role.NOBODY:
            _sign_in(person)
            return
        pages = {path: st.Page(_told(page), title=title, url_path=path, icon=icon, default=not path) for title, path, icon, page in _PAGES}
        here = st.navigation(list(pages.values()), position="top")
        _arrive(here.url_path)
        if here.url_path == "" and (wanted := st.query_params.get("run")):  # as links from Prefect's own UI have it
            st.switch_page(pages["run"], query_params={"run": wanted})
        here.run()
        _who(person)


def _arrive(page: str) -> None:
    """What a page shows is what its address says: Streamlit keeps what widgets of the page before held, and those of this one may have
    the same keys."""
    if st.session_state.get(_HERE, page) != page:
        st.session_state.clear()
        _as_it_was()
    st.session_state[_HERE] = page


def _as_it_was() -> None:
    """Where the browser went back to a page, take all of its address: Streamlit leaves out what it takes for the other page's, by the
    same keys."""
    context = get_script_run_ctx()
    if context is not None and context.is_history_navigation:
        with context.session_state.query_params() as params:
            params.populate_from_query_string(context.query_string)
            params.set_initial_query_params_from_current()
            params._send_query_param_msg()


@contextmanager
def told() -> Iterator[None]:
    """Trouble in the block as a sentence on the page; what Streamlit raises to stop or begin the script anew goes on."""
    try:
        yield
    except Exception as error:  # the page of whoever looks must say something, whatever it was
        if type(error).__module__.startswith("streamlit.runtime.scriptrunner"):
            raise
        say(error)


def say(error: Exception) -> None:
    """The sentence; what nobody foresaw goes to the log whole."""
    if isinstance(error, LedgerError):
        st.error(said.plain(error), icon=":material/error:")
        return
    LOG.error("a page failed", exc_info=error)
    name = said.plain(type(error).__name__)
    st.error(f"This page failed ({name}). What happened is in the log of the dashboard's server.", icon=":material/error:")


def _told(page: Callable[[], None]) -> Callable[[], None]:
    def inside() -> None:
        with told():
            page()

    return inside


def _who(person: people.Person) -> None:
    """Who looks, below the page: what they may do is why buttons are there, or are not."""
    name = "looking only" if person.identity is None else f"{said.plain(person.identity.name)} · {person.role.name.lower()}"
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        st.caption(name, help=said.plain(person.why), width="content")
        if people.signs_in():
            st.button("Sign out", on_click=st.logout, type="tertiary")


def _sign_in(person: people.Person) -> None:
    st.title("prefect-ledger")
    if st.user.is_logged_in:
        st.warning(f"Nobody gave you a role here: {said.plain(person.why)}. Ask whoever runs this dashboard.")
        st.button("Sign out", on_click=st.logout)
        return
    st.write("Experiments, models and promotions of this ledger are shown to those who sign in.")
    st.button("Sign in", type="primary", on_click=st.login)
