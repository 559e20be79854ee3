"""A metric over two parameters, as a landscape between the runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from . import colors, scatter
from .columns import Column
from .curves import Floats

_SIDE = 40  # places along each axis
LEAST = 4  # runs below which there is no landscape


def figure(x: Column, y: Column, z: Column, names: Sequence[str], *, height: int = 560) -> tuple[go.Figure, int]:
    """The figure, and how many runs are left out because they lack a value. Between runs the landscape is a mean of all of them, each
    weighed by the inverse square of its distance: a picture, and no model. It goes through the runs, which stand on it as points.

    Example:
        >>> from prefect_ledger.dashboard.charts.columns import column
        >>> axes = [column(name, [0.0, 1.0, 0.0, 1.0]) for name in ("x", "y", "z")]
        >>> figure(*axes, ["a", "b", "c", "d"])[0].data[0].z.shape
        (40, 40)
    """
    there = x.there & y.there & z.there
    xs, ys, zs = (one.scaled[there] for one in (x, y, z))
    made, _ = scatter.figure(
        _of(x, there), _of(y, there), [name for name, is_there in zip(names, there, strict=True) if is_there], height=height
    )
    made.update_traces(marker={"color": "white", "size": 8, "line": {"color": "black", "width": 1}})
    if len(zs) >= LEAST:
        across, up, found = landscape(xs, ys, zs)
        land = go.Contour(
            x=across,
            y=up,
            z=found,
            colorscale=colors.SCALE,
            colorbar=scatter.bar(z),
            hoverinfo="skip",
            contours={"coloring": "heatmap"},
            line={"width": 0.5},
        )
        made = go.Figure([land, *made.data], made.layout)
    return made, int((~there).sum())


def _of(one: Column, there: np.ndarray) -> Column:
    return Column(one.name, one.numbers[there], one.words)


def landscape(x: Floats, y: Floats, z: Floats, side: int = _SIDE) -> tuple[Floats, Floats, Floats]:
    """Places along both axes, and the height at each: between the lowest and the highest of ``z``."""
    across, up = np.linspace(x.min(), x.max(), side), np.linspace(y.min(), y.max(), side)
    wide, high = np.ptp(x) or 1.0, np.ptp(y) or 1.0
    gx, gy = np.meshgrid(across, up)
    away = ((gx[..., None] - x) / wide) ** 2 + ((gy[..., None] - y) / high) ** 2
    weights = 1.0 / (away + 1e-6)
    weights /= weights.sum(axis=-1, keepdims=True)
    found = (weights * z).sum(axis=-1)
    return across, up, np.clip(found, z.min(), z.max())
