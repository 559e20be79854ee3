"""How a metric went from run to run: each run a point, and the best so far as a line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import plotly.graph_objects as go

from .texts import shown


def best_so_far(values: Sequence[float], *, lower: bool) -> list[float]:
    """After each value the best until then; NaN where there was none yet.

    Example:
        >>> best_so_far([3.0, 2.0, 5.0], lower=True), best_so_far([3.0, 2.0, 5.0], lower=False)
        ([3.0, 2.0, 2.0], [3.0, 3.0, 5.0])
    """
    best, found = math.nan, []
    for value in values:
        if not math.isnan(value) and (math.isnan(best) or (value < best if lower else value > best)):
            best = value
        found.append(best)
    return found


def figure(key: str, points: Sequence[tuple[str, int, float]], *, lower: bool) -> go.Figure:
    """The chart.

    Args:
        key: the metric.
        points: id, start (µs) and value of each run, the oldest first.
        lower: whether less is better.
    """
    times = [datetime.fromtimestamp(at / 1e6, UTC) for _, at, _ in points]
    values = [value for _, _, value in points]
    made = go.Figure()
    made.add_scatter(
        x=times,
        y=values,
        mode="markers",
        name="runs",
        marker={"size": 7},
        customdata=[run[:8] for run, _, _ in points],
        hovertemplate="run %{customdata}<br>%{x|%Y-%m-%d %H:%M}<br>%{y:.6g}<extra></extra>",
    )
    made.add_scatter(
        x=times,
        y=best_so_far(values, lower=lower),
        mode="lines",
        name="lowest so far" if lower else "highest so far",
        line={"shape": "hv", "width": 1.5, "dash": "dot"},
        hovertemplate="%{y:.6g}<extra>best so far</extra>",
    )
    made.update_layout(height=300, margin={"l": 8, "r": 8, "t": 8, "b": 8}, legend={"orientation": "h", "y": 1.12})
    made.update_yaxes(title=shown(key))
    return made
