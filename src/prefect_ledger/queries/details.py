"""Floor 3. What runs have beside their ids: their rows, and the parameters, metrics and tags of their last attempt."""

from __future__ import annotations

import contextlib
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
    description: str


_FIELDS = """r.id, r.name, e.name, r.experiment_id, r.status, r.attempt, r.parent_id, r.kind, r.user_id, r.status_reason, r.started,
 r.ended, r.artifact_uri, r.lifecycle, r.description"""
_EXPERIMENT = "LEFT JOIN experiments e ON e.id = r.experiment_id"
# Metrics in the namespace of what is watched stand apart, so that they do not crowd the user's.
WATCHED = "system."  # what keys of what was seen of the machine begin with
OF_USERS = f"substr({{key}}, 1, {len(WATCHED)}) <> '{WATCHED}'"
OF_WATCH = f"substr({{key}}, 1, {len(WATCHED)}) = '{WATCHED}'"
_USERS = OF_USERS.format(key="key")
_AMONG = "IN (SELECT value FROM json_each(?))"
_RUNS = f"SELECT {_FIELDS} FROM runs r {_EXPERIMENT} WHERE r.id {_AMONG}"
_ROWS = f"SELECT {_FIELDS} FROM runs r {_EXPERIMENT} WHERE r.id = ANY(?)"
_PARAMS = f"SELECT run_id, attempt, key, value FROM params WHERE run_id {_AMONG}"
_METRICS = f"SELECT run_id, attempt, key, lv FROM metrics WHERE run_id {_AMONG} AND {_USERS}"
_TAGS = f"SELECT run_id, key, value FROM tags WHERE run_id {_AMONG} AND value IS NOT NULL"
# One row a run: thousands of small rows cost more to send and to read than the lookups of what is in them.
_WHOLE = f"""SELECT {_FIELDS}, p.keys, p.found, m.keys, m.found, t.keys, t.found
FROM unnest(%s::text[]) AS asked (id) JOIN runs r ON r.id = asked.id {_EXPERIMENT}
CROSS JOIN LATERAL (SELECT array_agg(key::text) AS keys, array_agg(value) AS found
 FROM params WHERE run_id = r.id AND attempt = r.attempt) p
CROSS JOIN LATERAL (SELECT array_agg(key::text) AS keys, array_agg(COALESCE(lv, 'NaN'::float8)) AS found
 FROM metrics WHERE run_id = r.id AND attempt = r.attempt AND {_USERS}) m
CROSS JOIN LATERAL (SELECT array_agg(key::text) AS keys, array_agg(value) AS found
 FROM tags WHERE run_id = r.id AND value IS NOT NULL) t"""


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


def read(tx: sa.Connection, ids: Sequence[str]) -> tuple[list[RunFields], Sides]:
    """The rows of these runs in this order, and what their last attempts have by key; a run that is not there is left out."""
    return (_read_whole if tx.dialect.name == "postgresql" else _read_each)(tx, ids)


def fields(tx: sa.Connection, ids: Sequence[str]) -> list[RunFields]:
    """The rows alone of these runs, in this order; a run that is not there is left out."""
    postgresql = tx.dialect.name == "postgresql"
    found = rows(tx, _ROWS if postgresql else _RUNS, [list(ids) if postgresql else json.dumps(list(ids))])
    by_id = {row[0]: RunFields._make(row) for row in found}
    return [by_id[run] for run in ids if run in by_id]


def runs(tx: sa.Connection, ids: Sequence[str], reader: RunReader | None) -> list[Run]:
    """Whole runs, in the order of ``ids``."""
    found, (params, metrics, tags) = read(tx, ids)
    return [_run(f, params[f.id], metrics[f.id], tags[f.id], reader) for f in found]


def facts(tx: sa.Connection, run: str) -> dict[str, Any]:
    """The surroundings recorded at the start of a run, and under "packages" what was installed."""
    text = "SELECT r.facts, p.content FROM runs r LEFT JOIN packages p ON p.digest = r.packages WHERE r.id = ?"
    for said, packages in rows(tx, text, [run]):
        return {**json.loads(said), **({"packages": json.loads(packages)} if packages else {})}
    return {}


def dataset_uses(tx: sa.Connection, run: str) -> list[tuple[str, str, str]]:
    """Name, digest and context of the data that the last attempt of a run used."""
    text = """SELECT u.name, u.digest, u.context FROM dataset_uses u JOIN runs r ON r.id = u.run_id AND r.attempt = u.attempt
              WHERE u.run_id = ? ORDER BY u.name, u.digest, u.context"""
    return [(name, digest, context) for name, digest, context in rows(tx, text, [run])]


def _read_whole(tx: sa.Connection, ids: Sequence[str]) -> tuple[list[RunFields], Sides]:
    found: dict[str, RunFields] = {}
    params, metrics, tags = sides = Sides({}, {}, {})
    driver: Any = tx.connection.driver_connection
    with _readable(tx), driver.cursor(binary=True) as cursor:  # numbers in binary are exact, and quicker to read
        for *fields, p_keys, p_values, m_keys, m_values, t_keys, t_values in cursor.execute(_WHOLE, [list(ids)]):
            run = fields[0]
            found[run] = RunFields._make(fields)
            params[run] = dict(zip(p_keys or (), p_values or (), strict=True))  # where there are none, it is not an empty array
            metrics[run] = dict(zip(m_keys or (), m_values or (), strict=True))
            tags[run] = dict(zip(t_keys or (), t_values or (), strict=True))
    return [found[run] for run in ids if run in found], sides


def _read_each(tx: sa.Connection, ids: Sequence[str]) -> tuple[list[RunFields], Sides]:
    by_id = {row[0]: RunFields._make(row) for row in _of(tx, _RUNS, ids)}
    found = [by_id[run] for run in ids if run in by_id]
    attempts = {fields.id: fields.attempt for fields in found}
    params: dict[str, dict[str, str]] = {run: {} for run in attempts}
    metrics: dict[str, dict[str, float]] = {run: {} for run in attempts}
    tags: dict[str, dict[str, str]] = {run: {} for run in attempts}
    for run, attempt, key, value in _of(tx, _PARAMS, list(attempts)):
        if attempt == attempts[run]:
            params[run][key] = value
    for run, attempt, key, value in _of(tx, _METRICS, list(attempts)):
        if attempt == attempts[run]:
            metrics[run][key] = NAN if value is None else value
    for run, key, value in _of(tx, _TAGS, list(attempts)):
        tags[run][key] = value
    return found, Sides(params, metrics, tags)


def _run(fields: RunFields, params: dict[str, str], metrics: dict[str, float], tags: dict[str, str], reader: RunReader | None) -> Run:
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
        description=fields.description,
        params=MappingProxyType(params),
        metrics=MappingProxyType(metrics),
        tags=MappingProxyType(tags),
        reader=reader,
    )


def _of(tx: sa.Connection, text: str, ids: Sequence[str]) -> Iterator[Any]:
    """The rows of these runs. All ids are one parameter, so that there may be any number of them.

    Rows are handed on one by one and not kept: ten thousand that live together make the garbage collector go through the whole process.
    """
    cursor: Any = execute(tx, text, [json.dumps(ids)]).cursor
    with _readable(tx):
        yield from cursor


@contextlib.contextmanager
def _readable(tx: sa.Connection) -> Iterator[None]:
    """What the driver says where rows are read without SQLAlchemy, in our words."""
    driver: Any = tx.dialect.loaded_dbapi
    try:
        yield
    except driver.OperationalError as error:
        raise StoreUnavailable(f"the store cannot be read now: {error}") from error
