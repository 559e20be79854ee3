"""What a button does to the ledger, told on the page that follows: done, or refused, with the reason."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from prefect_ledger.errors import LedgerError

from . import said

_KEY = "told of acting"


def act(do: Callable[[], str]) -> bool:
    """Do it; its words, or why the ledger refused, are shown by :func:`tell` when the page is shown anew. Returns whether it was done."""
    try:
        words = do()
    except LedgerError as error:
        st.session_state[_KEY] = (False, str(error))
        return False
    st.session_state[_KEY] = (True, words)
    return True


def tell() -> None:
    """Show what came of the last button, once."""
    if (told := st.session_state.pop(_KEY, None)) is None:
        return
    done, words = told
    if done:
        st.success(said.plain(words), icon=":material/check:")
    else:
        st.error(said.plain(words), icon=":material/block:")
