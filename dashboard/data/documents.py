"""JSON among the artifacts, small enough to be unfolded on a page."""

from __future__ import annotations

import json

import streamlit as st

from prefect_ledger.entities import Artifact

from . import artifacts

LARGEST = 1 << 20  # bytes
_EXACT = 15  # digits of a whole number that browsers keep


@st.cache_data(ttl=60, max_entries=20, show_spinner=False)
def read(_artifact: Artifact, sha256: str) -> str | None:  # noqa: ARG001 - the digest is what it is kept by
    """The document as JSON that says in a browser what it says here; None where it is none, or too large: then it is a text.

    Raises:
        As of its bytes.
    """
    if _artifact.size > LARGEST:
        return None
    with artifacts.looked_into(_artifact) as file:
        return exact(file.read())


def exact(data: bytes) -> str | None:
    """The JSON in ``data``, numbers that browsers would round as texts; None where it is none, or one number or text alone.

    Example:
        >>> exact(b'{"a": 12345678901234567890, "b": NaN}')
        '{"a": "12345678901234567890", "b": "NaN"}'
    """
    try:
        found = json.loads(data, parse_int=lambda digits: int(digits) if len(digits) <= _EXACT else digits, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return json.dumps(found) if isinstance(found, dict | list) else None
