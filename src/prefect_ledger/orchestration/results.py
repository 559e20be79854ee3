"""Floor 6. Under which key Prefect keeps what a task run returned, which is all that links a cached task to the one that had run.

Prefect tells neither which task run had computed a result, nor that one was written for it: the key and the moment of the state are there.
"""

from __future__ import annotations

import hashlib
from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.results import should_persist_result
from prefect.tasks import Task

from prefect_ledger.events import ResultSeen
from prefect_ledger.tracking.runs import ActiveRun

CACHED = "Cached"  # the name Prefect gives the state of a task whose result it already had
_LONGEST = 500


def result_seen(run: ActiveRun, task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> ResultSeen | None:
    """What a completed task run says of its result; None when Prefect does not keep it. Asked in the task's hook."""
    cached = state.name == CACHED
    key = _key(getattr(state.data, "metadata", None))
    if not key or not (cached or _can_be_hit(task)):
        return None
    # The state's own moment: a result is written after it was made, and a hit's is made after that was read, in whatever process.
    at = int(state.timestamp.timestamp() * 1_000_000)
    return ResultSeen(run.id, at, run.attempt, str(task_run.id), key, cached)


def _can_be_hit(task: Task[..., Any]) -> bool:
    return (task.cache_policy != NO_CACHE or task.result_storage_key is not None) and should_persist_result()


def _key(metadata: Any) -> str:
    """The storage and the key in it: the path, where results lie in files."""
    key = getattr(metadata, "storage_key", None)
    if not isinstance(key, str):
        return ""
    block = getattr(metadata, "storage_block_id", None)
    whole = key if block is None else f"{block}:{key}"
    return whole if len(whole) <= _LONGEST else f"sha256:{hashlib.sha256(whole.encode('utf-8', 'replace')).hexdigest()}"
