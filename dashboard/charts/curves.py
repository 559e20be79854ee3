"""Curves of metrics over one another: thinned so that no spike is lost, smoothed with the raw line behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from . import colors
from .texts import shown

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
X = Literal["step", "time", "relative"]
POINTS = 1_000  # that a curve is drawn from at most
TOGETHER = 24_000  # that all curves of a figure are
_LEAST = 60
_NAME = 40  # characters
_LEGEND = 30  # names beside the figure; more are told by the pointer alone
_UNITS = ((172_800.0, 86_400.0, "days"), (7_200.0, 3_600.0, "hours"), (300.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))
_FAINT = 0.28


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The points of one metric of one run, by step: arrays of one length.

    ``steps`` are int64, ``values`` float64, ``times`` int64 microseconds since 1970 (UTC; None where nobody asks for them), as
    :class:`prefect_ledger.Series` has them. ``began`` is the time that "relative" counts from, else the first point's. ``smoothed`` is
    what is drawn in front, where it is known already; ``id`` gives the colour (else ``name`` does), ``left_out`` how many values are
    NaN or infinite, and so nowhere on the figure.

    Example:
        >>> Curve("trial 3", np.arange(3), np.array([3.0, 2.0, 1.0])).values.max()
        np.float64(3.0)
    """

    name: str
    steps: Integers
    values: Floats
    times: Integers | None = None
    began: int | None = None
    smoothed: Floats | None = None
    id: str = ""
    left_out: int | None = None
    dash: str = "solid"

    def __len__(self) -> int:
        return len(self.values)


