"""Ways from one page to another: addresses, which others can be sent, and links that keep the session."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

import streamlit as st

from prefect_ledger import html

from . import said


def to(page: str, **params: object) -> str:
    """The address of a page, below this server.

    Example:
        >>> to("models", model="a b", version=2)
        '/models?model=a+b&version=2'
    """
    asked = urlencode({name: str(value) for name, value in params.items() if value is not None})
    return f"/{quote(page)}" + (f"?{asked}" if asked else "")


def to_run(run_id: str) -> str:
    """The address of a run."""
    return to("run", run=run_id)


def to_compare(run_ids: Iterable[str]) -> str:
    """The address where these runs stand beside one another."""
    return to("compare", runs=",".join(run_ids))


def link(label: object, page: str, *, icon: str | None = None, **params: object) -> None:
    """Show a link to a page; the label is a text, whatever it holds."""
    st.page_link(_page(page), label=said.plain(label, 200) or " ", icon=icon or "", query_params=_texts(params))


def within(label: object, page: str, *, key: str, icon: str | None = None, **params: object) -> None:
    """Show a way to another address of the page that is shown: where only the parameters differ, a link leaves the address as it was."""
    if st.button(said.plain(label, 200) or " ", key=key, icon=icon, type="tertiary"):
        go(page, **params)


def go(page: str, **params: object) -> None:
    """Go to a page now; not from a callback, which ends before the page begins."""
    st.switch_page(_page(page), query_params=_texts(params))


def afresh(label: object, page: str, query: str) -> None:
    """Show a link that loads a page anew, with what follows the ``?`` of its address: widgets hold what they held otherwise."""
    st.html(f'<a href="{escape(quote(page))}?{escape(query)}">{html.text(label)}</a>')


def _page(path: str) -> Any:
    # Streamlit knows pages by their path: one that is made anew means the one of the navigation.
    return st.Page(_nowhere, title=path.title() or "Home", url_path=path, default=not path)


def _nowhere() -> None:
    """Never run: the navigation's page of this path is."""


def _texts(params: dict[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in params.items() if value is not None}
