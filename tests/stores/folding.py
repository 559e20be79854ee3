"""Brings events and points into a store as drains do, and takes its rows out in a form that does not know in which order they came."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from prefect_ledger.chunks import decode, decode_mixed
from prefect_ledger.database import Database, execute, rows
from prefect_ledger.drain import Drain
from prefect_ledger.events import Event
from prefect_ledger.flushes import SeriesName
from prefect_ledger.journal_reader import Batch, JournalReader, Position
from prefect_ledger.points import Points
from prefect_ledger.tables import METADATA


@dataclass(frozen=True)
class Point:
    """One point, with all that names its series."""

    series: SeriesName
    step: int
    time: int
    value: float


Said = Event | Point
_LEFT_OUT = {"experiments": {"created", "updated"}, "series": {"id"}, "notes": {"id"}, "runs": {"seen"}}  # seen: of the whole batch


class Spoken(JournalReader):
    """A journal that holds these batches, as one that a dead process left."""

    def __init__(self, batches: Sequence[Sequence[Said]]) -> None:
        super().__init__(Path("nowhere"))
        self._batches = [batch for batch in batches if batch]

    def read(self, limit: int = 0) -> Batch | None:
        """The batch at the position."""
        number, slot = self.position
        if slot >= len(self._batches):
            return None
        return as_batch(self._batches[slot], self.position, (number, slot + 1))

    def advance(self, batch: Batch) -> None:
        """On to the next one."""
        self.position = batch.new


def as_batch(said: Iterable[Said], old: Position, new: Position) -> Batch:
    """``said`` as a reader gives it."""
    batch = Batch(old, new, {})
    numbers: dict[SeriesName, int] = {}
    for one in said:
        if not isinstance(one, Point):
            batch.events.append(one)
            continue
        number = numbers.setdefault(one.series, len(numbers) + 1)
        batch.names[number] = one.series
        batch.series.append(np.array([number], np.int64))
        batch.steps.append(np.array([one.step], np.int64))
        batch.times.append(np.array([one.time], np.int64))
        batch.values.append(np.array([one.value], np.float64))
    return batch


class Drains:
    """Drains of several journals into one store; a turn of one takes in its next batch."""

    def __init__(self, database: Database, journals: Sequence[Sequence[Sequence[Said]]]) -> None:
        self.drains = [Drain(database, Spoken(batches), f"journal-{i}") for i, batches in enumerate(journals)]

    def turn(self, which: int) -> bool:
        """One batch of the journal ``which``; False when it has no more."""
        return self.drains[which].step()

    def rest(self) -> None:
        """All that is left."""
        for drain in self.drains:
            while drain.step():
                pass


def fold(database: Database, *said: Said, journal: str = "journal-0") -> None:
    """All of it in one batch of a journal of its own."""
    with database.read() as tx:
        found = rows(tx, "SELECT slot FROM journals WHERE id = ?", [journal])
    before = found[0][0] if found else 0
    reader = Spoken([list(said)] * (before + 1))
    reader.position = (1, before)
    Drain(database, reader, journal).step()


def wipe(database: Database) -> None:
    """Empty every table, but for the experiment that a new store has."""
    with database.write() as tx:
        for table in METADATA.sorted_tables:
            where = " WHERE id <> 0" if table.name == "experiments" else ""
            tx.execute(sa.text(f"DELETE FROM {table.name}{where}"))


def dump(database: Database) -> dict[str, list[Any]]:
    """Every row of the store, without ids that count up and times of writing; points by series, in the order of step and time."""
    found: dict[str, list[Any]] = {}
    with database.read() as tx:
        series = {row[0]: row[1:] for row in rows(tx, "SELECT id, run_id, key, attempt, task_run_id, try_number FROM series")}
        for table in METADATA.sorted_tables:
            if table.name in ("chunks", "journals", "run_words"):
                continue
            left_out = _LEFT_OUT.get(table.name, set())
            columns = [c.name for c in table.columns if c.name not in left_out]
            got = execute(tx, f"SELECT {', '.join(columns)} FROM {table.name}")
            found[table.name] = sorted((_plain(columns, row) for row in got), key=repr)
        found["points"] = sorted(_points(tx, series), key=repr)
    return found


def _plain(columns: list[str], row: Iterable[Any]) -> dict[str, Any]:
    values = dict(zip(columns, row, strict=True))
    if values.get("mean") is not None:  # adding up in another order rounds otherwise
        values["mean"] = float(f"{values['mean']:.9g}") + 0.0
    return values


def _points(tx: sa.Connection, series: dict[int, tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
    for own, data in rows(tx, "SELECT series_id, data FROM chunks"):
        points: Points
        if own is None:
            ids, points = decode_mixed(data)
        else:
            points = decode(data)
            ids = np.full(len(points.values), own)
        for number, step, time, value in zip(ids.tolist(), *(column.tolist() for column in points), strict=True):
            yield (*series[number], step, time, "nan" if math.isnan(value) else value)
