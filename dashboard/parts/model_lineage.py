"""From data to whatever serves: the data a run used, the run, the logged model, the version, and what the ledger knows was done with it."""

from __future__ import annotations

import streamlit as st

from prefect_ledger.formats import count, moment

from ..data import models
from ..data.models import Whole
from . import links, model_badges, said


def show(found: Whole) -> None:
    """Show it, from left to right."""
    data, run, logged, version, serves = st.columns(5)
    with data.container(border=True, height="stretch"):
        _data(found)
    with run.container(border=True, height="stretch"):
        _run(found)
    with logged.container(border=True, height="stretch"):
        _logged(found)
    with version.container(border=True, height="stretch"):
        _version(found)
    with serves.container(border=True, height="stretch"):
        _serves(found)
    st.caption("Targets remember their deployments themselves: those of this machine are shown, others by `prefect-ledger deploy list`.")


def _data(found: Whole) -> None:
    st.markdown(":material/database: **Data**")
    used = models.datasets(found.one.run_id)
    for one in used[:20]:
        rows = "" if one.rows is None else f", {count(one.rows, 'row')}"
        st.markdown(f"{said.plain(one.name, 60)}{f' ({said.plain(one.context, 40)})' if one.context else ''}{rows}")
        st.caption(said.code(one.digest[:16]))
    if not used:
        st.caption("Its run logged no dataset: log_dataset, or a parameter that is a table, does.")


def _run(found: Whole) -> None:
    st.markdown(":material/science: **Run**")
    if found.run is None:
        st.caption("It is deleted for good.")
        return
    links.link(found.run.name or found.run.id[:8], "run", run=found.run.id)
    st.caption(
        f"{said.plain(found.run.experiment or '')}, {moment(found.run.started_at)}, by {said.plain(found.run.user or 'nobody known')}"
    )
    if found.run.parent_id:
        links.link("its parent", "run", run=found.run.parent_id)


def _logged(found: Whole) -> None:
    st.markdown(":material/deployed_code: **Logged model**")
    if found.logged is None:
        st.caption("It is gone.")
        return
    st.markdown(f"{said.plain(found.logged.name)}, {said.plain(found.logged.flavor)}")
    st.caption(f"{said.code(found.logged.id)} {moment(found.logged.logged_at)}")


def _version(found: Whole) -> None:
    st.markdown(":material/inventory_2: **Version**")
    st.markdown(
        f"{said.plain(found.one.name)} {found.one.version} {model_badges.stage(found.one.stage)} {model_badges.aliases(found.one.aliases)}"
    )


def _serves(found: Whole) -> None:
    st.markdown(":material/cloud_done: **Used by**")
    deployed, scored = models.served(found.one.logged_id), models.scorings(found.one.logged_id)
    for one in deployed[:20]:
        st.markdown(f"{said.plain(one.name)} on {said.plain(one.target)}")
        st.caption(f"made for {said.code(one.model)}, {said.plain(one.created[:19])}")
    for run, name, at in scored:
        links.link(name or run[:8], "run", icon=":material/table_view:", run=run)
        st.caption(f"scored {moment(at)}")
    if not deployed and not scored:
        st.caption("No deployment of this machine and no scoring.")
