"""Pictures, figures and tables of a run that are of a series: by name, each with its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from prefect_ledger.queries.shown import Shown
from prefect_ledger.tracking.ledger import ledger

_KINDS = ("image", "figure", "table")


@dataclass(frozen=True, slots=True)
class Series:
    """What was logged under one key: ``steps`` in order, each once; ``kind`` is "image", "figure" or "table"."""

    key: str
    kind: str
    steps: tuple[int, ...]
    shown: tuple[Shown, ...]

    @property
    def name(self) -> str:
        """The key and what it is."""
        return f"{self.key} ({self.kind})"


@st.cache_resource(ttl=5, max_entries=10, show_spinner=False)  # no copy: the values are frozen
def of_run(run_id: str) -> Sequence[Series]:
    """The series of the last attempt."""
    found: dict[tuple[str, str], list[Shown]] = {}
    for kind in _KINDS:
        for one in ledger().reader.shown(run_id, kind):
            if one.key is not None:
                found.setdefault((kind, one.key), []).append(one)
    return tuple(
        Series(key, kind, tuple(sorted({one.step for one in few if one.step is not None})), tuple(few))
        for (kind, key), few in found.items()
    )
