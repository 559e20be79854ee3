"""How a metric spreads for each value of a parameter."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from .columns import Column
from .texts import shown

_VALUES = 12  # different numbers up to which each has a box of its own
_BOXES = 30
_PARTS = 4


def figure(by: Column, metric: Column, names: Sequence[str], *, height: int = 520) -> tuple[go.Figure, int]:
    """The figure, and how many runs are left out because they lack a value. Many different numbers are put together by quarters of runs.

    Example:
        >>> from prefect_ledger.dashboard.charts.columns import column
        >>> made, _ = figure(column("model", ["xgb", "lgbm", "xgb"]), column("auc", [0.7, 0.8, 0.9]), ["a", "b", "c"])
        >>> [box.name for box in made.data]
        ['lgbm (1)', 'xgb (2)']
    """
    there = by.there & metric.there
    made = go.Figure()
    for label, some in parts(by)[:_BOXES]:
        at = np.flatnonzero(some & metric.there)
        if not len(at):
            continue
        made.add_trace(
            go.Box(
                y=metric.numbers[at],
                name=f"{shown(label, 30)} ({len(at)})",
                boxpoints="all",
                jitter=0.4,
                pointpos=0,
                marker={"size": 4, "opacity": 0.6},
                text=[shown(names[place]) for place in at.tolist()],
                hoveron="points+boxes",
            )
        )
    made.update_layout(height=height, margin={"l": 8, "r": 8, "t": 16, "b": 8}, showlegend=False)
    made.update_xaxes(title={"text": shown(by.name, 40), "font": {"size": 12}}, type="category", automargin=True)
    made.update_yaxes(title={"text": shown(metric.name, 40), "font": {"size": 12}}, automargin=True)
    return made, int((~there).sum())


def parts(by: Column) -> list[tuple[str, np.ndarray]]:
    """What the values are told apart by, and which runs have each: every run that has a value is in one."""
    if by.words:
        return [(word, by.numbers == at) for at, word in enumerate(by.words)]
    numbers = np.unique(by.numbers[by.there])
    if len(numbers) <= _VALUES:
        return [(f"{number:g}", by.numbers == number) for number in numbers]
    ends = np.unique(np.quantile(by.numbers[by.there], np.linspace(0, 1, _PARTS + 1)))
    found = []
    for low, high in itertools.pairwise(ends):
        last = high == ends[-1]
        some = by.there & (by.numbers >= low) & ((by.numbers <= high) if last else (by.numbers < high))
        found.append((f"{low:.4g} to {high:.4g}", some))
    return found
