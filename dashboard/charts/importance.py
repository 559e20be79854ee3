"""Which parameters go with a metric: how much of its order over the runs each explains by itself. It says nothing of causes.

For numbers it is the square of Spearman's rank correlation; for categories, the share of the variance of the metric's ranks that lies
between them, less what as many categories would have by chance (epsilon squared). Both are from 0 to 1, and mean little for few runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from .columns import Column
from .curves import Floats
from .texts import shown

LEAST = 5  # runs below which nothing is said
_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Share:
    """What one parameter explains: ``share`` from 0 to 1, ``correlation`` from -1 to 1 (None of categories), over so many runs."""

    name: str
    share: float
    correlation: float | None
    runs: int
    values: int


def shares(params: Sequence[Column], metric: Column) -> list[Share]:
    """Of each parameter that is not the same everywhere, the most telling first; those that too few runs have are left out.

    Example:
        >>> from prefect_ledger.dashboard.charts.columns import column
        >>> shares([column("depth", ["1", "2", "3", "4", "5"])], column("auc", [0.1, 0.2, 0.3, 0.4, 0.9]))[0].share
        1.0
    """
    found = []
    for one in params:
        there = one.there & metric.there
        values = len(np.unique(one.numbers[there]))
        if there.sum() < LEAST or values < 2 or len(np.unique(metric.numbers[there])) < 2:
            continue
        x, y = one.numbers[there], ranks(metric.numbers[there])
        if one.words:
            found.append(Share(one.name, _between(x, y), None, int(there.sum()), values))
        else:
            correlation = float(np.clip(np.corrcoef(ranks(x), y)[0, 1], -1, 1))
            found.append(Share(one.name, round(correlation**2, 12), correlation, int(there.sum()), values))
    return sorted(found, key=lambda one: (-one.share, one.name))


def ranks(values: Floats) -> Floats:
    """The rank of each; equals share the mean of theirs."""
    _, inverse, count = np.unique(values, return_inverse=True, return_counts=True)
    upto = np.cumsum(count)
    found: Floats = (upto - (count - 1) / 2)[inverse]
    return found


def _between(groups: Floats, y: Floats) -> float:
    """Epsilon squared: the variance between groups less what chance gives, as a share of all."""
    _, inverse, count = np.unique(groups, return_inverse=True, return_counts=True)
    means = np.bincount(inverse, y) / count
    total, within = ((y - y.mean()) ** 2).sum(), ((y - means[inverse]) ** 2).sum()
    free = len(y) - len(count)
    if free <= 0:
        return 0.0  # every run has a category of its own: nothing can be told
    return float(max(0.0, (total - within - (len(count) - 1) * within / free) / total))


def figure(found: Sequence[Share], metric: str, *, height: int = 0) -> go.Figure:
    """A bar for each parameter, the most telling on top."""
    few = list(found[:_SHOWN])[::-1]
    told = ["of categories" if one.correlation is None else f"rank correlation {one.correlation:+.2f}" for one in few]
    colors = ["grey" if one.correlation is None else "hsl(211,68%,52%)" if one.correlation > 0 else "hsl(28,68%,52%)" for one in few]
    made = go.Figure(
        go.Bar(
            x=[one.share for one in few],
            y=[shown(one.name, 40) for one in few],
            orientation="h",
            marker={"color": colors},
            text=told,
            textposition="auto",
            customdata=[[one.runs, one.values] for one in few],
            hovertemplate="%{y}<br>share %{x:.3f}<br>%{text}<br>%{customdata[0]} runs, %{customdata[1]} values<extra></extra>",
        )
    )
    made.update_layout(height=height or 120 + 28 * len(few), margin={"l": 8, "r": 8, "t": 16, "b": 8})
    made.update_xaxes(range=[0, 1], title={"text": f"share of the order of {shown(metric, 40)}", "font": {"size": 12}})
    made.update_yaxes(automargin=True, type="category")
    return made
