"""An interval of a difference, beside what is the least that is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from .texts import shown


def figure(values: Mapping[str, Any]) -> go.Figure:
    """The difference from the champion as a point, its interval as a bar, 0 and the least that is wanted as lines.

    Args:
        values: of a bootstrap gate: ``interval`` (two numbers), and where they are known ``difference``, ``at_least``, ``oriented``.
    """
    low, high = values["interval"]
    middle, least = values.get("difference"), values.get("at_least")
    middle = (low + high) / 2 if not isinstance(middle, int | float) else middle
    made = go.Figure(
        go.Scatter(
            x=[middle],
            y=[""],
            mode="markers",
            marker={"size": 10},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [high - middle],
                "arrayminus": [middle - low],
                "thickness": 2,
                "width": 8,
            },
            hovertemplate=f"%{{x:.4g}}, from {low:.4g} to {high:.4g}<extra></extra>",
        )
    )
    made.add_vline(x=0, line={"width": 1, "dash": "dot", "color": "gray"})
    if isinstance(least, int | float):
        made.add_vline(
            x=least, line={"width": 2, "color": "crimson"}, annotation_text=f"at least {least:g}", annotation_position="top right"
        )
    title = shown(values.get("oriented", "difference from the champion"), longest=80)
    made.update_layout(height=130, margin={"l": 8, "r": 8, "t": 22, "b": 8}, showlegend=False, xaxis={"title": f"{title}, right is better"})
    return made
