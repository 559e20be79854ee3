"""The steps of a run on one line of time: when each waited, worked, was tried again, or came from the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from prefect_ledger.formats import clean, duration

from .texts import shown

MOST = 400  # steps in one figure
_ROW, _LEAST = 24, 140  # pixels
_NAME = 40  # characters beside the axis
_COLORS = {
    "COMPLETED": "#3d9a50",
    "CACHED": "#7a6fd0",
    "FAILED": "#d64545",
    "CRASHED": "#a33a8a",
    "CANCELLED": "#c98a1b",
    "CANCELLING": "#c98a1b",
    "PAUSED": "#c98a1b",
    "RUNNING": "#3b7dd8",
}
_OTHER, _WAITED = "#8a8f98", "rgba(128,128,128,0.35)"


@dataclass(frozen=True, slots=True)
class Step:
    """A step: times in microseconds since 1970 (UTC), waiting in seconds; ``source`` says where a cached result came from."""

    name: str
    state: str
    start: int
    end: int
    waited: float = 0.0
    tries: int = 1
    cached: bool = False
    source: str = ""


def figure(steps: Sequence[Step]) -> go.Figure:
    """A bar for each step, those that began first on top; at most :data:`MOST` of them. Any text is shown as letters.

    Example:
        >>> len(figure([Step("load", "COMPLETED", 0, 1_000_000, waited=0.5)]).data)
        2
    """
    drawn = sorted(steps, key=lambda one: (one.start, one.end))[:MOST]
    made = go.Figure()
    waits = [(at, one) for at, one in enumerate(drawn) if one.waited > 0]
    if waits:
        made.add_trace(_bars("waited", _WAITED, waits, [one.start / 1e3 - one.waited * 1e3 for _, one in waits], _waits(waits)))
    for state in dict.fromkeys(_state(one) for one in drawn):
        few = [(at, one) for at, one in enumerate(drawn) if _state(one) == state]
        made.add_trace(_bars(state, _COLORS.get(state, _OTHER), few, [one.start / 1e3 for _, one in few], [_length(one) for _, one in few]))
    _marked(made, drawn)
    made.update_layout(
        barmode="overlay",
        height=max(_LEAST, 80 + _ROW * len(drawn)),
        margin={"l": 8, "r": 8, "t": 30, "b": 8},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        hoverlabel={"namelength": -1},
        showlegend=True,
    )
    made.update_xaxes(type="date", title={"text": "time (UTC)", "font": {"size": 12}}, automargin=True)
    names = [shown(one.name, _NAME) for one in drawn]
    made.update_yaxes(
        range=[len(drawn) - 0.4, -0.6],  # the first on top
        tickmode="array",
        tickvals=list(range(len(drawn))),
        ticktext=names,
        automargin=True,
        showgrid=False,
    )
    return made


def _bars(name: str, color: str, few: Sequence[tuple[int, Step]], base: list[float], lengths: list[float]) -> go.Bar:
    return go.Bar(
        name=shown(name.lower()),
        orientation="h",
        y=[at for at, _ in few],
        x=lengths,
        base=base,
        width=0.7,  # else plotly makes bars as wide as the steps of one state are far apart
        marker={"color": color, "line": {"width": 0}},
        customdata=[_told(one) for _, one in few],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _marked(made: go.Figure, drawn: Sequence[Step]) -> None:
    """What a bar alone does not say: a step of no length that came from the cache, and more than one try."""
    cached = [(at, one) for at, one in enumerate(drawn) if one.cached]
    common: dict[str, Any] = {"hovertemplate": "%{customdata}<extra></extra>", "showlegend": False}
    if cached:
        made.add_trace(
            go.Scatter(
                x=[one.start / 1e3 for _, one in cached],
                y=[at for at, _ in cached],
                mode="markers",
                marker={"symbol": "diamond", "size": 9, "color": _COLORS["CACHED"]},
                customdata=[_told(one) for _, one in cached],
                **common,
            )
        )
    again = [(at, one) for at, one in enumerate(drawn) if one.tries > 1]
    if again:
        made.add_trace(
            go.Scatter(
                x=[one.end / 1e3 for _, one in again],
                y=[at for at, _ in again],
                mode="text",
                text=[f" {one.tries} tries" for _, one in again],
                textposition="middle right",
                customdata=[_told(one) for _, one in again],
                cliponaxis=False,
                **common,
            )
        )


def _state(one: Step) -> str:
    return "CACHED" if one.cached else clean(one.state).upper()[:20]


def _length(one: Step) -> float:
    return max(0.0, (one.end - one.start) / 1e3)


def _waits(waits: Sequence[tuple[int, Step]]) -> list[float]:
    return [one.waited * 1e3 for _, one in waits]


def _told(one: Step) -> str:
    parts = [f"<b>{shown(one.name, 80)}</b>", shown(one.state.lower()), f"took {duration(_length(one) / 1e3)}"]
    if one.waited > 0:
        parts.append(f"waited {duration(one.waited)}")
    if one.tries > 1:
        parts.append(f"{one.tries} tries")
    if one.cached:
        parts.append(f"from the cache{': run ' + shown(one.source) if one.source else ''}")
    return "<br>".join(parts)
