"""Parallel coordinates: a line for each run through its values, an axis for each parameter and metric, which can be brushed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from . import colors
from .columns import Column
from .curves import Floats
from .scatter import bar


def figure(columns: Sequence[Column], color: Column | None = None, *, height: int = 520) -> tuple[go.Figure, int]:
    """The figure, and how many runs are left out of it because they lack a value of one of the axes. The last axis is best the metric.

    Example:
        >>> from prefect_ledger.dashboard.charts.columns import column
        >>> made, left_out = figure([column("depth", ["1", "2", None]), column("auc", [0.7, 0.8, 0.9])])
        >>> made.data[0].dimensions[0]["values"], left_out
        (array([1., 2.]), 1)
    """
    there = np.ones(len(columns[0].numbers), bool)
    for one in [*columns, *([] if color is None else [color])]:
        there &= one.there
    line: dict[str, Any] = {}
    if color is not None and there.any():
        line = {"color": color.scaled[there], "colorscale": colors.SCALE, "showscale": True, "colorbar": bar(color)}
    made = go.Figure(go.Parcoords(dimensions=[_axis(one, there) for one in columns], line=line, labelangle=-12 if len(columns) > 6 else 0))
    longest = max((len(text) for text in columns[0].ticks()[1]), default=0)
    made.update_layout(height=height, margin={"l": 60 + 6 * min(longest, 24), "r": 60, "t": 70, "b": 24})
    return made, int((~there).sum())


def shared(columns: Sequence[Column], color: Column, most: int) -> list[Column]:
    """Those that most runs have together: each next one that leaves three quarters of the runs, at most ``most``.

    Families of models have parameters of their own, and a line that lacks one value of an axis cannot be drawn at all.

    Example:
        >>> from prefect_ledger.dashboard.charts.columns import column
        >>> ours, all_ = column("hidden", ["1", None]), column("seed", ["1", "2"])
        >>> [one.name for one in shared([ours, all_], column("auc", [0.7, 0.8]), 5)]
        ['seed']
    """
    there, found = color.there.copy(), list[Column]()
    for one in columns:
        left = there & one.there
        if len(found) < most and left.sum() >= 0.75 * color.there.sum():
            there, found = left, [*found, one]
    return found


def _axis(one: Column, there: Any) -> dict[str, Any]:
    values = one.scaled[there]
    axis: dict[str, Any] = {"label": one.label, "values": values}
    places, texts = one.ticks()
    if places:
        axis |= {"tickvals": places, "ticktext": texts, "range": _range(np.append(values, places if one.words else []))}
    return axis


def _range(values: Floats) -> list[float]:
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    return [low, high] if high > low else [low - 0.5, high + 0.5]
