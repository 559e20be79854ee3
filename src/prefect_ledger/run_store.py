"""Floor 3. Folds events into rows: runs, attempts, parameters, tags, task runs, artifacts, datasets, alerts, notes.

Order does not matter: each row keeps what its events say by their own times, so a worker's journal may be heard before the parent's
start or after its end. Functions take an open transaction and never commit.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from prefect_ledger import alert_store, experiment_store, model_store, standing, usage_store
from prefect_ledger.addresses import UNPLACED
from prefect_ledger.database import execute, refuses, rows
from prefect_ledger.entities import RunStatus
from prefect_ledger.events import (
    MODEL,
    Alerted,
    ArtifactLogged,
    DatasetLogged,
    Event,
    JournalClosed,
    Noted,
    ParamsLogged,
    ResultSeen,
    RunAttached,
    RunDescribed,
    RunEdited,
    RunStarted,
    RunStatusSeen,
    TagsSet,
    TaskRunSeen,
    UsageSeen,
)
from prefect_ledger.expressions import number_of
from prefect_ledger.masking import mask_text

if TYPE_CHECKING:
    import sqlalchemy as sa

FINAL = tuple(status.value for status in RunStatus if status.final)
_BATCH = 500
_PACKAGES = "packages"  # among facts: the digest of what is installed


def fold(tx: sa.Connection, events: Iterable[Event], journal: str) -> None:
    """Bring ``events`` of ``journal`` into the rows."""
    for event in events:
        _FOLDS[type(event)](tx, event, journal)


def fold_carefully(tx: sa.Connection, events: Iterable[Event], journal: str) -> list[str]:
    """As :func:`fold`, but an event that cannot be stored is noted on its run and left out; returns what was refused."""
    refused = []
    for event in events:
        if (error := refusal(tx, partial(fold, tx, [event], journal))) is not None:
            text = mask_text(f"{type(event).__name__} could not be stored: {str(getattr(error, 'orig', error)).strip()}")[:500]
            refused.append(text)
            refusal(tx, partial(_noted, tx, Noted(run=event.run, at=event.at, text=text), journal))
    return refused


def refusal(tx: sa.Connection, deed: Callable[[], None]) -> Exception | None:
    """Do it in a savepoint; the error when it was refused, and then nothing of it is there."""
    try:
        with tx.begin_nested():
            deed()
    except Exception as error:
        if not refuses(error):
            raise
        return error
    return None


# --- runs ---------------------------------------------------------------------------------------------------------


def _start(tx: sa.Connection, e: RunStarted, journal: str) -> None:
    words = {
        f"<started.{e.attempt}": [e.at],
        f"said.{e.attempt}": standing.status_word(e.at, e.status),
        "attempt": [e.attempt],
        "<experiment": [e.at, experiment_store.ensure(tx, e.experiment)],
    }
    if e.owner:
        words["owner"] = [e.attempt, e.at, journal]
    if e.artifact_uri is not None and not e.artifact_uri.startswith(UNPLACED):
        words["uri"] = [e.attempt, e.at, e.artifact_uri]
    words |= {f"<{name}": [e.at, value] for name in ("name", "kind", "user", "parent") if (value := getattr(e, name))}
    hear(tx, e.run, words)


def _attach(tx: sa.Connection, e: RunAttached, _journal: str) -> None:
    placeholders(tx, [e.run])
    reach(tx, e.run, e.attempt)
    if e.experiment is not None and rows(tx, "SELECT 1 FROM runs WHERE id = ? AND experiment_id IS NULL", [e.run]):
        hear(tx, e.run, {"<attached": [e.at, experiment_store.ensure(tx, e.experiment)]})


def _status(tx: sa.Connection, e: RunStatusSeen, _journal: str) -> None:
    kind = "guess" if e.provisional else "said"
    words = {f"{kind}.{e.attempt}": standing.status_word(e.at, e.status, e.reason)}
    if e.exception:
        words[f"error.{e.attempt}"] = [e.at, _json(e.exception)]
    hear(tx, e.run, words)


def _edited(tx: sa.Connection, e: RunEdited, _journal: str) -> None:
    hear(tx, e.run, {name: [e.at, value] for name in ("name", "description") if (value := getattr(e, name)) is not None})


def hear(tx: sa.Connection, run: str, words: standing.Words) -> None:
    """Add to what was said of a run, and bring its row and those of its attempts to what that comes to."""
    placeholders(tx, [run])
    lock = " FOR UPDATE" if tx.dialect.name == "postgresql" else ""
    found = rows(tx, f"SELECT words FROM run_words WHERE run_id = ?{lock}", [run])
    before = json.loads(found[0][0]) if found else {}
    merged = standing.merge(before, words)
    if merged == before:
        return
    execute(
        tx,
        "INSERT INTO run_words (run_id, words) VALUES (?, ?) ON CONFLICT (run_id) DO UPDATE SET words = excluded.words",
        [run, json.dumps(merged, ensure_ascii=False, separators=(",", ":"))],
    )
    _settle(tx, run, merged)


_COLUMNS = {"name": "<name", "kind": "<kind", "user_id": "<user", "parent_id": "<parent", "artifact_uri": "uri", "owner": "owner"}
_EDITED = ("name", "description")  # what somebody wrote stands above what the run began with


def _settle(tx: sa.Connection, run: str, words: standing.Words) -> None:
    found = standing.stand(words)
    last = found.last
    row = {column: words[slot][-1] for column, slot in _COLUMNS.items() if slot in words}
    row |= {column: words[column][-1] for column in _EDITED if column in words}
    if (experiment := words.get("<experiment", words.get("<attached"))) is not None:
        row["experiment_id"] = experiment[1]
    row |= {"status": last.status, "status_at": last.at, "status_reason": last.reason, "provisional": int(last.provisional)}
    row |= {"attempt": last.number, "started": found.started, "ended": last.ended}
    execute(tx, f"UPDATE runs SET {', '.join(f'{column} = ?' for column in row)} WHERE id = ?", [*row.values(), run])
    for part in _parts(found.attempts):
        values = [(run, a.number, a.status, a.at, a.started, a.ended, a.exception) for a in part]
        execute(
            tx,
            f"""INSERT INTO attempts (run_id, attempt, status, status_at, started, ended, exception) VALUES {_values(7, len(part))}
                ON CONFLICT (run_id, attempt) DO UPDATE SET status = excluded.status, status_at = excluded.status_at,
                 started = excluded.started, ended = excluded.ended, exception = excluded.exception""",
            list(itertools.chain.from_iterable(values)),
        )


def _describe(tx: sa.Connection, e: RunDescribed, _journal: str) -> None:
    placeholders(tx, [e.run])
    said = dict(e.facts)
    if e.packages:
        content = _json(e.packages)
        said[_PACKAGES] = hashlib.sha256(content.encode()).hexdigest()
        execute(tx, "INSERT INTO packages (digest, content) VALUES (?, ?) ON CONFLICT DO NOTHING", [said[_PACKAGES], content])
    found = rows(tx, "SELECT facts, packages FROM runs WHERE id = ?", [e.run])[0]
    facts = {**json.loads(found[0]), _PACKAGES: found[1]}
    heard = {f"fact:{key}": [e.at, hashlib.sha256(_json(value).encode()).hexdigest()[:8]] for key, value in said.items()}
    known = _words(tx, e.run)
    newer = {key: value for key, value in said.items() if known.get(f"fact:{key}", [-1]) < heard[f"fact:{key}"]}
    if newer:
        facts |= newer
        digest = facts.pop(_PACKAGES)
        execute(tx, "UPDATE runs SET facts = ?, packages = ? WHERE id = ?", [_json(facts), digest, e.run])
        hear(tx, e.run, heard)


def placeholders(tx: sa.Connection, runs: Iterable[str]) -> None:
    """Have a row for each of these runs, and on PostgreSQL hold them to the end of the transaction: in order of id, so that two that
    write of the same runs wait for each other and never in a circle."""
    for part in _parts(sorted(set(runs))):
        values = ", ".join(["(?, 'RUNNING')"] * len(part))
        execute(tx, f"INSERT INTO runs (id, status) VALUES {values} ON CONFLICT DO NOTHING", part)
        if tx.dialect.name == "postgresql":
            execute(tx, f"SELECT id FROM runs WHERE id IN ({_marks(part)}) ORDER BY id FOR UPDATE", part)


def reach(tx: sa.Connection, run: str, attempt: int) -> None:
    """Something of this attempt of a run was heard, so it has come at least that far. The run has a row."""
    if rows(tx, "SELECT 1 FROM runs WHERE id = ? AND attempt < ?", [run, attempt]):
        hear(tx, run, {"attempt": [attempt]})


def touch(tx: sa.Connection, runs: Iterable[str], journal: str, at: int) -> None:
    """These runs were heard of at ``at``; one that the live ``journal`` owns and that was taken for lost lives again."""
    for part in _parts(sorted(runs)):
        execute(tx, f"UPDATE runs SET seen = ? WHERE id IN ({_marks(part)}) AND seen < ?", [at, *part, at])
        mine = "(owner = ? OR owner = '')"
        lost = f"SELECT id FROM runs WHERE id IN ({_marks(part)}) AND {mine} AND provisional = 1 AND status = 'CRASHED' ORDER BY id"
        for (run,) in rows(tx, lost, [*part, journal]) if journal else ():
            found = standing.stand(_words(tx, run))
            hear(tx, run, {f"alive.{found.owner_attempt or found.last.number}": [at]})


def crash_owned(tx: sa.Connection, journal: str, reason: str) -> list[str]:
    """The process of ``journal`` is gone: what it had running is CRASHED, until somebody who knows better says otherwise."""
    mine = "SELECT id, seen, started, status_at, attempt FROM runs WHERE owner = ? AND status IN ('RUNNING', 'SCHEDULED') ORDER BY id"
    crashed = []
    for run, seen, started, status_at, attempt in rows(tx, mine, [journal]):
        owned = standing.stand(_words(tx, run)).owner_attempt
        hear(tx, run, {f"lost.{owned}": [max(seen, started or 0, status_at), reason]})
        if owned == attempt:
            crashed.append(run)
    return crashed


def _words(tx: sa.Connection, run: str) -> dict[str, Any]:
    found = rows(tx, "SELECT words FROM run_words WHERE run_id = ?", [run])
    return json.loads(found[0][0]) if found else {}


# --- what runs say ------------------------------------------------------------------------------------------------


def _params(tx: sa.Connection, e: ParamsLogged, _journal: str) -> None:
    placeholders(tx, [e.run])
    reach(tx, e.run, e.attempt)
    for part in _parts(sorted(e.values.items())):
        values = list(itertools.chain.from_iterable((e.run, key, e.attempt, value, number_of(value)) for key, value in part))
        text = f"INSERT INTO params (run_id, key, attempt, value, number) VALUES {_values(5, len(part))} ON CONFLICT DO NOTHING"
        if execute(tx, text, values).rowcount == len(part):
            continue
        stored = f"SELECT key, value FROM params WHERE run_id = ? AND attempt = ? AND key IN ({_marks(part)})"
        kept = dict(rows(tx, stored, [e.run, e.attempt, *(key for key, _ in part)]))
        for key, value in part:
            if kept[key] != value:
                said = f"parameter {key!r} was logged as {kept[key][:200]!r} and by another process as {value[:200]!r}; the first is kept"
                note(tx, e.run, said, e.at)


def _tags(tx: sa.Connection, e: TagsSet, _journal: str) -> None:
    placeholders(tx, [e.run])
    for part in _parts(sorted(e.values.items())):
        values = list(itertools.chain.from_iterable((e.run, key, value, e.at) for key, value in part))
        execute(
            tx,
            f"INSERT INTO tags (run_id, key, value, at) VALUES {_values(4, len(part))} ON CONFLICT (run_id, key)"
            " DO UPDATE SET value = excluded.value, at = excluded.at WHERE excluded.at > tags.at"
            " OR (excluded.at = tags.at AND (tags.value IS NULL OR excluded.value > tags.value))",
            values,
        )


_TASK = """
INSERT INTO task_runs (id, run_id, attempt, name, state, state_at, tries, cached, started, ended, exception, parent_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
 run_id = {newer} excluded.run_id ELSE task_runs.run_id END,
 name = {newer} excluded.name ELSE task_runs.name END,
 state = {newer} excluded.state ELSE task_runs.state END,
 exception = {newer} excluded.exception ELSE task_runs.exception END,
 ended = {newer} excluded.ended ELSE task_runs.ended END,
 state_at = {newer} excluded.state_at ELSE task_runs.state_at END,
 attempt = CASE WHEN excluded.attempt > task_runs.attempt THEN excluded.attempt ELSE task_runs.attempt END,
 tries = CASE WHEN excluded.tries > task_runs.tries THEN excluded.tries ELSE task_runs.tries END,
 cached = CASE WHEN excluded.cached > task_runs.cached THEN excluded.cached ELSE task_runs.cached END,
 parent_id = CASE WHEN excluded.parent_id > task_runs.parent_id THEN excluded.parent_id ELSE task_runs.parent_id END,
 started = CASE WHEN task_runs.started IS NULL OR excluded.started < task_runs.started THEN excluded.started ELSE task_runs.started END
""".replace(
    "{newer}",
    # Of two words at one time, the one with an end, and then any rule that is the same in both orders.
    "CASE WHEN (excluded.state_at, COALESCE(excluded.ended, -1), excluded.state, excluded.exception, excluded.name, excluded.run_id)"
    " > (task_runs.state_at, COALESCE(task_runs.ended, -1), task_runs.state, task_runs.exception, task_runs.name, task_runs.run_id) THEN",
)


def _task(tx: sa.Connection, e: TaskRunSeen, _journal: str) -> None:
    placeholders(tx, [e.run])
    reach(tx, e.run, e.attempt)
    row = [e.id, e.run, e.attempt, e.name, e.state, e.at, e.tries, int(e.cached), e.started, e.ended, _json(e.exception), e.parent]
    execute(tx, _TASK, row)


def _result(tx: sa.Connection, e: ResultSeen, _journal: str) -> None:
    """Only what was said: which task run is the source of which, and what follows from it, ``cache_store`` finds out."""
    placeholders(tx, [e.run])
    reach(tx, e.run, e.attempt)
    if e.cached:
        execute(
            tx,
            """INSERT INTO cache_hits (task_run_id, run_id, attempt, storage_key, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (task_run_id)
               DO UPDATE SET run_id = excluded.run_id, attempt = excluded.attempt, storage_key = excluded.storage_key, at = excluded.at
                WHERE (excluded.at, excluded.storage_key, excluded.attempt, excluded.run_id)
                 > (cache_hits.at, cache_hits.storage_key, cache_hits.attempt, cache_hits.run_id)""",
            [e.task, e.run, e.attempt, e.key, e.at],
        )
        return
    execute(
        tx,
        """INSERT INTO results (storage_key, task_run_id, run_id, attempt, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (storage_key, task_run_id)
           DO UPDATE SET run_id = excluded.run_id, attempt = excluded.attempt, at = excluded.at
            WHERE (excluded.at, excluded.attempt, excluded.run_id) > (results.at, results.attempt, results.run_id)""",
        [e.key, e.task, e.run, e.attempt, e.at],
    )


def _artifact(tx: sa.Connection, e: ArtifactLogged, _journal: str) -> None:
    placeholders(tx, [e.run])
    reach(tx, e.run, e.attempt)
    execute(
        tx,
        """INSERT INTO artifacts (run_id, path, attempt, uri, size, sha256, kind, task_run_id, at, details)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, path, attempt) DO UPDATE SET uri = excluded.uri,
            size = excluded.size, sha256 = excluded.sha256, kind = excluded.kind, task_run_id = excluded.task_run_id, at = excluded.at,
            details = excluded.details
            WHERE (excluded.at, excluded.sha256, excluded.uri, excluded.size, excluded.kind, excluded.task_run_id, excluded.details)
             > (artifacts.at, artifacts.sha256, artifacts.uri, artifacts.size, artifacts.kind, artifacts.task_run_id, artifacts.details)""",
        [e.run, e.path, e.attempt, e.uri, e.size, e.sha256, e.kind, e.task, e.at, _json(e.metadata)],
    )
    if e.kind == MODEL:
        model_store.fold(tx, e)


def _dataset(tx: sa.Connection, e: DatasetLogged, _journal: str) -> None:
    placeholders(tx, [e.run])
    reach(tx, e.run, e.attempt)
    # One name and digest is one thing, so of two descriptions the one that says more is kept, whichever came first.
    execute(
        tx,
        """INSERT INTO datasets (name, digest, source, row_count, schema_json) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name, digest)
           DO UPDATE SET source = excluded.source, row_count = excluded.row_count, schema_json = excluded.schema_json
            WHERE (length(excluded.schema_json), COALESCE(excluded.row_count, -1), excluded.source, excluded.schema_json)
             > (length(datasets.schema_json), COALESCE(datasets.row_count, -1), datasets.source, datasets.schema_json)""",
        [e.name, e.digest, e.source, e.rows, _json(e.schema)],
    )
    execute(
        tx,
        """INSERT INTO dataset_uses (run_id, name, digest, context, attempt, at) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (run_id, name, digest, context, attempt) DO UPDATE SET at = excluded.at WHERE excluded.at < dataset_uses.at""",
        [e.run, e.name, e.digest, e.context, e.attempt, e.at],
    )


def note(tx: sa.Connection, run: str, text: str, at: int) -> None:
    """Record something that a person should know about a run."""
    execute(tx, "INSERT INTO notes (run_id, at, text) VALUES (?, ?, ?)", [run, at, text])


def _alerted(tx: sa.Connection, e: Alerted, _journal: str) -> None:
    placeholders(tx, [e.run])
    reach(tx, e.run, e.attempt)
    alert_store.fold(tx, e)


def _usage(tx: sa.Connection, e: UsageSeen, journal: str) -> None:
    placeholders(tx, [e.run])
    reach(tx, e.run, e.attempt)
    usage_store.fold(tx, e, journal)


def _noted(tx: sa.Connection, e: Noted, _journal: str) -> None:
    placeholders(tx, [e.run])
    note(tx, e.run, e.text, e.at)


def _nothing(_tx: sa.Connection, _event: Event, _journal: str) -> None:
    """An event that changes no row."""


_FOLDS: Mapping[type, Callable[[sa.Connection, Any, str], None]] = {
    RunStarted: _start,
    RunAttached: _attach,
    RunStatusSeen: _status,
    RunDescribed: _describe,
    ParamsLogged: _params,
    TagsSet: _tags,
    RunEdited: _edited,
    TaskRunSeen: _task,
    ResultSeen: _result,
    ArtifactLogged: _artifact,
    DatasetLogged: _dataset,
    UsageSeen: _usage,
    Alerted: _alerted,
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


def _values(columns: int, count: int) -> str:
    return ", ".join([f"({', '.join('?' * columns)})"] * count)


def _marks(items: Sequence[Any]) -> str:
    return ", ".join("?" * len(items))


def _parts(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[low : low + _BATCH] for low in range(0, len(items), _BATCH))
