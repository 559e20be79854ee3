"""Floor 5. The tables of an export, made batch by batch of what the store has of many runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from prefect_ledger.errors import InvalidValue
from prefect_ledger.exporting.columns import Batch, Coded, Field, Values
from prefect_ledger.queries import batches, details

if TYPE_CHECKING:
    import sqlalchemy as sa

MOST_COLUMNS = 20_000
_OF_RUNS = (
    Field("run_id", "text"),
    Field("name", "text"),
    Field("experiment", "text"),
    Field("status", "text"),
    Field("started_at", "time"),
    Field("ended_at", "time"),
    Field("experiment_id", "int"),
    Field("attempt", "int"),
    Field("parent_id", "text"),
    Field("kind", "text"),
    Field("user", "text"),
    Field("status_reason", "text"),
    Field("artifact_uri", "text"),
    Field("lifecycle", "text"),
    Field("description", "text"),
)
_ATTEMPT = [field.name for field in _OF_RUNS].index("attempt")
_TAKEN = {"run_id": "id", "started_at": "started", "ended_at": "ended"}  # where the row of a run calls it otherwise
_KINDS = {"params": "text", "metrics": "float", "tags": "text"}
_SERIES = (
    Field("run_id", "text"),
    Field("key", "text"),
    Field("attempt", "int"),
    Field("task_run_id", "text"),
    Field("step", "int"),
    Field("time", "time"),
    Field("value", "float"),
)
_LONG = {
    "params": "run_id key value",
    "tags": "run_id key value",
    "metrics": "run_id key attempt:int points:int nan_points:int first:float first_step:int first_time:time last:float last_step:int"
    " last_time:time min:float min_step:int max:float max_step:int mean:float",
    "artifacts": "run_id path kind size:int sha256 uri attempt:int task_run_id logged_by logged_at:time metadata",
    "datasets": "run_id name digest context source rows:int schema used_at:time",
    "alerts": "run_id time:time level title text attempt:int task_run_id",
}
_FIRST, _LAST = 5, 8  # where in a row of metrics the values are that may be NaN, which SQL has not
TABLES = ("runs", "metrics", "series", "params", "tags", "artifacts", "datasets", "alerts")


class Table(NamedTuple):
    """A table of the export: its name and columns."""

    name: str
    fields: tuple[Field, ...]


class Choice(NamedTuple):
    """Of which runs, and what of them."""

    ids: Sequence[str]
    nested: bool  # params, metrics and tags of a run are objects, not columns
    every_attempt: bool = False
    watched: bool = False


def table(tx: sa.Connection, name: str, choice: Choice) -> Table:
    """The columns of a table; those of runs depend on what any of them has.

    Raises:
        InvalidValue: more columns than anything can read.
    """
    if name == "series":
        return Table(name, _SERIES)
    if name != "runs":
        return Table(name, tuple(_field(word) for word in _LONG[name].split()))
    if choice.nested:
        return Table(name, (*_OF_RUNS, *(Field(side, "object") for side in _KINDS)))
    keys = batches.keys(tx, choice.ids)
    spread = [Field(f"{side}.{key}", kind) for side, kind in _KINDS.items() for key in keys[side]]  # type: ignore[arg-type]
    if len(spread) > MOST_COLUMNS:
        raise InvalidValue(
            f"these runs have {len(spread):,} different params, metrics and tags, more than the {MOST_COLUMNS:,} columns that a table may"
            " have: ask for the tables params, metrics and tags, or for JSON"
        )
    return Table(name, (*_OF_RUNS, *spread))


def rows(tx: sa.Connection, one: Table, choice: Choice, ids: Sequence[str]) -> Iterator[Batch]:
    """The rows of some runs."""
    if one.name == "series":
        for stretch in batches.stretches(tx, ids, every_attempt=choice.every_attempt, watched=choice.watched):
            yield _of_points(stretch)
    elif one.name == "runs":
        yield _of_runs(tx, one, ids)
    else:
        found = [_said(one.name, row) for row in batches.side(tx, one.name, ids, watched=choice.watched)]
        yield Batch(len(found), [list(column) for column in zip(*found, strict=True)] if found else [[] for _ in one.fields])


def _field(word: str) -> Field:
    name, _, kind = word.partition(":")
    return Field(name, kind or "text")  # type: ignore[arg-type]


def _said(name: str, row: Sequence[Any]) -> Sequence[Any]:
    """A row of the store as the table has it."""
    if name == "metrics":
        values: list[Any] = list(row)
        for place in (_FIRST, _LAST):
            values[place] = details.NAN if values[place] is None else values[place]
        values[2] = max(1, values[2])
        return values
    if name == "artifacts":
        run, path, attempt, _, at, by, kind, size, sha256, uri, task, metadata = row
        return run, path, kind, size, sha256, uri, max(1, attempt), task, by, at, metadata
    if name == "alerts":
        run, at, _, level, title, text, attempt, task = row
        return run, at, level, title, text, max(1, attempt), task
    return row


def _of_points(stretch: batches.Stretch) -> Batch:
    pieces, points = stretch
    counts = np.array([piece.points for piece in pieces])
    named = [_coded([getattr(piece, name) for piece in pieces], counts) for name in ("run", "key", "task_run_id")]
    attempts = np.repeat(np.array([piece.attempt for piece in pieces], np.int64), counts)
    run, key, task = named
    return Batch(len(points.values), [run, key, attempts, task, *points])


def _coded(texts: Sequence[str], counts: Any) -> Coded:
    words: dict[str, int] = {}
    codes = np.array([words.setdefault(text, len(words)) for text in texts], np.int32)
    return Coded(list(words), np.repeat(codes, counts))


def _of_runs(tx: sa.Connection, one: Table, ids: Sequence[str]) -> Batch:
    found, sides = details.read(tx, ids)
    columns: list[Values] = [[getattr(run, _TAKEN.get(field.name, field.name)) for run in found] for field in _OF_RUNS]
    columns[_ATTEMPT] = [max(1, run.attempt) for run in found]
    by_side: dict[str, Mapping[str, Mapping[str, Any]]] = {"params": sides.params, "metrics": sides.metrics, "tags": sides.tags}
    for field in one.fields[len(_OF_RUNS) :]:
        side, dot, key = field.name.partition(".")
        of_side = by_side[side]
        columns.append([of_side[run.id].get(key) for run in found] if dot else [of_side[run.id] for run in found])
    return Batch(len(found), columns)
