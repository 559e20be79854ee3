"""Floor 1. Points made ready for the store: grouped by series, summarized, encoded. All that costs time, before a transaction begins.

A series with many points gets chunks of its own; all others of a run share mixed chunks, however many they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefect_ledger.chunks import CHUNK, encode_many, encode_mixed
from prefect_ledger.points import Groups, Points
from prefect_ledger.summaries import SummaryRow, merge_summaries, summarize_groups

SeriesName = tuple[str, str, int, str, int]  # run, key, attempt, task run, try
Chunk = tuple[int | None, str | None, int, bytes]  # series, or the run of a mixed one; points; what encodes them

SMALL_CHUNK = CHUNK // 4  # a series' chunks of fewer points are joined when the run ends
OWN_CHUNK = 2_048  # points of one series in one flush from which it gets a chunk of its own
HURRIED = 8  # series with own chunks in one flush from which small chunks are not deflated: each would wait for the GIL twice
AT_ONCE = 2 * CHUNK  # points encoded together: few waits for the GIL, and no array so large that its memory is new each time


@dataclass(frozen=True)
class Flush:
    """Points made ready for one transaction: everything that costs time is done before it begins."""

    series: list[tuple[int, SeriesName, SummaryRow]]
    metrics: dict[tuple[str, str], tuple[int, SummaryRow]]
    chunks: list[Chunk]
    hurried: bool = False  # small chunks of it are not deflated

    @property
    def runs(self) -> set[str]:
        """The runs that have points in it."""
        return {name[0] for _, name, _ in self.series}

    @property
    def mixed(self) -> list[str]:
        """The run of each mixed chunk in it."""
        return [run for _, run, _, _ in self.chunks if run is not None]


def prepare(groups: Groups, names: Mapping[int, SeriesName]) -> Flush:
    """Summarize and encode points; ``names`` has what each of the store's series ids is."""
    series = [(i, names[i], row) for i, row in zip(groups.ids, summarize_groups(groups), strict=True)]
    metrics: dict[tuple[str, str], tuple[int, SummaryRow]] = {}
    for _, (run, key, attempt, _, _), row in series:
        before = metrics.get((run, key))
        if before is None or before[0] < attempt:
            metrics[run, key] = (attempt, row)
        elif before[0] == attempt:
            metrics[run, key] = (attempt, merge_summaries(before[1], row))
    big = groups.counts >= OWN_CHUNK
    hurried = int(big.sum()) >= HURRIED
    return Flush(series, metrics, list(_cut(groups, big, names, hurried=hurried)), hurried)


def _cut(groups: Groups, big: NDArray[Any], names: Mapping[int, SeriesName], *, hurried: bool) -> Iterable[Chunk]:
    if big.any():
        yield from own_chunks(_some(groups, big), hurried=hurried)
    if big.all():
        return
    small = _some(groups, ~big)
    ids = small.each
    for run, part in _by_run(small.ids, ids, names):
        some = (ids, small.points) if part is None else (ids[part], _pick(small.points, part))
        yield from mixed_chunks(run, *some)


def _some(groups: Groups, which: NDArray[Any]) -> Groups:
    """Some of the groups, as they are when it is all."""
    if which.all():
        return groups
    return Groups(
        [i for i, w in zip(groups.ids, which.tolist(), strict=True) if w],
        groups.counts[which],
        _pick(groups.points, np.repeat(which, groups.counts)),
    )


def _by_run(present: Sequence[int], ids: NDArray[Any], names: Mapping[int, SeriesName]) -> Iterable[tuple[str, NDArray[Any] | None]]:
    runs = {names[i][0] for i in present}
    if len(runs) == 1:
        yield runs.pop(), None
        return
    for run in sorted(runs):
        yield run, np.isin(ids, [i for i in present if names[i][0] == run])


def own_chunks(groups: Groups, *, hurried: bool = False) -> Iterable[Chunk]:
    """Chunks of each series' points. ``hurried``: those which are small, and joined with others when the run ends, are not deflated."""
    pieces = [
        (i, min(CHUNK, count - low)) for i, count in zip(groups.ids, groups.counts.tolist(), strict=True) for low in range(0, count, CHUNK)
    ]
    start = 0
    for some in _together(pieces):
        counts = [count for _, count in some]
        end = start + sum(counts)
        blobs = encode_many(_slice(groups.points, start, end), counts, hurried=hurried and max(counts) < SMALL_CHUNK)
        yield from ((i, None, count, blob) for (i, count), blob in zip(some, blobs, strict=True))
        start = end


def _together(pieces: Iterable[tuple[int, int]]) -> Iterable[list[tuple[int, int]]]:
    """Pieces (series, points) that follow each other, as many together as are encoded at once."""
    some: list[tuple[int, int]] = []
    total = 0
    for piece in pieces:
        if some and total + piece[1] > AT_ONCE:
            yield some
            some, total = [], 0
        some.append(piece)
        total += piece[1]
    if some:
        yield some


def mixed_chunks(run: str, ids: NDArray[Any], points: Points) -> Iterable[Chunk]:
    """Mixed chunks of one run's points, grouped by id."""
    for low in range(0, len(ids), CHUNK):
        part = _slice(points, low, min(low + CHUNK, len(ids)))
        yield None, run, len(part.values), encode_mixed(ids[low : low + CHUNK], part)


def _slice(points: Points, low: int, high: int) -> Points:
    return Points(points.steps[low:high], points.times[low:high], points.values[low:high])


def _pick(points: Points, where: NDArray[Any]) -> Points:
    return Points(points.steps[where], points.times[where], points.values[where])
