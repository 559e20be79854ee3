"""The page Models: registered models, their versions, how these differ, where they came from and what was so at any date."""

from __future__ import annotations

import streamlit as st

from .. import people
from ..parts import model_list, model_page, model_version


def show() -> None:
    """Show it: the version, else the model, that the address names, else the list."""
    name, version = st.query_params.get("model"), st.query_params.get("version")
    if name and version:
        model_version.show(name, version, people.here())
        return
    if name:
        model_page.show(name)
        return
    st.title("Models", anchor=False)
    model_list.show()
