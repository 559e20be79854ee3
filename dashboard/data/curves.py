"""Curves of many runs, thinned as they are drawn: read in bulk, kept for minutes where a run has ended, for seconds where it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from prefect_ledger.entities import Run, to_micros
from prefect_ledger.queries import together
from prefect_ledger.tracking.ledger import ledger

from ..charts import bands, curves
from ..charts.bands import Band, Cells, Spread
from ..charts.curves import Curve, X
from .kept import Kept

ENDED, RUNNING = 600.0, 3.0  # seconds that curves are kept
_POINTS = 1 << 20  # that all kept curves have together; 32 bytes each


@dataclass(frozen=True)
class Wanted:
    """How curves are asked for: the weight of smoothing, the first and the last step, and how many points each may have."""

    weight: float = 0.0
    low: int | None = None
    high: int | None = None
    most: int = curves.POINTS


@dataclass(frozen=True)
class Line:
    """A curve that is wanted: of an attempt of a run, as it is called."""

    run: Run
    attempt: int
    name: str


_THINNED: Kept[Curve] = Kept(most=_POINTS, size=lambda one: len(one) + 50)
_CELLS: Kept[Cells] = Kept(most=_POINTS, size=lambda one: len(one) + 50)


def drawn(key: str, lines: Sequence[Line], wanted: Wanted) -> list[Curve]:
    """The metric's curve of each of these that has one, in their order, thinned and smoothed."""
    asked = {(one.run.id, one.attempt): one for one in lines}
    there = {at: kept for at in asked if (kept := _THINNED.get((*at, key, wanted))) is not None}
    for one in _read(key, [line for at, line in asked.items() if at not in there]):
        line = asked[one.run, one.attempt]
        there[one.run, one.attempt] = thinned = _thin(_whole(one, line), wanted)
        _THINNED.put((one.run, one.attempt, key, wanted), thinned, seconds=_seconds(line.run))
    return [_named(there[at], line) for at, line in asked.items() if at in there and len(there[at])]


def grouped(key: str, groups: Mapping[str, Sequence[Line]], wanted: Wanted, x: X, spread: Spread) -> list[Band]:
    """The metric's mean and band of each group."""
    lines = {(one.run.id, one.attempt): one for few in groups.values() for one in few}
    about = (key, wanted.low, wanted.high, x)
    there = {at: kept for at in lines if (kept := _CELLS.get((*at, about))) is not None}
    for one in _read(key, [line for at, line in lines.items() if at not in there]):
        line = lines[one.run, one.attempt]
        whole = curves.between(_whole(one, line), wanted.low, wanted.high)
        there[one.run, one.attempt] = cut = bands.cells(_places(whole, x), whole.values, whole=x != "relative")
        _CELLS.put((one.run, one.attempt, about), cut, seconds=_seconds(line.run))
    of_groups = {name: [there[at] for line in few if (at := (line.run.id, line.attempt)) in there] for name, few in groups.items()}
    return [bands.band(name, few, spread=spread, whole=x != "relative") for name, few in of_groups.items() if any(map(len, few))]


def _read(key: str, lines: Sequence[Line]) -> Iterable[together.Curve]:
    if not lines:
        return ()
    attempts: dict[str, set[int]] = {}
    for line in lines:
        attempts.setdefault(line.run.id, set()).add(line.attempt)
    return together.curves(ledger().database, list(attempts), [key], attempts)


def _whole(one: together.Curve, line: Line) -> Curve:
    began = None if line.run.started_at is None or line.attempt > 1 else to_micros(line.run.started_at)
    steps, times, values = one.points
    return Curve(line.name, steps, values, times, began, id=line.run.id)


def _thin(whole: Curve, wanted: Wanted) -> Curve:
    shown = curves.between(curves.smoothed(whole, wanted.weight), wanted.low, wanted.high)
    return _copied(curves.thin(shown, wanted.most))


def _copied(one: Curve) -> Curve:
    """The same with arrays of its own: a view would hold all that was read with it."""
    times = None if one.times is None else one.times.copy()
    smoothed = None if one.smoothed is None else one.smoothed.copy()
    return replace(one, steps=one.steps.copy(), values=one.values.copy(), times=times, smoothed=smoothed)


def _named(one: Curve, line: Line) -> Curve:
    return replace(one, name=line.name, dash="dot" if line.attempt != line.run.attempt else "solid")  # of an earlier attempt


def _places(one: Curve, x: X) -> curves.Floats:
    if x == "step" or one.times is None:
        return one.steps.astype(np.float64)
    if x == "time":
        return np.floor(one.times / 1_000)
    first = int(one.times.min()) if len(one) else 0
    began = first if one.began is None else min(first, one.began)
    found: curves.Floats = (one.times - began) / 1e6
    return found


def _seconds(run: Run) -> float:
    return ENDED if run.status.final else RUNNING
