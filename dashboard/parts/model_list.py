"""Registered models in a list, with what their stages and aliases mean."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from prefect_ledger.formats import moment

from ..data import models
from . import links


def show() -> None:
    """Show it, with a search that stands in the address."""
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    text = left.text_input("Search", key="search", bind="query-params", placeholder="name, alias, tag or description").casefold().strip()
    gone = right.checkbox("Deleted too", key="deleted", bind="query-params")
    every = models.listed(deleted=gone)
    found = [one for one in every if text in _words(one)]
    if not found:
        _empty(bool(every))
        return
    st.caption(f"{len(found):,} of {len(every):,} registered models. Select a row to open it.")
    told = st.dataframe(
        pd.DataFrame([_row(one) for one in found]).astype({"latest": "Int64", "production": "Int64", "staging": "Int64"}),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="models_table",
        placeholder="",
        height="auto" if len(found) < 10 else 560,
    )
    if chosen := told.selection.rows:
        links.go("models", model=found[chosen[0]].name)


def _row(one: models.Name) -> dict[str, object]:
    stages = {name: one.stages.get(name) for name in ("production", "staging")}
    named = ", ".join(f"@{alias}: {number}" for alias, number in one.aliases.items())
    tags = ", ".join(f"{key}={value}" for key, value in sorted(one.tags.items()))
    told: dict[str, object] = {"model": one.name, "latest": one.latest or None, **stages, "aliases": named, "changed": moment(one.changed)}
    return {**told, "description": one.description[:300], "tags": tags} | ({"deleted": "deleted"} if one.deleted else {})


def _words(one: models.Name) -> str:
    parts = [one.name, one.description, *(f"@{alias}" for alias in one.aliases), *one.stages, *(f"{k}={v}" for k, v in one.tags.items())]
    return "\n".join(parts).casefold()


def _empty(searched: bool) -> None:
    if searched:
        st.info("No registered model matches.", icon=":material/search_off:")
        return
    st.info("No model is registered yet.", icon=":material/inbox:")
    st.caption("A flow or task that returns a model registers it where it says so:")
    st.code('@tracked_task\ndef train(...) -> Annotated[Booster, Model("churn", register=True)]: ...', language="python")
    st.caption("One that is logged already is registered by its reference:")
    st.code("prefect-ledger models register churn runs:/RUN_ID/churn", language="shell")
