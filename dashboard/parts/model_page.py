"""A registered model: what its stages and aliases mean, its versions, its history, and what was so at a moment."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import streamlit as st

from prefect_ledger.formats import moment, size
from prefect_ledger.registered import RegisteredModel

from ..data import audit, models
from . import audit_log, links, model_badges, persons, prose, said

_PART = 500
_EARLIEST = datetime(2000, 1, 1)  # noqa: DTZ001 - the widget takes local times


def show(name: str) -> None:
    """Show it."""
    one = models.get(name)
    links.within("All models", "models", key="all", icon=":material/arrow_back:")
    st.title(said.plain(one.name), anchor=False)
    badges = [model_badges.meaning(one.stages, one.aliases), model_badges.tags(one.tags)]
    if one.deleted_at:
        badges.insert(0, f":red-badge[deleted {said.plain(moment(one.deleted_at))}]")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(" ".join(filter(None, badges)) or "No stage and no alias means a version.", width="content")
        links.link("its requests", "promotions", icon=":material/how_to_vote:", model=one.name, state="all")
    prose.show(one.description)
    versions, history, then = st.tabs(["Versions", "History", "As of"], key="part", on_change="rerun", bind="query-params")
    if versions.open:
        with versions:
            _versions(one)
    if history.open:
        with history:
            changes(one.name, None)
    if then.open:
        with then:
            as_of(one)


def _versions(one: RegisteredModel) -> None:
    found = models.versions(one.name, deleted=one.deleted_at is not None)
    if not found:
        st.info("It has no version yet.", icon=":material/inbox:")
        return
    st.caption("Select a version to open it, two to see how they differ.")
    told = st.dataframe(
        pd.DataFrame([_row(version) for version in found]),
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        key="versions_table",
        height="auto" if len(found) < 10 else 560,
    )
    chosen = [found[place].version for place in sorted(told.selection.rows)]
    if len(chosen) == 1 and st.button(f"Open version {chosen[0]}", type="primary"):
        links.go("models", model=one.name, version=chosen[0])
    if len(chosen) == 2 and st.button(f"Compare {chosen[0]} and {chosen[1]}", type="primary", icon=":material/compare_arrows:"):
        links.go("models", model=one.name, version=chosen[0], beside=chosen[1], part="Differences")
    if len(found) >= models.MOST:
        st.caption(f"The newest {models.MOST:,} are shown; the address takes the number of any: {said.code('version=1')}.")


def _row(one: models.Version) -> dict[str, object]:
    about = {"version": one.version, "stage": one.stage, "aliases": ", ".join(f"@{alias}" for alias in one.aliases)}
    of_model = {"flavor": one.flavor, "size": "" if one.size is None else size(one.size), "by": persons.text(one.author)}
    tags = ", ".join(f"{key}={value}" for key, value in sorted(one.tags.items()))
    rest = {"registered": moment(one.created), "run": one.run_id[:8], "description": one.description[:300], "tags": tags}
    return {**about, **of_model, **rest, "digest": one.digest[:12]}


def changes(name: str, version: int | None) -> None:
    """Who changed what of a model or a version, when and why: rows of the audit log, the latest first."""
    found = audit.latest(name, version, "", None, _PART)
    audit_log.table(found, model=False)
    if len(found) == _PART:
        st.caption(f"The latest {_PART} are shown; `prefect-ledger models history` tells all.")


def as_of(one: RegisteredModel) -> None:
    """What stages and aliases meant at a moment."""
    at = st.datetime_input("At", value=None, key="at", bind="query-params", step=60, width=260, min_value=_EARLIEST)
    if at is None:
        st.caption(f"Choose a day and a time of this server ({said.plain(datetime.now().astimezone().tzname() or 'local')}).")
        return
    when = at.astimezone()
    stages, aliases = models.then(one.name, when)
    if not stages:
        st.info(f"It had no version at {said.plain(moment(when))}.", icon=":material/history:")
        return
    meant: dict[str, int] = {}
    for number, stage in stages.items():
        if stage != "none":
            meant[stage] = max(number, meant.get(stage, 0))
    st.markdown(model_badges.meaning(meant, aliases) or "No stage and no alias meant a version.")
    named = {number: ", ".join(f"@{alias}" for alias, meaning in aliases.items() if meaning == number) for number in stages}
    rows = [{"version": number, "stage": stage, "aliases": named[number]} for number, stage in sorted(stages.items(), reverse=True)]
    st.dataframe(pd.DataFrame(rows[:1_000]), hide_index=True)
