"""What each gate said to a request: verdict, reason and values, with what can be drawn of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from prefect_ledger.registered import TransitionRequest

from ..charts import intervals
from . import said

_WORDS = {"passed": ":green[:material/check_circle:]", "refused": ":red[:material/cancel:]", "skipped": ":orange[:material/skip_next:]"}
_DRAWN = {"interval", "slices", "too_small", "columns", "difference"}


def show(one: TransitionRequest) -> None:
    """Show the report, those gates first that refused."""
    verdicts = list(one.report.get("verdicts", ()))
    refused = sum(word(verdict) == "refused" for verdict in verdicts)
    st.subheader(_head(len(verdicts), refused), anchor=False)
    for number, verdict in sorted(enumerate(verdicts), key=lambda pair: word(pair[1]) != "refused"):
        _verdict(number, verdict)
    if not verdicts:
        st.caption("The policy asks for no gate.")


def word(verdict: Mapping[str, Any]) -> str:
    """What a gate said, in a word."""
    if verdict["values"].get("skipped") is True:
        return "skipped"
    return "passed" if verdict["passed"] else "refused"


def _head(all_: int, refused: int) -> str:
    if refused:
        return f"Gates: {refused} of {all_} refused"
    return f"Gates: all {all_} passed" if all_ else "Gates"


def _verdict(number: int, verdict: Mapping[str, Any]) -> None:
    values = verdict["values"]
    st.markdown(f"{_WORDS[word(verdict)]} **{said.plain(verdict['name'])}** {word(verdict)}: {said.plain(verdict['reason'])}")
    if _pair(values.get("interval")):
        st.plotly_chart(intervals.figure(values), key=f"interval-{number}", config={"displayModeBar": False})
    if isinstance(values.get("slices"), Mapping) and values["slices"]:
        _slices(values)
    if isinstance(values.get("columns"), Mapping) and values["columns"]:
        _drift(values)
    if rest := {key: value for key, value in values.items() if key not in _DRAWN}:
        with st.expander("Values", type="compact"):
            st.json({**rest, "gate": verdict["gate"]}, expanded=2)


def _pair(found: object) -> bool:
    return isinstance(found, list) and len(found) == 2 and all(isinstance(one, int | float) for one in found)


def _slices(values: Mapping[str, Any]) -> None:
    rows = [
        {
            "slice": name,
            "rows": one.get("rows"),
            "difference": one.get("difference"),
            "verdict": "passed" if one.get("passed") else "refused",
        }
        for name, one in values["slices"].items()
    ]
    rows += [{"slice": name, "rows": count, "difference": None, "verdict": "too few rows"} for name, count in values["too_small"].items()]
    frame = pd.DataFrame(rows).sort_values("difference", na_position="last")
    st.dataframe(frame, hide_index=True, column_config={"difference": st.column_config.NumberColumn(format="%.4g")})


def _drift(values: Mapping[str, Any]) -> None:
    most = values.get("at_most")
    rows = [
        {"column": name, str(values.get("method", "drift")): value, "most": most, "verdict": "passed" if value <= most else "drifted"}
        for name, value in sorted(values["columns"].items(), key=lambda pair: -pair[1])
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)
