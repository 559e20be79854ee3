"""Pictures, figures and tables of several runs under the same names, so that they can stand side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from prefect_ledger.queries.shown import Shown
from prefect_ledger.tracking.ledger import ledger

KINDS = ("image", "figure", "table")


@dataclass(frozen=True, slots=True)
class Beside:
    """What runs logged under one name, a key or a path: by run, in order of step."""

    name: str
    kind: str
    shown: Mapping[str, Sequence[Shown]]

    @property
    def label(self) -> str:
        """The name, what it is, and how many runs have it."""
        return f"{self.name} ({self.kind})"

    @property
    def steps(self) -> list[int]:
        """The steps at which any of the runs logged it."""
        return sorted({one.step for few in self.shown.values() for one in few if one.step is not None})

    def at(self, run: str, step: int | None) -> list[Shown]:
        """What the run logged at this step, else at the last one before it; what was logged at no step stands at each."""
        few = self.shown.get(run, ())
        before = [one.step for one in few if one.step is not None and step is not None and one.step <= step]
        return [one for one in few if one.step is None or (before and one.step == max(before))]


@st.cache_resource(ttl=10, max_entries=20, show_spinner=False)  # no copy: nobody changes them
def beside(ids: tuple[str, ...]) -> list[Beside]:
    """What the last attempts of these runs logged: names that most of them have first."""
    found: dict[tuple[str, str], dict[str, list[Shown]]] = {}
    for run in ids:
        for kind in KINDS:
            for one in ledger().reader.shown(run, kind):
                found.setdefault((one.key or one.path, kind), {}).setdefault(run, []).append(one)
    order = sorted(found.items(), key=lambda item: (-len(item[1]), KINDS.index(item[0][1]), item[0]))
    return [Beside(name, kind, by_run) for (name, kind), by_run in order]
