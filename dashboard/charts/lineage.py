"""What came of what: things in columns from left to right, and lines between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from .texts import shown

MOST = 12  # things in a column; what exceeds them is counted
_COLORS = {
    "data": "#2f8f9d",
    "run": "#3b7dd8",
    "this run": "#1f5fbf",
    "model": "#7a6fd0",
    "version": "#3d9a50",
    "deployment": "#c98a1b",
    "more": "#8a8f98",
}
_ROW = 64  # pixels


@dataclass(frozen=True, slots=True)
class Thing:
    """Something with a lineage: ``id`` tells it from others, ``kind`` is its colour's name, ``column`` its place from left to right."""

    id: str
    kind: str
    name: str
    detail: str = ""
    column: int = 0


@dataclass(frozen=True, slots=True)
class Way:
    """From one thing's id to another's; ``how`` is what the second has of the first."""

    source: str
    target: str
    how: str = ""


def figure(things: Sequence[Thing], ways: Sequence[Way]) -> go.Figure:
    """The things and the ways between them. Any text is shown as letters.

    Example:
        >>> things = [Thing("d", "data", "train"), Thing("r", "this run", "fit", column=1)]
        >>> len(figure(things, [Way("d", "r", "used by")]).layout.annotations)
        1
    """
    few, ways = _fewer(things, ways)
    columns = sorted({one.column for one in few})
    places: dict[str, tuple[float, float]] = {}
    for at, column in enumerate(columns):
        here = [one for one in few if one.column == column]
        for row, one in enumerate(here):
            places[one.id] = (float(at), (len(here) - 1) / 2 - row)
    made = go.Figure()
    for kind in dict.fromkeys(one.kind for one in few):
        made.add_trace(_boxes(kind, [one for one in few if one.kind == kind], places))
    tallest = max((sum(one.column == column for one in few) for column in columns), default=1)
    made.update_layout(
        annotations=[_arrow(way, places) for way in ways if way.source in places and way.target in places],
        height=110 + _ROW * tallest,
        margin={"l": 8, "r": 8, "t": 30, "b": 8},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
    )
    made.update_xaxes(visible=False, range=[-0.6, max(1, len(columns) - 1) + 0.6], fixedrange=True)
    made.update_yaxes(visible=False, range=[-tallest / 2 - 0.4, tallest / 2 + 0.2], fixedrange=True)
    return made


def _fewer(things: Sequence[Thing], ways: Sequence[Way]) -> tuple[list[Thing], list[Way]]:
    """No more of a column than can be read; the rest of it as one thing, which has their ways."""
    kept: list[Thing] = []
    instead: dict[str, str] = {}
    for column in dict.fromkeys(one.column for one in things):
        here = [one for one in things if one.column == column]
        most = len(here) if len(here) <= MOST else MOST - 1
        kept += here[:most]
        if rest := here[most:]:
            more = Thing(f"more {column}", "more", f"and {len(rest):,} more", column=column)
            kept.append(more)
            instead |= {one.id: more.id for one in rest}
    moved = [Way(instead.get(way.source, way.source), instead.get(way.target, way.target), way.how) for way in ways]
    return kept, list(dict.fromkeys(way for way in moved if way.source != way.target))


def _boxes(kind: str, few: Sequence[Thing], places: dict[str, tuple[float, float]]) -> go.Scatter:
    return go.Scatter(
        name=kind,
        x=[places[one.id][0] for one in few],
        y=[places[one.id][1] for one in few],
        mode="markers+text",
        marker={"symbol": "square", "size": 18, "color": _COLORS.get(kind, _COLORS["more"])},
        text=[f"{shown(one.name, 28)}<br><sub>{shown(one.detail, 32)}</sub>" if one.detail else shown(one.name, 28) for one in few],
        textposition="bottom center",
        customdata=[f"<b>{shown(one.name, 100)}</b><br>{shown(one.kind)}<br>{shown(one.detail, 100)}" for one in few],
        hovertemplate="%{customdata}<extra></extra>",
        cliponaxis=False,
    )


def _arrow(way: Way, places: dict[str, tuple[float, float]]) -> dict[str, object]:
    (from_x, from_y), (to_x, to_y) = places[way.source], places[way.target]
    return {
        "x": to_x,
        "y": to_y,
        "ax": from_x,
        "ay": from_y,
        "xref": "x",
        "yref": "y",
        "axref": "x",
        "ayref": "y",
        "text": "",
        "showarrow": True,
        "arrowhead": 2,
        "arrowwidth": 1.2,
        "arrowcolor": "rgba(128,128,128,0.7)",
        "standoff": 12,
        "startstandoff": 12,
        "hovertext": shown(way.how),
    }
