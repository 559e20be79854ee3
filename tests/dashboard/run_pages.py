"""The page of a run without a browser, in this process, of this process's ledger."""

from __future__ import annotations

import streamlit as st
from streamlit.testing.v1 import AppTest

PAGE = "from prefect_ledger.dashboard.pages import run\nrun.show()"
TABS = ["Overview", "Curves", "Timeline", "Artifacts", "Media", "Machine", "Code", "Lineage"]


def opened(**params: str) -> AppTest:
    """The page with these parameters in its address; nothing is left of what other pages had asked."""
    st.cache_data.clear()
    st.cache_resource.clear()
    page = AppTest.from_string(PAGE, default_timeout=60)
    for name, value in params.items():
        page.query_params[name] = value
    page.run()
    assert [one.value for one in page.exception] == []
    return page


def said(page: AppTest) -> str:
    """All that it says as text, as it is read."""
    kinds = (page.markdown, page.caption, page.error, page.info, page.warning, page.title, page.subheader, page.code)
    return "\n".join(str(one.value) for few in kinds for one in few).replace("\\", "")
