"""Curves of a group as one: their mean, and a band from the lowest to the highest or of a standard deviation.

A curve is cut into cells of equal width along its axis, a power of two wide, so that curves that were cut apart fit together: no curve
need be there whole with another, and those whose every step has its own cell are taken as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from . import colors
from .curves import Floats, Integers, finish, smooth
from .texts import shown

Spread = Literal["range", "std"]
CELLS = 500  # that a band is drawn from at most
_FILL = 0.18
_FINEST = -20  # of time in seconds: a microsecond


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A curve in cells ``2 ** power`` wide: their numbers, rising, and of each the mean of its values, the lowest and the highest."""

    power: int
    at: Integers
    count: Integers
    mean: Floats
    low: Floats
    high: Floats

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """A group: where along the axis, the mean of its curves there, the ends of the band, and how many curves there are."""

    name: str
    x: Floats
    mean: Floats
    low: Floats
    high: Floats
    curves: int


def cells(x: Floats, values: Floats, *, whole: bool, most: int = CELLS) -> Cells:
    """The finite values of a curve in at most ``most`` cells. ``whole``: places are whole numbers, as steps are."""
    there = np.isfinite(values) & np.isfinite(x)
    x, values = x[there], values[there]
    if not len(x):
        return Cells(0 if whole else _FINEST, *(np.empty(0, kind) for kind in (np.int64, np.int64, float, float, float)))
    index = np.argsort(x, kind="stable")
    x, values = x[index], values[index]
    power = max(0 if whole else _FINEST, math.ceil(math.log2(max((x[-1] - x[0]) / most, 2.0**_FINEST))))
    return _cut(power, np.floor(np.ldexp(x, -power)).astype(np.int64), np.ones(len(x), np.int64), values, values, values)


def coarser(one: Cells, power: int) -> Cells:
    """The same curve in cells ``2 ** power`` wide; not finer than it is."""
    shift = power - one.power
    return one if shift <= 0 else _cut(power, one.at >> shift, one.count, one.mean, one.low, one.high)


def _cut(power: int, at: Integers, count: Integers, mean: Floats, low: Floats, high: Floats) -> Cells:
    starts = np.flatnonzero(np.concatenate(([True], at[1:] != at[:-1]))) if len(at) else np.empty(0, np.intp)
    if len(starts) == len(at):
        return Cells(power, at, count, mean, low, high)
    total = np.add.reduceat(count, starts)
    share = np.repeat(total, np.diff(starts, append=len(at)))
    mean = np.add.reduceat(mean * (count / share), starts)  # shares, so that no sum grows beyond what a number holds
    return Cells(power, at[starts], total, mean, np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts))


def band(name: str, curves: Sequence[Cells], *, spread: Spread = "range", whole: bool) -> Band:
    """The mean of the curves in each cell that any of them has; one that has nothing there counts with the line between its neighbours,
    as far as it reaches. ``spread``: the band has every value ("range"), or reaches a standard deviation of the curves' means ("std").
    """
    there = [one for one in curves if len(one)]
    if not there:
        none = np.empty(0)
        return Band(name, none, none, none, none, 0)
    power = max(one.power for one in there)
    there = [coarser(one, power) for one in there]
    at = np.unique(np.concatenate([one.at for one in there]))
    means = np.stack([np.interp(at, one.at, one.mean, left=np.nan, right=np.nan) for one in there])
    with np.errstate(all="ignore"):
        count = np.isfinite(means).sum(axis=0)
        mean = np.where(np.isfinite(means), means / count, 0).sum(axis=0)
        if spread == "std":
            off = np.sqrt(np.where(np.isfinite(means), (means - mean) ** 2, 0).sum(axis=0) / count)
            low, high = mean - off, mean + off
        else:
            low, high = _ends(there, at)
    width = 2.0**power
    place = at * width + ((width - 1) / 2 if whole else width / 2)
    return Band(name, place, mean, low, high, len(there))


def _ends(curves: Sequence[Cells], at: Integers) -> tuple[Floats, Floats]:
    low, high = np.full(len(at), np.inf), np.full(len(at), -np.inf)
    for one in curves:
        low = np.fmin(low, np.interp(at, one.at, one.low, left=np.nan, right=np.nan))
        high = np.fmax(high, np.interp(at, one.at, one.high, left=np.nan, right=np.nan))
    return low, high


def figure(
    bands: Sequence[Band],
    label: str,
    *,
    log_x: bool = False,
    log_y: bool = False,
    smoothing: float = 0.0,
    title: str = "",
    height: int = 380,
) -> go.Figure:
    """A line and a band for each group. ``smoothing`` is of the line alone: the band shows what was logged.

    Example:
        >>> steps = np.arange(3.0)
        >>> both = [cells(steps, steps, whole=True), cells(steps, steps + 2, whole=True)]
        >>> figure([band("xgb", both, whole=True)], "step").data[2].y
        array([1., 2., 3.])
    """
    made = go.Figure()
    hues = colors.of([one.name for one in bands])
    for one in bands:
        hue = hues[one.name]
        name = f"{shown(one.name)} ({one.curves})"
        edge: dict[str, Any] = {
            "x": one.x,
            "mode": "lines",
            "line": {"width": 0},
            "showlegend": False,
            "hoverinfo": "skip",
            "legendgroup": one.name,
        }
        made.add_trace(go.Scatter(y=one.low, **edge))
        made.add_trace(go.Scatter(y=one.high, fill="tonexty", fillcolor=hue.replace("hsl(", "hsla(").replace(")", f",{_FILL})"), **edge))
        about = np.stack([one.low, one.high], axis=1)
        hover = "<b>%{fullData.name}</b><br>%{x:,}<br>mean %{y:.6~g}<br>%{customdata[0]:.6~g} to %{customdata[1]:.6~g}<extra></extra>"
        line = smooth(one.mean, smoothing)
        mode = "lines" if len(one.x) > 1 else "lines+markers"
        made.add_trace(
            go.Scatter(
                x=one.x,
                y=line,
                name=name,
                legendgroup=one.name,
                mode=mode,
                line={"color": hue, "width": 2},
                customdata=about,
                hovertemplate=hover,
            )
        )
    return finish(made, label, title=title, log_x=log_x, log_y=log_y, height=height, names=len(bands))
