"""Floor 3. Folds events into rows: runs, attempts, parameters, tags, task runs, artifacts, datasets, notes.

Order does not matter: each row keeps what its events say by their own times, so a worker's journal may be heard before the parent's
start or after its end. Functions take an open transaction and never commit.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prefect_ledger import experiment_store
from prefect_ledger.database import REFUSED, execute, rows
from prefect_ledger.entities import RunStatus
from prefect_ledger.events import (
    ArtifactLogged,
    DatasetLogged,
    Event,
    JournalClosed,
    Noted,
    ParamsLogged,
    RunAttached,
    RunDescribed,
    RunStarted,
    RunStatusSeen,
    TagsSet,
    TaskRunSeen,
)
from prefect_ledger.expressions import number_of

if TYPE_CHECKING:
    import sqlalchemy as sa

FINAL = tuple(status.value for status in RunStatus if status.final)
_BATCH = 500


def fold(tx: sa.Connection, events: Iterable[Event], journal: str) -> None:
    """Bring ``events`` of ``journal`` into the rows."""
    for event in events:
        _FOLDS[type(event)](tx, event, journal)


def fold_carefully(tx: sa.Connection, events: Iterable[Event], journal: str) -> list[str]:
    """As :func:`fold`, but an event that the database refuses is noted on its run and left out; returns what was refused."""
    refused = []
    for event in events:
        try:
            with tx.begin_nested():
                fold(tx, [event], journal)
        except REFUSED as error:
            refused.append(f"{type(event).__name__} could not be stored: {str(getattr(error, 'orig', error)).splitlines()[0]}")
            note(tx, event.run, refused[-1])
    return refused


# --- runs ---------------------------------------------------------------------------------------------------------


_START = """
INSERT INTO runs (id, experiment_id, name, kind, user_id, parent_id, artifact_uri, started, attempt, status, status_at, owner, seen)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
 experiment_id = COALESCE(runs.experiment_id, excluded.experiment_id),
 name = CASE WHEN runs.name = '' THEN excluded.name ELSE runs.name END,
 kind = CASE WHEN runs.kind = '' THEN excluded.kind ELSE runs.kind END,
 user_id = CASE WHEN runs.user_id = '' THEN excluded.user_id ELSE runs.user_id END,
 parent_id = COALESCE(runs.parent_id, excluded.parent_id),
 artifact_uri = CASE WHEN runs.artifact_uri IS NULL OR excluded.attempt >= runs.attempt THEN excluded.artifact_uri ELSE runs.artifact_uri END,
 started = CASE WHEN runs.started IS NULL OR excluded.started < runs.started THEN excluded.started ELSE runs.started END,
 owner = CASE WHEN excluded.attempt >= runs.attempt THEN excluded.owner ELSE runs.owner END,
 status = CASE WHEN {newer} THEN excluded.status ELSE runs.status END,
 status_reason = CASE WHEN {newer} THEN '' ELSE runs.status_reason END,
 provisional = CASE WHEN {newer} THEN 0 ELSE runs.provisional END,
 ended = CASE WHEN {newer} THEN NULL ELSE runs.ended END,
 status_at = CASE WHEN {newer} THEN excluded.status_at ELSE runs.status_at END,
 attempt = CASE WHEN excluded.attempt > runs.attempt THEN excluded.attempt ELSE runs.attempt END,
 seen = CASE WHEN excluded.seen > runs.seen THEN excluded.seen ELSE runs.seen END
""".replace("{newer}", "(excluded.attempt > runs.attempt OR (excluded.attempt = runs.attempt AND excluded.status_at > runs.status_at))")

_START_ATTEMPT = """
INSERT INTO attempts (run_id, attempt, status, status_at, started) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (run_id, attempt) DO UPDATE SET
 started = CASE WHEN attempts.started IS NULL OR excluded.started < attempts.started THEN excluded.started ELSE attempts.started END,
 status = CASE WHEN excluded.status_at > attempts.status_at THEN excluded.status ELSE attempts.status END,
 ended = CASE WHEN excluded.status_at > attempts.status_at THEN NULL ELSE attempts.ended END,
 status_at = CASE WHEN excluded.status_at > attempts.status_at THEN excluded.status_at ELSE attempts.status_at END
