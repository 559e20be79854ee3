"""Runs as points: one parameter or metric over another, a third as their colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from . import colors
from .columns import Column
from .texts import shown


def figure(x: Column, y: Column, names: Sequence[str], color: Column | None = None, *, height: int = 520) -> tuple[go.Figure, int]:
    """The figure, and how many runs are left out because they lack a value. A value that cannot be a colour leaves its point grey.

    Example:
        >>> from prefect_ledger.dashboard.charts.columns import column
        >>> figure(column("depth", ["1", "2"]), column("auc", [0.7, 0.8]), ["a", "b"])[0].data[0].text
        ('a', 'b')
    """
    there = x.there & y.there
    made = go.Figure()
    if color is not None and color.words:
        for at, word in enumerate(color.words):
            some = there & (color.numbers == at)
            if some.any():
                made.add_trace(_points(x, y, names, some, color, name=shown(word, 40), marker={}))
        rest = there & ~color.there
        if rest.any():
            made.add_trace(_points(x, y, names, rest, color, name="-", marker={"color": "grey"}))
    else:
        marker = {"color": "grey"} if color is not None else {}
        rest = there if color is None else there & ~color.there
        if rest.any() or color is None:
            made.add_trace(_points(x, y, names, rest, color, name="", marker=marker))
        if color is not None:
            some = there & color.there
            scale = {"color": color.scaled[some], "colorscale": colors.SCALE, "showscale": True, "colorbar": bar(color)}
            made.add_trace(_points(x, y, names, some, color, name="", marker=scale))
    made.update_layout(height=height, margin={"l": 8, "r": 8, "t": 16, "b": 8}, showlegend=bool(color is not None and color.words))
    axes(made, x, y)
    return made, int((~there).sum())


def axes(made: go.Figure, x: Column, y: Column) -> None:
    """Both axes with their names and, where numbers would not say it, the names of places."""
    for one, update in ((x, made.update_xaxes), (y, made.update_yaxes)):
        places, texts = one.ticks()
        named: dict[str, Any] = {"tickvals": places, "ticktext": texts} if places else {}
        update(title={"text": one.label, "font": {"size": 12}}, automargin=True, **named)


def bar(color: Column) -> dict[str, Any]:
    """The scale beside a figure."""
    places, texts = color.ticks()
    named: dict[str, Any] = {"tickvals": places, "ticktext": texts} if places else {}
    return {"title": {"text": color.label, "side": "right"}, "thickness": 14, **named}


def _points(
    x: Column, y: Column, names: Sequence[str], some: Any, color: Column | None, *, name: str, marker: dict[str, Any]
) -> go.Scatter:
    at = np.flatnonzero(some)
    told = [x, y, *([] if color is None else [color])]
    about = [[one.said(int(place)) for one in told] for place in at.tolist()]
    lines = "".join(f"<br>{shown(one.name, 40).replace('%{', '%&#123;')}: %{{customdata[{number}]}}" for number, one in enumerate(told))
    return go.Scatter(
        x=x.scaled[at],
        y=y.scaled[at],
        mode="markers",
        name=name,
        text=[shown(names[place]) for place in at.tolist()],
        customdata=about,
        marker={"size": 9, "opacity": 0.8, **marker},
        hovertemplate=f"<b>%{{text}}</b>{lines}<extra></extra>",
    )
