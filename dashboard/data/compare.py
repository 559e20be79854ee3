"""What the page Compare asks of the ledger: runs by what was pasted or matches, and what they have side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import streamlit as st

from prefect_ledger.comparison import Row, compare
from prefect_ledger.entities import Run
from prefect_ledger.queries import together
from prefect_ledger.tracking.ledger import ledger
from prefect_ledger.tracking.reading import search_runs

MATCHING = 1_000  # runs that a filter brings in at most
Aggregate = Literal["last", "min", "max", "mean"]


@dataclass(frozen=True)
class Chosen:
    """The runs that are compared, in the order they were named; of each name that means no run, why; whether a filter found too many."""

    runs: list[Run]
    missing: Mapping[str, str]
    more: bool = False

    @property
    def ids(self) -> list[str]:
        """Their ids."""
        return [run.id for run in self.runs]

    @property
    def settled(self) -> bool:
        """Whether all have ended, so that little will change."""
        return all(run.status.final for run in self.runs)


def choose(named: Sequence[str], matching: str) -> Chosen:
    """The runs of these ids or beginnings, then those that match the filter, the latest first.

    Raises:
        InvalidFilter: ``matching`` cannot be read.
    """
    one = ledger()
    found = together.runs(one.database, one.reader, named)
    if not matching.strip():
        return Chosen(found.runs, found.missing)
    page = search_runs(filter=matching, limit=MATCHING)
    there = {run.id for run in found.runs}
    return Chosen([*found.runs, *(run for run in page if run.id not in there)], found.missing, page.next_page is not None)


def names(runs: Sequence[Run]) -> dict[str, str]:
    """What each run is called, by id: its name, and the beginning of its id where others have the same or it has none."""
    called = Counter(run.name for run in runs)
    return {run.id: run.name if run.name and called[run.name] == 1 else f"{run.name} {run.id[:8]}".strip() for run in runs}


def rows(runs: Sequence[Run], *, lower: Sequence[str], higher: Sequence[str], aggregate: Aggregate = "last") -> list[Row]:
    """Everything the ledger knows of these runs, a row for each thing: parameters, metrics, tags, data, code, environment, packages."""
    ids = [run.id for run in runs]
    database = ledger().database
    if aggregate != "last":
        found = _summaries(tuple(ids))
        runs = [replace(run, metrics=MappingProxyType(found[run.id][aggregate])) for run in runs]
    return compare(runs, together.facts(database, ids), together.datasets(database, ids), lower=lower, higher=higher)


@st.cache_data(ttl=10, max_entries=20, show_spinner=False)
def _summaries(ids: tuple[str, ...]) -> dict[str, dict[str, dict[str, float]]]:
    found = together.summaries(ledger().database, ids)
    return {
        run: {
            side: {key: value for key, one in summaries.items() if (value := getattr(one, side)) is not None}
            for side in ("min", "max", "mean")
        }
        for run, summaries in found.items()
    }


@st.cache_data(ttl=10, max_entries=20, show_spinner=False)
def keys(ids: tuple[str, ...]) -> dict[str, int]:
    """The metrics that any of these runs has, each with the points of its longest curve: first those with more than one point, and of
    these those that most runs have, the longest first."""
    points: dict[str, int] = {}
    had: dict[str, int] = {}
    for summaries in together.summaries(ledger().database, ids).values():
        for key, one in summaries.items():
            points[key] = max(points.get(key, 0), one.count)
            had[key] = had.get(key, 0) + 1
    order = sorted(points, key=lambda key: (points[key] < 2, -had[key], -points[key], key))
    return {key: points[key] for key in order}


@st.cache_data(ttl=10, max_entries=20, show_spinner=False)
def attempts(ids: tuple[str, ...]) -> dict[str, list[int]]:
    """The attempts of those that have several."""
    found = together.attempts(ledger().database, ids)
    return {run: numbers for run, numbers in found.items() if len(numbers) > 1}


@st.cache_data(ttl=10, max_entries=20, show_spinner=False)
def children(ids: tuple[str, ...]) -> list[str]:
    """The runs below these that are not among them."""
    found = together.children(ledger().database, ids)
    return [child for few in found.values() for child in few if child not in found]
