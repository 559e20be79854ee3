"""Floor 3. What runs have beside their ids: their rows, and the parameters, metrics and tags of their last attempt."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.database import execute, rows
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
# Metrics in the namespace of what is watched stand apart, so that they do not crowd the user's.
WATCHED = "system."  # what keys of what was seen of the machine begin with
OF_USERS = f"substr({{key}}, 1, {len(WATCHED)}) <> '{WATCHED}'"
OF_WATCH = f"substr({{key}}, 1, {len(WATCHED)}) = '{WATCHED}'"
_METRICS = "SELECT run_id, attempt, key, lv FROM metrics WHERE run_id {among}" + f" AND {OF_USERS.format(key='key')}"
_TAGS = "SELECT run_id, key, value FROM tags WHERE run_id {among} AND value IS NOT NULL"


def run_fields(tx: sa.Connection, ids: Sequence[str]) -> list[RunFields]:
    """The rows of these runs, in this order; one that is not there is left out."""
    found = {row[0]: RunFields._make(row) for row in _of(tx, _RUNS, ids)}
    return [found[run] for run in ids if run in found]


class Last(NamedTuple):
    """The last value of a metric in an attempt, at which step, and how many points there are."""

    value: float
    step: int
    points: int


_LATEST_TRY = """NOT EXISTS (SELECT 1 FROM series t WHERE t.run_id = s.run_id AND t.key = s.key AND t.attempt = s.attempt
 AND t.task_run_id = s.task_run_id AND t.try_number > s.try_number)"""
_LAST = f"""
SELECT s.id, s.key, s.n, s.ls, s.lt, s.lv FROM series s WHERE s.run_id = ? AND s.attempt = ? AND s.n > 0 AND {_LATEST_TRY} AND {{which}}
UNION SELECT s.id, s.key, s.n, s.ls, s.lt, s.lv FROM cache_links l JOIN series s ON s.run_id = l.source_run_id
 AND s.task_run_id = l.source_task AND s.attempt = l.source_attempt
 WHERE l.run_id = ? AND l.attempt = ? AND s.n > 0 AND {_LATEST_TRY} AND {{which}} ORDER BY 2, 4, 5"""


def last_values(tx: sa.Connection, run: str, attempt: int) -> dict[str, Last]:
    """The user's metrics of one attempt, also of one that was followed by another, and what its cached tasks bring in."""
    found: dict[str, Last] = {}
    for _, key, points, step, _at, value in rows(tx, _LAST.format(which=OF_USERS.format(key="s.key")), [run, attempt, run, attempt]):
        before = found[key].points if key in found else 0
        found[key] = Last(NAN if value is None else value, step, before + points)
    return found


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
