"""Floor 3. What runs have beside their ids: their rows, and the parameters, metrics and tags of their last attempt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.database import execute
from prefect_ledger.entities import Run, RunReader, RunStatus, to_datetime

if TYPE_CHECKING:
    import sqlalchemy as sa

NAN = float("nan")
_PART = 1_000  # ids a statement: every database takes as many parameters
_STATUS = {status.value: status for status in RunStatus}


class RunFields(NamedTuple):
    """The row of a run, times in microseconds."""

    id: str
    name: str
    experiment: str | None
    experiment_id: int | None
    status: str
    attempt: int
    parent_id: str | None
    kind: str
    user: str
    status_reason: str
    started: int | None
    ended: int | None
    artifact_uri: str | None
    lifecycle: str


_RUNS = """SELECT r.id, r.name, e.name, r.experiment_id, r.status, r.attempt, r.parent_id, r.kind, r.user_id, r.status_reason, r.started,
 r.ended, r.artifact_uri, r.lifecycle FROM runs r LEFT JOIN experiments e ON e.id = r.experiment_id WHERE r.id IN ({marks})"""
_PARAMS = "SELECT run_id, attempt, key, value FROM params WHERE run_id IN ({marks})"
_METRICS = "SELECT run_id, attempt, key, lv FROM metrics WHERE run_id IN ({marks})"
_TAGS = "SELECT run_id, key, value FROM tags WHERE run_id IN ({marks}) AND value IS NOT NULL"


def run_fields(tx: sa.Connection, ids: Sequence[str]) -> list[RunFields]:
    """The rows of these runs, in this order; one that is not there is left out."""
    found = {row[0]: RunFields._make(row) for row in _of(tx, _RUNS, ids)}
    return [found[run] for run in ids if run in found]


def params(tx: sa.Connection, attempts: dict[str, int]) -> Iterable[tuple[str, str, str]]:
    """(run, key, value) of the parameters of each run's given attempt."""
    return ((run, key, value) for run, attempt, key, value in _of(tx, _PARAMS, list(attempts)) if attempts[run] == attempt)


def metrics(tx: sa.Connection, attempts: dict[str, int]) -> Iterable[tuple[str, str, float]]:
    """(run, key, last value) of the metrics of each run's given attempt, NaN as NaN."""
    found = _of(tx, _METRICS, list(attempts))
    return ((run, key, NAN if value is None else value) for run, attempt, key, value in found if attempts[run] == attempt)


def tags(tx: sa.Connection, ids: Sequence[str]) -> Iterable[tuple[str, str, str]]:
    """(run, key, value) of the runs' tags."""
    return _of(tx, _TAGS, ids)


def runs(tx: sa.Connection, ids: Sequence[str], reader: RunReader) -> list[Run]:
    """Whole runs, in the order of ``ids``."""
    found = run_fields(tx, ids)
    attempts = {fields.id: fields.attempt for fields in found}
    sides: list[dict[str, dict[str, Any]]] = []
    for side in (params(tx, attempts), metrics(tx, attempts), tags(tx, list(attempts))):
        by_run: dict[str, dict[str, Any]] = {run: {} for run in attempts}
        for run, key, value in side:
            by_run[run][key] = value
        sides.append(by_run)
    return [_run(fields, *(MappingProxyType(side[fields.id]) for side in sides), reader=reader) for fields in found]


def _run(fields: RunFields, *sides: MappingProxyType[str, Any], reader: RunReader) -> Run:
    return Run(
        id=fields.id,
        name=fields.name,
        experiment=fields.experiment,
        experiment_id=fields.experiment_id,
        status=_STATUS[fields.status],
        attempt=max(fields.attempt, 1),
        parent_id=fields.parent_id,
        kind=fields.kind,
        user=fields.user,
        status_reason=fields.status_reason,
        started_at=to_datetime(fields.started),
        ended_at=to_datetime(fields.ended),
        artifact_uri=fields.artifact_uri,
        lifecycle=fields.lifecycle,
        params=sides[0],
        metrics=sides[1],
        tags=sides[2],
        reader=reader,
    )


def _of(tx: sa.Connection, text: str, ids: Sequence[str]) -> list[Any]:
    found: list[Any] = []
    for low in range(0, len(ids), _PART):
        part = ids[low : low + _PART]
        found += execute(tx, text.format(marks=", ".join("?" * len(part))), part)
    return found