"""


def _start(tx: sa.Connection, e: RunStarted, journal: str) -> None:
    where = experiment_store.ensure(tx, e.experiment)
    owner = journal if e.owner else ""
    row = [e.run, where, e.name, e.kind, e.user, e.parent, e.artifact_uri, e.at, e.attempt, e.status, e.at, owner, e.at]
    execute(tx, _START, row)
    execute(tx, _START_ATTEMPT, [e.run, e.attempt, e.status, e.at, e.at])


def _attach(tx: sa.Connection, e: RunAttached, _journal: str) -> None:
    _placeholder(tx, e.run)
    execute(tx, "UPDATE runs SET attempt = ? WHERE id = ? AND attempt < ?", [e.attempt, e.run, e.attempt])
    if e.experiment is not None and rows(tx, "SELECT 1 FROM runs WHERE id = ? AND experiment_id IS NULL", [e.run]):
        where = experiment_store.ensure(tx, e.experiment)
        execute(tx, "UPDATE runs SET experiment_id = ? WHERE id = ? AND experiment_id IS NULL", [where, e.run])


def _status(tx: sa.Connection, e: RunStatusSeen, _journal: str) -> None:
    _placeholder(tx, e.run)
    ended = e.at if e.status in FINAL else None
    guess = " AND status NOT IN ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED')" if e.provisional else ""
    attempt = e.attempt or rows(tx, "SELECT attempt FROM runs WHERE id = ?", [e.run])[0][0] or 1
    execute(
        tx,
        "UPDATE runs SET status = ?, status_at = ?, status_reason = ?, provisional = ?, ended = ?, attempt = ?"
        f" WHERE id = ? AND (provisional = 1 OR attempt < ? OR (attempt = ? AND status_at <= ?)){guess}",
        [e.status, e.at, e.reason, int(e.provisional), ended, attempt, e.run, attempt, attempt, e.at],
    )
    execute(
        tx,
        """INSERT INTO attempts (run_id, attempt, status, status_at, ended, exception) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (run_id, attempt) DO UPDATE SET status = excluded.status, status_at = excluded.status_at, ended = excluded.ended,
            exception = CASE WHEN excluded.exception = '{}' THEN attempts.exception ELSE excluded.exception END
           WHERE excluded.status_at >= attempts.status_at""",
        [e.run, attempt, e.status, e.at, ended, _json(e.exception)],
    )


def _describe(tx: sa.Connection, e: RunDescribed, _journal: str) -> None:
    _placeholder(tx, e.run)
    if e.facts:
        before = json.loads(rows(tx, "SELECT facts FROM runs WHERE id = ?", [e.run])[0][0])
        execute(tx, "UPDATE runs SET facts = ? WHERE id = ?", [_json({**before, **e.facts}), e.run])
    if e.packages:
        content = _json(e.packages)
        digest = hashlib.sha256(content.encode()).hexdigest()
        execute(tx, "INSERT INTO packages (digest, content) VALUES (?, ?) ON CONFLICT DO NOTHING", [digest, content])
        execute(tx, "UPDATE runs SET packages = ? WHERE id = ?", [digest, e.run])


def _placeholder(tx: sa.Connection, run: str) -> None:
    execute(tx, "INSERT INTO runs (id, status) VALUES (?, 'RUNNING') ON CONFLICT DO NOTHING", [run])


def touch(tx: sa.Connection, runs: Iterable[str], journal: str, at: int) -> None:
    """These runs were heard of at ``at``; one that ``journal`` owns and that was taken for crashed lives again."""
    for part in _parts(sorted(runs)):
        execute(tx, f"UPDATE runs SET seen = ? WHERE id IN ({_marks(part)}) AND seen < ?", [at, *part, at])
        execute(
            tx,
            "UPDATE runs SET status = 'RUNNING', provisional = 0, ended = NULL, status_reason = ''"
            f" WHERE id IN ({_marks(part)}) AND owner = ? AND provisional = 1 AND status = 'CRASHED'",
            [*part, journal],
        )


def crash_owned(tx: sa.Connection, journal: str, reason: str) -> list[str]:
    """The process of ``journal`` is gone: what it had running is CRASHED, until somebody who knows better says otherwise."""
    mine = "owner = ? AND status IN ('RUNNING', 'SCHEDULED')"
    runs = [row[0] for row in rows(tx, f"SELECT id FROM runs WHERE {mine} ORDER BY id", [journal])]
    if not runs:
        return runs
    execute(
        tx,
        "UPDATE runs SET status = 'CRASHED', provisional = 1, status_reason = ?,"
        f" ended = CASE WHEN seen > COALESCE(started, 0) THEN seen ELSE started END WHERE {mine}",
        [reason, journal],
    )
    for part in _parts(runs):
        execute(
            tx,
            f"""UPDATE attempts SET status = 'CRASHED', ended = (SELECT ended FROM runs WHERE runs.id = attempts.run_id)
                WHERE run_id IN ({_marks(part)}) AND status IN ('RUNNING', 'SCHEDULED')""",
            part,
        )
    return runs


# --- what runs say ------------------------------------------------------------------------------------------------


def _params(tx: sa.Connection, e: ParamsLogged, _journal: str) -> None:
    _placeholder(tx, e.run)
    execute(tx, "UPDATE runs SET attempt = ? WHERE id = ? AND attempt < ?", [e.attempt, e.run, e.attempt])
    for part in _parts(sorted(e.values.items())):
        values = list(itertools.chain.from_iterable((e.run, key, e.attempt, value, number_of(value)) for key, value in part))
        text = f"INSERT INTO params (run_id, key, attempt, value, number) VALUES {_values(5, len(part))} ON CONFLICT DO NOTHING"
        if execute(tx, text, values).rowcount == len(part):
            continue
        stored = f"SELECT key, value FROM params WHERE run_id = ? AND attempt = ? AND key IN ({_marks(part)})"
        kept = dict(rows(tx, stored, [e.run, e.attempt, *(key for key, _ in part)]))
        for key, value in part:
            if kept[key] != value:
                note(
                    tx,
                    e.run,
                    f"parameter {key!r} was logged as {kept[key][:200]!r} and by another process as {value[:200]!r}; the first is kept",
                )


def _tags(tx: sa.Connection, e: TagsSet, _journal: str) -> None:
    _placeholder(tx, e.run)
    for part in _parts(sorted(e.values.items())):
        values = list(itertools.chain.from_iterable((e.run, key, value, e.at) for key, value in part))
        execute(
            tx,
            f"INSERT INTO tags (run_id, key, value, at) VALUES {_values(4, len(part))} ON CONFLICT (run_id, key)"
            " DO UPDATE SET value = excluded.value, at = excluded.at WHERE excluded.at >= tags.at",
            values,
        )


def _task(tx: sa.Connection, e: TaskRunSeen, _journal: str) -> None:
    _placeholder(tx, e.run)
    execute(
        tx,
        """INSERT INTO task_runs (id, run_id, attempt, name, state, state_at, tries, cached, started, ended, exception)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
            attempt = CASE WHEN excluded.attempt > task_runs.attempt THEN excluded.attempt ELSE task_runs.attempt END,
            state = CASE WHEN {newer} THEN excluded.state ELSE task_runs.state END,
            exception = CASE WHEN {newer} THEN excluded.exception ELSE task_runs.exception END,
            ended = CASE WHEN {newer} THEN excluded.ended ELSE task_runs.ended END,
            state_at = CASE WHEN {newer} THEN excluded.state_at ELSE task_runs.state_at END,
            tries = CASE WHEN excluded.tries > task_runs.tries THEN excluded.tries ELSE task_runs.tries END,
            cached = CASE WHEN excluded.cached > task_runs.cached THEN excluded.cached ELSE task_runs.cached END,
            started = CASE WHEN task_runs.started IS NULL OR excluded.started < task_runs.started
                      THEN excluded.started ELSE task_runs.started END""".replace("{newer}", "excluded.state_at >= task_runs.state_at"),
        [e.id, e.run, e.attempt, e.name, e.state, e.at, e.tries, int(e.cached), e.started, e.ended, _json(e.exception)],
    )


def _artifact(tx: sa.Connection, e: ArtifactLogged, _journal: str) -> None:
    _placeholder(tx, e.run)
    execute(
        tx,
        """INSERT INTO artifacts (run_id, path, attempt, uri, size, sha256, kind, task_run_id, at, details)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, path, attempt) DO UPDATE SET uri = excluded.uri,
            size = excluded.size, sha256 = excluded.sha256, kind = excluded.kind, task_run_id = excluded.task_run_id, at = excluded.at,
            details = excluded.details WHERE excluded.at >= artifacts.at""",
        [e.run, e.path, e.attempt, e.uri, e.size, e.sha256, e.kind, e.task, e.at, _json(e.metadata)],
    )


def _dataset(tx: sa.Connection, e: DatasetLogged, _journal: str) -> None:
    _placeholder(tx, e.run)
    execute(
        tx,
        "INSERT INTO datasets (name, digest, source, row_count, schema_json) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [e.name, e.digest, e.source, e.rows, _json(e.schema)],
    )
    execute(
        tx,
        "INSERT INTO dataset_uses (run_id, name, digest, context, attempt, at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [e.run, e.name, e.digest, e.context, e.attempt, e.at],
    )


def note(tx: sa.Connection, run: str, text: str) -> None:
    """Record something that a person should know about a run."""
    execute(tx, "INSERT INTO notes (run_id, at, text) VALUES (?, ?, ?)", [run, _now(), text])


def _noted(tx: sa.Connection, e: Noted, _journal: str) -> None:
    note(tx, e.run, e.text)


def _nothing(_tx: sa.Connection, _event: Event, _journal: str) -> None:
    """An event that changes no row."""


_FOLDS: Mapping[type, Callable[[sa.Connection, Any, str], None]] = {
    RunStarted: _start,
    RunAttached: _attach,
    RunStatusSeen: _status,
    RunDescribed: _describe,
    ParamsLogged: _params,
    TagsSet: _tags,
    TaskRunSeen: _task,
    ArtifactLogged: _artifact,
    DatasetLogged: _dataset,
    Noted: _noted,
    JournalClosed: _nothing,
}


# --- how far a journal is -----------------------------------------------------------------------------------------


def journal_position(tx: sa.Connection, journal: str) -> tuple[int, int] | None:
    """(segment, slot) up to which ``journal`` is in the store; None when it was never heard of."""
    found = rows(tx, "SELECT segment, slot FROM journals WHERE id = ?", [journal])
    return (int(found[0][0]), int(found[0][1])) if found else None


def move_journal(tx: sa.Connection, journal: str, old: tuple[int, int], new: tuple[int, int]) -> bool:
    """Move the position from where it was read; False when somebody else moved it meanwhile, and then nothing may be written.

    This condition alone makes draining idempotent, also with two drainers at once.
    """
    execute(tx, "INSERT INTO journals (id, segment, slot) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [journal, *old])
    text = "UPDATE journals SET segment = ?, slot = ? WHERE id = ? AND segment = ? AND slot = ?"
    return execute(tx, text, [*new, journal, *old]).rowcount == 1


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _now() -> int:
    return time.time_ns() // 1000


def _values(columns: int, count: int) -> str:
    return ", ".join([f"({', '.join('?' * columns)})"] * count)


def _marks(items: Sequence[Any]) -> str:
    return ", ".join("?" * len(items))


def _parts(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[low : low + _BATCH] for low in range(0, len(items), _BATCH))
