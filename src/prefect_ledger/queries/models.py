"""Floor 3. Logged models: by id, or those of a run, with those that its cached tasks brought by link; and the files of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prefect_ledger.database import rows
from prefect_ledger.entities import Artifact, LoggedModel, to_datetime

if TYPE_CHECKING:
    import sqlalchemy as sa

_COLUMNS = "m.id, m.name, m.run_id, m.path, m.digest, m.flavor, m.size, m.attempt, m.task_run_id, m.at, m.details"
_PART = 500
_BY_ID = f"SELECT {_COLUMNS} FROM models m JOIN runs r ON r.id = m.run_id WHERE m.id = ? AND r.lifecycle <> 'erasing'"
_OF_RUN = f"""
SELECT {_COLUMNS}, m.attempt AS here FROM models m WHERE m.run_id = ?
UNION ALL
SELECT {_COLUMNS}, l.attempt FROM cache_links l
 JOIN models m ON m.run_id = l.source_run_id AND m.task_run_id = l.source_task AND m.attempt = l.source_attempt
 WHERE l.run_id = ? ORDER BY 12, 10, 1"""
_FILES = """SELECT run_id, path, uri, size, sha256, kind, attempt, task_run_id, at FROM artifacts
 WHERE run_id = ? AND attempt = ? AND substr(path, 1, ?) = ? ORDER BY path"""


def by_id(tx: sa.Connection, model_id: str) -> LoggedModel | None:
    """The model of this id."""
    found = rows(tx, _BY_ID, [model_id])
    return _model(found[0]) if found else None


def by_ids(tx: sa.Connection, model_ids: Sequence[str]) -> dict[str, LoggedModel]:
    """The models of these ids, by id; one that is not there is left out."""
    found: dict[str, LoggedModel] = {}
    for low in range(0, len(model_ids), _PART):
        part = list(model_ids[low : low + _PART])
        text = f"SELECT {_COLUMNS} FROM models m JOIN runs r ON r.id = m.run_id WHERE m.id IN ({', '.join('?' * len(part))})"
        found |= {row[0]: _model(row) for row in rows(tx, f"{text} AND r.lifecycle <> 'erasing'", part)}
    return found


def of_run(tx: sa.Connection, run_id: str) -> list[LoggedModel]:
    """The models of a run, the one logged last in its last attempt last; one that came twice by link is there once."""
    found: dict[str, LoggedModel] = {}
    for row in rows(tx, _OF_RUN, [run_id, run_id]):
        found.pop(row[0], None)
        found[row[0]] = _model(row)
    return list(found.values())


def latest(tx: sa.Connection, name: str | None, experiments: Sequence[int] | None, limit: int) -> list[LoggedModel]:
    """The models of active runs, those logged last first; of one name and of some experiments, where these are given."""
    where, params = ["r.lifecycle = 'active'"], []
    if name is not None:
        where, params = [*where, "m.name = ?"], [name]
    if experiments is not None:
        where.append(f"r.experiment_id IN ({', '.join('?' * len(experiments))})" if experiments else "1 = 0")
    text = f"SELECT {_COLUMNS} FROM models m JOIN runs r ON r.id = m.run_id WHERE {' AND '.join(where)} ORDER BY m.at DESC, m.id LIMIT ?"
    return [_model(row) for row in rows(tx, text, [*params, *(experiments or ()), limit])]


def files(tx: sa.Connection, model: LoggedModel) -> list[Artifact]:
    """The files of a model, by path."""
    prefix = f"{model.path}/"
    found = rows(tx, _FILES, [model.run_id, model.attempt, len(prefix), prefix])
    return [Artifact(*(*row[:8], to_datetime(row[8]))) for row in found]


def _model(row: tuple[Any, ...]) -> LoggedModel:
    return LoggedModel(*(*row[:9], to_datetime(row[9]), json.loads(row[10])))
