"""What the page Runs asks: a page of runs with the columns it shows, how many match, and which keys and values they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import streamlit as st

from prefect_ledger import search_experiments
from prefect_ledger.expressions import And, Comparison, Null, Operand, parse_filter, unparse
from prefect_ledger.queries.cells import Cells
from prefect_ledger.queries.census import Census
from prefect_ledger.tracking.ledger import ledger

Lifecycle = Literal["active", "deleted", "all"]
TOP = Null(Operand("attribute", "parent_run_id"))
MOST_BELOW = 50  # runs that are shown below one that is unfolded
MOST_GATHERED = 5_000  # runs below those of a page that are added up
_MOST_EXPERIMENTS = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """Which runs: those that match the filter, of these experiments (of all, where none is named)."""

    filter: str = ""
    experiments: tuple[str, ...] = ()
    lifecycle: Lifecycle = "active"

    @property
    def top(self) -> Asked:
        """Of them those that stand below no other."""
        node = parse_filter(self.filter)
        return replace(self, filter=unparse(TOP if node is None else And((node, TOP))))

    @property
    def args(self) -> dict[str, Any]:
        """As the reader takes it."""
        return {"experiment": list(self.experiments) or None, "filter": self.filter, "lifecycle": self.lifecycle}


@st.cache_data(ttl=3, max_entries=100, show_spinner=False)
def page(asked: Asked, columns: tuple[str, ...], order: str, rows: int, place: str | int) -> Cells:
    """The runs of a page; ``place`` is the token that leads to it, or how many runs stand before it.

    Raises:
        InvalidFilter, ExperimentNotFound, InvalidValue: of what was asked.
    """
    token, skip = (place, 0) if isinstance(place, str) else (None, place)
    return ledger().reader.run_cells(columns, order_by=order, limit=rows, page=token, skip=skip, **asked.args)


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a table: runs with their columns, how deep each stands, and in columns of metrics what those below a run come to."""

    cells: Cells
    depths: list[int]
    gathered: dict[str, dict[str, float]]


def flat(cells: Cells) -> Lines:
    """Each run for itself."""
    return Lines(cells, [0] * len(cells.runs), {})


def folded(cells: Cells, asked: Asked) -> Lines:
    """Each run for those below it too."""
    parents = [run.id for run, below in zip(cells.runs, cells.below, strict=True) if below]
    if not parents or sum(cells.below) > MOST_GATHERED:
        return flat(cells)
    columns = [name for name, values in cells.values.items() if None in values]
    return Lines(cells, [0] * len(cells.runs), _gathered(tuple(columns), tuple(parents), asked.lifecycle))


def unfolded(cells: Cells, asked: Asked, order: str) -> Lines:
    """Each run followed by the first of those right below it."""
    parents = tuple(run.id for run, below in zip(cells.runs, cells.below, strict=True) if below)
    if not parents:
        return flat(cells)
    children = _children(parents, tuple(cells.values), order, asked.lifecycle)
    under: dict[str | None, list[int]] = {}
    for at, run in enumerate(children.runs):
        under.setdefault(run.parent_id, []).append(at)
    places = [
        place
        for at, run in enumerate(cells.runs)
        for place in ((cells, at, 0), *((children, of, 1) for of in under.get(run.id, ())[:MOST_BELOW]))
    ]
    whole = Cells(
        [source.runs[at] for source, at, _ in places],
        [source.below[at] for source, at, _ in places],
        {name: [source.values[name][at] for source, at, _ in places] for name in cells.values},
        cells.next_page,
    )
    return Lines(whole, [depth for _, _, depth in places], {})


@st.cache_data(ttl=3, max_entries=50, show_spinner=False)
def _children(parents: tuple[str, ...], columns: tuple[str, ...], order: str, lifecycle: Lifecycle) -> Cells:
    """The runs right below these, in the order of the page; a thousand at most."""
    parent = Comparison(Operand("attribute", "parent_run_id"), "IN", parents)
    return ledger().reader.run_cells(columns, filter=unparse(parent), order_by=order, limit=MOST_BELOW * 20, lifecycle=lifecycle)


@st.cache_data(ttl=10, max_entries=50, show_spinner=False)
def _gathered(columns: tuple[str, ...], parents: tuple[str, ...], lifecycle: Lifecycle) -> dict[str, dict[str, float]]:
    return ledger().reader.gathered(columns, parents, lifecycle)


@st.cache_data(ttl=10, max_entries=200, show_spinner=False)
def count(asked: Asked) -> int:
    """How many runs match."""
    return ledger().reader.count_runs(**asked.args)


@st.cache_data(ttl=60, max_entries=50, show_spinner=False)
def keys(asked: Asked) -> Census:
    """Which keys the latest of them have."""
    return ledger().reader.run_keys(**asked.args)


@st.cache_data(ttl=60, max_entries=50, show_spinner=False)
def values(asked: Asked) -> Sequence[tuple[Operand, str, int]]:
    """Which values of parameters and tags the latest of them have."""
    return ledger().reader.run_values(**asked.args)


@st.cache_data(ttl=10, max_entries=2, show_spinner=False)
def experiments() -> list[str]:
    """The names of experiments, the latest made first."""
    return [one.name for one in search_experiments(limit=_MOST_EXPERIMENTS)]


def forget() -> None:
    """Ask anew what was changed here."""
    for one in (page, count, keys, values, _children, _gathered, experiments):
        one.clear()
