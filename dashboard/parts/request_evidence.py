"""What a request was judged on: both sides beside one another, the data, the code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from prefect_ledger.formats import size
from prefect_ledger.registered import TransitionRequest

from ..data import promotions
from . import links, said

_NAMES = ("candidate", "champion")


def show(one: TransitionRequest) -> None:
    """Show it."""
    found = promotions.evidence(one.id, one.evidence)
    sides = {name: found[name] for name in _NAMES if found.get(name) is not None}
    st.subheader("Metrics", anchor=False)
    _metrics(sides)
    left, right = st.columns(2)
    with left:
        _others(sides)
    with right:
        _facts(found)


def _metrics(sides: Mapping[str, Any]) -> None:
    keys = sorted({key for side in sides.values() for key in side["metrics"]})
    if not keys:
        st.caption("No metric is on record of these runs.")
        return
    columns = {name: [_number(side["metrics"].get(key)) for key in keys] for name, side in sides.items()}
    frame = pd.DataFrame({"metric": keys, **columns})
    if "champion" in columns:
        frame["difference"] = frame["candidate"] - frame["champion"]
    formats = {name: st.column_config.NumberColumn(format="%.6g") for name in ("candidate", "champion", "difference")}
    st.dataframe(frame, hide_index=True, column_config=formats)


def _others(sides: Mapping[str, Any]) -> None:
    """Parameters and sizes, where they differ."""
    params = sorted({key for side in sides.values() for key in side["params"]})
    rows = [{"": key} | {name: side["params"].get(key) for name, side in sides.items()} for key in params]
    differ = [row for row in rows if len({row[name] for name in sides}) > 1 or len(sides) == 1]
    sized: dict[str, Any] = {"": "size"} | {name: "" if side["size"] is None else size(side["size"]) for name, side in sides.items()}
    same = len({str(side.get("signature")) for side in sides.values()}) == 1
    st.subheader("Parameters that differ" if len(sides) > 1 else "Parameters", anchor=False)
    st.dataframe(pd.DataFrame([sized, *differ]), hide_index=True)
    if len(sides) > 1:
        st.caption("Both take and give the same columns." if same else "Their signatures differ: the page of both versions shows how.")


def _facts(found: Mapping[str, Any]) -> None:
    facts = found.get("facts", {})
    st.subheader("Data and code", anchor=False)
    for name, digest, context in facts.get("datasets", ()):
        st.markdown(f"{said.plain(name)} {said.code(digest[:16])}" + (f" ({said.plain(context)})" if context else ""))
    holdout = found.get("holdout")
    if holdout is not None:
        st.markdown(f"Holdout {said.plain(holdout['name'])} {said.code(str(holdout['digest'])[:16])}")
    if commit := (facts.get("git") or {}).get("commit"):
        st.markdown(f"Commit {said.code(str(commit)[:12])}")
    if run := facts.get("run_id"):
        links.link("The run that made it", "run", icon=":material/science:", run=run)


def _number(value: object) -> float:
    """A number of evidence, whose JSON has "NaN" and "Infinity" as texts."""
    return float(value) if isinstance(value, int | float | str) else np.nan