def share(curves: int, panels: int = 1) -> int:
    """How many points each of so many curves is drawn from, in each of so many panels."""
    return max(_LEAST, min(POINTS, TOGETHER * min(panels, 3) // max(1, curves * panels)))


def thin(curve: Curve, most: int = POINTS) -> Curve:
    """About ``most`` of its points, at most: the lowest and the highest finite one of each of ``most / 2`` stretches of neighbours, and
    the ends. Each is a point as it was logged, at its own step. Where a stretch has nothing finite the line has a gap.
    """
    size = len(curve)
    counted = replace(curve, left_out=int(size - np.isfinite(curve.values).sum()) if curve.left_out is None else curve.left_out)
    if size <= most:
        return counted
    width = -(-size // max(1, (most - 2) // 2))
    rows = -(-size // width)
    starts = np.arange(rows) * width
    finite = np.isfinite(curve.values)
    low = starts + _padded(np.where(finite, curve.values, np.inf), rows * width, np.inf).reshape(rows, width).argmin(axis=1)
    high = starts + _padded(np.where(finite, curve.values, -np.inf), rows * width, -np.inf).reshape(rows, width).argmax(axis=1)
    return _at(counted, np.unique(np.concatenate((low, high, [0, size - 1]))))


def _padded(values: Floats, size: int, with_: float) -> Floats:
    return np.concatenate((values, np.full(size - len(values), with_)))


def _at(curve: Curve, index: npt.NDArray[Any]) -> Curve:
    times, smoothed = (None if column is None else column[index] for column in (curve.times, curve.smoothed))
    return replace(curve, steps=curve.steps[index], values=curve.values[index], times=times, smoothed=smoothed)


def between(curve: Curve, low: int | None, high: int | None) -> Curve:
    """The points of these steps alone, both ends among them."""
    if low is None and high is None:
        return curve
    there = np.ones(len(curve), bool)
    if low is not None:
        there &= curve.steps >= low
    if high is not None:
        there &= curve.steps <= high
    return _at(curve, np.flatnonzero(there))


def smooth(values: Floats, weight: float) -> Floats:
    """The exponential moving average: each is ``weight`` of what came before and the rest of itself, what is missing at the beginning
    made up for (as TensorBoard does). NaN and infinities are passed over. ``weight`` is from 0 (as it is) to below 1.

    Example:
        >>> smooth(np.array([0.0, 1.0, 1.0]), 0.5)
        array([0.        , 0.66666667, 0.85714286])
    """
    import pandas as pd

    if not 0 < weight < 1:
        return values
    there = pd.Series(np.where(np.isfinite(values), values, np.nan))
    found: Floats = there.ewm(alpha=1 - weight, adjust=True, ignore_na=True).mean().to_numpy()
    return found


def smoothed(curve: Curve, weight: float) -> Curve:
    """The curve with what is drawn in front of it. Before thinning: neighbours are those that were logged."""
    return replace(curve, smoothed=smooth(curve.values, weight)) if 0 < weight < 1 and curve.smoothed is None else curve


def figure(
    curves: Sequence[Curve],
    *,
    x: X = "step",
    log_x: bool = False,
    log_y: bool = False,
    smoothing: float = 0.0,
    title: str = "",
    height: int = 380,
) -> go.Figure:
    """The curves in one figure, whole or thinned before: about :data:`TOGETHER` points in all, and at most :data:`POINTS` each.

    ``x`` is the step, the time of day (UTC), or the time since each run began. ``smoothing`` is the weight of :func:`smooth`; the raw line
    stays behind it, so that a spike that it hides is seen all the same. Any text is shown as letters.

    Example:
        >>> steps = np.arange(5)
        >>> figure([Curve("trial 3", steps, 1.0 / (1 + steps))], title="loss").data[0].name
        'trial 3'
    """
    drawn = [thin(smoothed(one, smoothing), share(len(curves))) for one in curves]
    made = go.Figure()
    hues = colors.of([one.id or one.name for one in drawn])
    places, label = across(drawn, x)
    for one, place in zip(drawn, places, strict=True):
        hue = hues[one.id or one.name]
        for trace in _lines(one, place, x, hue):
            made.add_trace(trace)
    finish(made, label, title=title, log_x=log_x and x != "time", log_y=log_y, height=height, names=len(drawn), time=x == "time")
    return made


def across(curves: Sequence[Curve], x: X) -> tuple[list[Floats], str]:
    """Where the points of each curve stand from left to right, and what that is called."""
    if x == "step":
        return [one.steps.astype(np.float64) for one in curves], "step"
    times = [np.zeros(len(one), np.int64) if one.times is None else one.times for one in curves]
    if x == "time":
        return [(at / 1_000).astype(np.float64) for at in times], "time (UTC)"  # plotly's dates are milliseconds
    began = [_began(one, at) for one, at in zip(curves, times, strict=True)]
    seconds = [(at - start) / 1e6 for at, start in zip(times, began, strict=True)]
    longest = max((float(np.max(one)) for one in seconds if len(one)), default=0.0)
    size, unit = next((size, unit) for least, size, unit in _UNITS if longest >= least or not least)
    return [one / size for one in seconds], f"{unit} since the run began"


def _began(curve: Curve, times: Integers) -> int:
    first = int(times.min()) if len(times) else 0
    return first if curve.began is None else min(curve.began, first)


def _lines(curve: Curve, place: Floats, x: X, hue: str) -> list[go.Scatter]:
    if len(place) and (place[1:] < place[:-1]).any():  # by step is not always by time
        index = np.argsort(place, kind="stable")
        curve, place = _at(curve, index), place[index]
    values = np.where(np.isfinite(curve.values), curve.values, np.nan)
    told = "" if x == "step" else "<br>step %{customdata:,}"
    at = "step %{x:,}" if x == "step" else "%{x|%Y-%m-%d %H:%M:%S}" if x == "time" else "%{x:.4~g}"
    hover = f"<b>%{{fullData.name}}</b><br>{at}{told}<br>%{{y:.6~g}}<extra></extra>"
    common: dict[str, Any] = {
        "x": place,
        "name": shown(curve.name, _NAME),
        "legendgroup": curve.id or curve.name,
        "mode": "lines+markers" if np.isfinite(values).sum() <= 1 else "lines",  # one point alone is no line
        "customdata": None if x == "step" else curve.steps.astype(np.float64),
        "hovertemplate": hover,
    }
    line = {"color": hue, "width": 1.6, "dash": curve.dash}
    if curve.smoothed is None:
        return [go.Scatter(y=values, line=line, **common)]
    behind = go.Scatter(
        **{**common, "y": values, "line": {**line, "width": 1}, "opacity": _FAINT, "showlegend": False, "hoverinfo": "skip"}
    )
    behind.hovertemplate = None
    return [
        behind,
        go.Scatter(y=curve.smoothed, line=line, **{**common, "hovertemplate": hover.replace("%{y:.6~g}", "%{y:.6~g} smoothed")}),
    ]


def finish(
    made: go.Figure,
    label: str,
    *,
    title: str = "",
    log_x: bool = False,
    log_y: bool = False,
    height: int = 380,
    names: int = 1,
    time: bool = False,
) -> go.Figure:
    """Axes, margins and legend as every curve chart has them; ``names``: how many would stand in the legend."""
    made.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 36 if title else 12, "b": 8},
        title={"text": shown(title, 90), "font": {"size": 14}} if title else None,
        hovermode="closest",
        hoverlabel={"namelength": -1},
        showlegend=1 < names <= _LEGEND,
        legend={"font": {"size": 11}, "itemsizing": "constant"},
    )
    made.update_xaxes(title={"text": label, "font": {"size": 12}}, type="date" if time else "log" if log_x else "linear", automargin=True)
    made.update_yaxes(type="log" if log_y else "linear", automargin=True)
    return made
