"""Plotly's figures among the artifacts: checked by plotly itself, and rid of all that would load something or lead somewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import streamlit as st

from prefect_ledger.entities import Artifact
from prefect_ledger.errors import InvalidValue

from . import artifacts

LARGEST = 4 << 20  # bytes; as objects it is ten times as much
_TAG = re.compile(r"<(/?)\s*([a-z]+)\b[^>]*>?", re.IGNORECASE)
_KEPT = frozenset({"b", "i", "em", "br", "sub", "sup", "s", "u"})  # what plotly makes of letters, without attributes
_FAR = re.compile(r"(map|geo|mapbox|choropleth)", re.IGNORECASE)  # kinds of traces that fetch maps
_SOURCES = frozenset({"source", "sourcesrc"})


@st.cache_resource(ttl=60, max_entries=2, show_spinner=False)
def read(_artifact: Artifact, sha256: str) -> Any:  # noqa: ARG001 - the digest is what it is kept by
    """The figure; None where this is JSON, but no figure.

    Raises:
        InvalidValue: too large, of maps, or not what plotly takes. Else as of its bytes.
    """
    with artifacts.looked_into(_artifact, LARGEST) as file:
        try:
            found = json.load(file)
        except (ValueError, RecursionError):
            return None
    return None if not isinstance(found, dict) or "data" not in found else drawn(found)


def drawn(found: Mapping[str, Any]) -> Any:
    """The figure of these values.

    Raises:
        InvalidValue: it would fetch maps, or is not what plotly takes.
    """
    import plotly.graph_objects as go

    traces, layout = found.get("data"), found.get("layout") or {}
    if not isinstance(traces, list) or not all(isinstance(one, dict) for one in traces) or not isinstance(layout, dict):
        raise InvalidValue("this is no figure that plotly knows; save the file to look at it")
    if any(_FAR.search(str(one.get("type", ""))) and str(one.get("type")) not in ("heatmap", "treemap") for one in traces):
        raise InvalidValue("figures with maps fetch them from elsewhere, and are not shown here; save the file to look at it")
    try:
        return go.Figure(data=[_tame(one) for one in traces], layout=_tame(layout), skip_invalid=True)
    except Exception as error:  # plotly's checks raise all sorts
        raise InvalidValue(f"plotly does not take this figure ({type(error).__name__}); save the file to look at it") from error


def _tame(value: Any) -> Any:
    """``value`` without links, and without pictures that are not in it."""
    if isinstance(value, str):
        return _TAG.sub(lambda tag: f"<{tag[1]}{tag[2]}>" if tag[2].lower() in _KEPT else "", value)
    if isinstance(value, dict):
        return {key: _tame(one) for key, one in value.items() if not (key in _SOURCES and not str(one).startswith("data:image/"))}
    return [_tame(one) for one in value] if isinstance(value, list) else value
