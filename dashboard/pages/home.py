"""The page Home: what runs, what failed, what waits, and how it goes."""

from __future__ import annotations

import streamlit as st

from prefect_ledger.formats import count, size

from .. import people
from ..data import home
from ..parts import home_alerts, home_trends, home_waiting, home_work, live

_FIRST = """from prefect_ledger import log_metric, start_run

with start_run(experiment="first"):
    log_metric("loss", 0.5)"""


def show() -> None:
    """Show it, what is most urgent first."""
    st.title("Home", anchor=False)
    found = home.work()
    home_waiting.show(people.here())
    home_work.show(found)
    home_alerts.show(home.alerts())
    if not home_trends.show() and not found.running:
        _empty()
        return
    there = home.room()
    st.caption(f"{count(there.runs, 'run')}; store {size(there.store)}; {count(there.artifacts, 'artifact')}, {size(there.bytes)}")
    live.watch(bool(found.running))


def _empty() -> None:
    st.info("This ledger is empty. A demo fills it in a minute, or two lines of your own do:", icon=":material/rocket_launch:")
    st.code("prefect-ledger demo", language="shell")
    st.code(_FIRST, language="python")
