"""Floor 3. What runs have beside their ids: their rows, and the parameters, metrics and tags of their last attempt."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.database import execute
from prefect_ledger.entities import Run, RunReader, RunStatus, to_datetime
from prefect_ledger.errors import StoreUnavailable

if TYPE_CHECKING:
    import sqlalchemy as sa

NAN = float("nan")
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
 r.ended, r.artifact_uri, r.lifecycle FROM runs r LEFT JOIN experiments e ON e.id = r.experiment_id WHERE r.id {among}"""
_PARAMS = "SELECT run_id, attempt, key, value FROM params WHERE run_id {among}"
_METRICS = "SELECT run_id, attempt, key, lv FROM metrics WHERE run_id {among}"
_TAGS = "SELECT run_id, key, value FROM tags WHERE run_id {among} AND value IS NOT NULL"


def run_fields(tx: sa.Connection, ids: Sequence[str]) -> list[RunFields]:
    """The rows of these runs, in this order; one that is not there is left out."""
    found = {row[0]: RunFields._make(row) for row in _of(tx, _RUNS, ids)}
    return [found[run] for run in ids if run in found]


class Sides(NamedTuple):
    """By run: parameters, metrics (last values, NaN as NaN) and tags of the given attempt, by key."""

    params: dict[str, dict[str, str]]
    metrics: dict[str, dict[str, float]]
    tags: dict[str, dict[str, str]]


def sides(tx: sa.Connection, attempts: dict[str, int]) -> Sides:
    """What runs have by key; ``attempts`` says which runs, and which attempt of each counts."""
    ids = list(attempts)
    params: dict[str, dict[str, str]] = {run: {} for run in ids}
    metrics: dict[str, dict[str, float]] = {run: {} for run in ids}
    tags: dict[str, dict[str, str]] = {run: {} for run in ids}
    for run, attempt, key, value in _of(tx, _PARAMS, ids):
        if attempt == attempts[run]:
            params[run][key] = value
    for run, attempt, key, value in _of(tx, _METRICS, ids):
        if attempt == attempts[run]:
            metrics[run][key] = NAN if value is None else value
    for run, key, value in _of(tx, _TAGS, ids):
        tags[run][key] = value
    return Sides(params, metrics, tags)


def runs(tx: sa.Connection, ids: Sequence[str], reader: RunReader) -> list[Run]:
    """Whole runs, in the order of ``ids``."""
    found = run_fields(tx, ids)
    params, metrics, tags = sides(tx, {fields.id: fields.attempt for fields in found})
    return [_run(f, params[f.id], metrics[f.id], tags[f.id], reader) for f in found]


def _run(fields: RunFields, params: dict[str, str], metrics: dict[str, float], tags: dict[str, str], reader: RunReader) -> Run:
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
        params=MappingProxyType(params),
        metrics=MappingProxyType(metrics),
        tags=MappingProxyType(tags),
        reader=reader,
    )


def _of(tx: sa.Connection, text: str, ids: Sequence[str]) -> Iterator[Any]:
    """The rows of these runs. All ids are one parameter, so that there may be any number of them.

    Rows are handed on one by one and not kept: ten thousand that live together make the garbage collector go through the whole process.
    """
    sqlite = tx.dialect.name == "sqlite"
    asked = text.format(among="IN (SELECT value FROM json_each(?))" if sqlite else "= ANY(?)")
    cursor: Any = execute(tx, asked, [json.dumps(ids) if sqlite else list(ids)]).cursor
    driver: Any = tx.dialect.loaded_dbapi
    try:
        yield from cursor
    except driver.OperationalError as error:  # the driver's own, because its rows are read without SQLAlchemy's
        raise StoreUnavailable(f"the store cannot be read now: {error}") from error
