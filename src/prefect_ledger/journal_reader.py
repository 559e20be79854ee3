"""Floor 2. Reads a journal from a position on: this process's own while it is written, or one that a dead process left.

Reading is vectorised: a run of points comes out as one array, only other records are walked. What is read is a :class:`Batch` with the
position before and after; nothing is forgotten until the caller says that the store has it.
"""

from __future__ import annotations

import bisect
import json
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prefect_ledger.events import Event, unpack
from prefect_ledger.segments import (
    ARRAY,
    HEADER_BYTES,
    POINT_MARK,
    RECORD,
    RECORD_MARK,
    SLOT,
    Kind,
    Segment,
    newest,
    open_segment,
    segment_path,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prefect_ledger.journal import Journal, SeriesName

SLOTS_A_BATCH = 1 << 18  # beside a busy main thread each numpy call waits 5 ms: few large batches (1 M points: 0.7 s, with 1 << 16 6.7 s)
Position = tuple[int, int]  # segment, slot
_MARK = struct.Struct("<I")  # the last word of a slot
_LAYOUT = np.dtype([("step", "<i8"), ("at", "<i8"), ("value", "<f8"), ("series", "<u4"), ("mark", "<u4")])


@dataclass
class Batch:
    """What stood between two positions. Times are µs; series are the journal's own numbers, named in ``names``."""

    old: Position
    new: Position
    names: dict[int, SeriesName]
    events: list[Event] = field(default_factory=list)
    series: list[NDArray[Any]] = field(default_factory=list)
    steps: list[NDArray[Any]] = field(default_factory=list)
    times: list[NDArray[Any]] = field(default_factory=list)
    values: list[NDArray[Any]] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)  # segments that are read whole
    damaged: int = 0  # slots that could not be read: skipped
    waiting: list[NDArray[Any]] = field(default_factory=list)  # slots of points, as they lie in the segment, not yet in the columns

    def settle(self) -> None:
        """Put the points that are waiting into the columns: together, because names of series may stand between any two of them."""
        if not self.waiting:
            return
        slots = self.waiting[0] if len(self.waiting) == 1 else np.concatenate(self.waiting)
        self.waiting.clear()
        self.series.append(slots["series"].astype(np.int64))
        self.steps.append(slots["step"].astype(np.int64))
        self.times.append(slots["at"] // 1000)
        self.values.append(slots["value"].astype(np.float64))

    @property
    def points(self) -> int:
        """How many points are in the batch."""
        return sum(len(part) for part in self.values)


class JournalReader:
    """Follows one journal. ``live``: this process's own, read up to what writers have finished; ``beside``: where a dead one goes on."""

    def __init__(self, folder: Path, *, live: Journal | None = None, position: Position = (1, 0), beside: Path | None = None) -> None:
        self.folder, self.live = folder, live
        self._folders = (folder,) if beside is None else (folder, beside)
        self.position = position
        self.names: dict[int, SeriesName] = {}
        self._named: int = 0  # the segment whose names are known up to the position
        self._said: dict[int, int] = {}  # the last segment that announced each name: it is asked for no later one
        self._open: dict[int, Segment] = {}
        self._walked = 0  # the segment being walked
        self._announced = np.empty(0, np.int64)  # the numbers of ``names``, sorted
        self.damaged = False  # something could not be read: no segment is removed from here on

    def read(self, limit: int = SLOTS_A_BATCH) -> Batch | None:
        """The next records, about ``limit`` slots of them; None when there is nothing new. Does not move the position."""
        number, slot = self.position
        batch = Batch(self.position, self.position, self.names)
        while limit > 0:
            end_number, end_slot = self.live.position() if self.live is not None else (0, 0)
            newer = end_number > number if self.live is not None else newest(*self._folders) > number
            segment = self._segment(number)
            if segment is None:
                if not newer:
                    break
                number, slot = number + 1, 0  # the segment was given back by somebody who died before moving on
                continue
            total = (segment.size - HEADER_BYTES) // SLOT
            end = end_slot if self.live is not None and end_number == number else total
            self._learn(segment, slot)
            reached = self._walk(segment, slot, min(end, slot + limit), batch)
            limit -= reached - slot
            finished = reached >= end or reached < min(end, slot + limit)
            slot = reached
            if not (newer and finished and limit > 0):
                break
            batch.passed.append(number)
            number, slot = number + 1, 0
        batch.new = (number, slot)
        self._name_all(batch, number)
        return None if batch.new == batch.old else batch

    def advance(self, batch: Batch) -> None:
        """Go on behind ``batch``: the store has it."""
        self.position = batch.new
        self.damaged |= batch.damaged > 0
        for number in batch.passed:
            self._forget(number)
        if batch.passed:  # each segment announces anew what it uses, so what only earlier ones did is done with
            number = self.position[0]
            self._said = {series: segment for series, segment in self._said.items() if segment == number}
            self.names, self._announced = {series: self.names[series] for series in self._said}, np.empty(0, np.int64)

    def seek(self, position: Position) -> None:
        """Go on at a position that the store named."""
        self.position, self._named = position, 0

    def close(self) -> None:
        """Unmap what this reader mapped."""
        for number in list(self._open):
            self._open.pop(number).memory.close()

    def _path(self, number: int) -> Path:
        paths = [segment_path(folder, number) for folder in self._folders]
        return next((path for path in paths if path.exists()), paths[0])

    def _segment(self, number: int) -> Segment | None:
        if self.live is not None:
            return self.live.segments.get(number)
        if number not in self._open:
            segment = open_segment(self._path(number), number)
            if segment is None:
                return None
            self._open[number] = segment
            self.damaged |= not segment.whole
        return self._open[number]

    def _forget(self, number: int) -> None:
        if self.live is not None:
            self.live.release(number)
            return
        segment = self._open.pop(number, None)
        if segment is not None:
            segment.memory.close()
        if not self.damaged:
            self._path(number).unlink(missing_ok=True)

    def _learn(self, segment: Segment, slot: int) -> None:
        """Names announced before the position, when the reader begins in the middle of a segment."""
        if self._named != segment.number:
            self._named = segment.number
            if slot:
                self._walk(segment, 0, slot, Batch((0, 0), (0, 0), {}))

    def _name_all(self, batch: Batch, number: int) -> None:
        """See that each point's series has a name; one that was never announced is damage, and its points are left out.

        A name may stand behind its points when a signal handler came between them; then the whole segment is asked.
        """
        if all(self._all_known(part) or self._known(part).all() for part in batch.series):
            return
        if (segment := self._segment(number)) is not None:
            self._walk(segment, 0, (segment.size - HEADER_BYTES) // SLOT, Batch((0, 0), (0, 0), {}))
        for index, part in enumerate(batch.series):
            known = self._known(part)
            batch.damaged += int((~known).sum())
            for columns in (batch.series, batch.steps, batch.times, batch.values):
                columns[index] = columns[index][known]

    def _all_known(self, series: NDArray[Any]) -> bool:
        """Whether each number was announced, where that is seen at once: as many were as there are from the smallest to the greatest."""
        if not len(series) or not series.strides[0]:
            return False
        low, high = int(series.min()), int(series.max())
        known = self._announced_now()
        first, last = np.searchsorted(known, (low, high)).tolist()
        return bool(last < len(known) and known[first] == low and known[last] == high and last - first == high - low)

    def _announced_now(self) -> NDArray[np.int64]:
        if len(self._announced) != len(self.names):
            self._announced = np.array(sorted(self.names), np.int64)
        return self._announced

    def _known(self, series: NDArray[Any]) -> NDArray[Any]:
        """Whether each number of a series was announced."""
        if len(series) and not series.strides[0]:  # an array's: all of one series
            return np.full(len(series), int(series[0]) in self.names)
        known = self._announced_now()
        if not len(known):
            return np.zeros(len(series), bool)
        found: NDArray[Any] = known[np.minimum(np.searchsorted(known, series), len(known) - 1)] == series
        return found

    def _walk(self, segment: Segment, start: int, end: int, batch: Batch) -> int:
        """Read slots ``start`` to ``end``; returns the slot behind the last whole record (it may pass ``end``)."""
        if end <= start:
            return start
        self._walked = segment.number
        slots = np.frombuffer(segment.memory, _LAYOUT, (segment.size - HEADER_BYTES) // SLOT, HEADER_BYTES)
        try:
            others: list[int] | None = None  # where no point stands; not asked for while there are none but records
            at = start
            while at < end:
                if _MARK.unpack_from(segment.memory, HEADER_BYTES + (at + 1) * SLOT - _MARK.size)[0] == POINT_MARK:
                    if others is None:
                        others = [*(np.flatnonzero(slots["mark"][at:end] != POINT_MARK) + at).tolist(), end]
                    other = others[bisect.bisect_left(others, at)]
                    batch.waiting.append(slots[at:other])
                    at = other
                if at >= end:
                    break
                length = self._take_record(segment, at, len(slots) - at, batch)
                if not length:
                    further = self._resume(segment, slots, at) if self.live is None else 0
                    if not further:
                        break
                    batch.damaged += further - at
                    length = further - at
                at += length
            return at
        finally:
            batch.settle()
            del slots  # a view that lives on keeps the segment mapped

    def _resume(self, segment: Segment, slots: NDArray[Any], slot: int) -> int:
        """The next slot behind ``slot`` where a whole record stands; 0 when none does, as at the end of what was written.

        A dead process leaves at most one record half written, the last. Anything whole behind an unreadable slot means damage.
        """
        behind = slots["mark"][slot + 1 :]
        points = np.flatnonzero(behind == POINT_MARK) + slot + 1
        points = points[self._known(slots["series"][points].astype(np.int64))] if len(points) else points
        best = int(points[0]) if len(points) else 0
        for at in (np.flatnonzero(behind == RECORD_MARK) + slot + 1).tolist():
            if best and at > best:
                break
            scratch = Batch((0, 0), (0, 0), dict(self.names))
            if self._take_record(segment, at, len(slots) - at, scratch) and not scratch.damaged:
                return int(at)
        return best

    def _take_record(self, segment: Segment, slot: int, room: int, batch: Batch) -> int:
        """Read one record; returns the slots it takes, 0 when none stands here."""
        offset = HEADER_BYTES + slot * SLOT
        length, crc, _, series, kind, count, mark = RECORD.unpack_from(segment.memory, offset)
        if mark != RECORD_MARK or not 1 <= count <= room or length > (count - 1) * SLOT:
            return 0
        payload = bytes(segment.memory[offset + SLOT : offset + SLOT + length])
        if kind == Kind.SKIP:
            return int(count)
        if zlib.crc32(payload) != crc:
            batch.damaged += 1
            return int(count)
        self._take(kind, series, payload, batch)
        return int(count)

    def _take(self, kind: int, series: int, payload: bytes, batch: Batch) -> None:
        if kind == Kind.SERIES:
            run, key, attempt, task, turn = json.loads(payload)
            self.names[series] = (run, key, attempt, task, turn)
            self._said[series] = self._walked
        elif kind == Kind.EVENT:
            event = unpack(payload)
            if event is not None:
                batch.events.append(event)
        elif kind == Kind.ARRAY:
            batch.settle()  # in the order of arrival
            _take_array(series, payload, batch)


def _take_array(series: int, payload: bytes, batch: Batch) -> None:
    flags, count, start, now = ARRAY.unpack_from(payload, 0)
    if not count:
        return
    arrays = [np.frombuffer(payload, "<f8", count, ARRAY.size)]
    for _ in range((flags & 1) + (flags >> 1 & 1)):
        arrays.append(np.frombuffer(payload, "<i8", count, ARRAY.size + 8 * count * len(arrays)))
    rest = iter(arrays[1:])
    batch.series.append(np.broadcast_to(np.int64(series), count))
    batch.values.append(arrays[0])
    batch.steps.append(next(rest) if flags & 1 else np.arange(start, start + count, dtype=np.int64))
    batch.times.append(next(rest) if flags & 2 else np.full(count, now // 1000, np.int64))


def left_behind(folder: Path) -> Iterable[Path]:
    """Folders of journals below ``folder``, oldest name first; those still being made are left out."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
