"""Floor 4. Whether every artifact is still what was logged: all bytes are read, and their digests compared with the rows'."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from prefect_ledger.artifact_store import ArtifactStore
from prefect_ledger.errors import ArtifactNotFound, InvalidName, InvalidValue
from prefect_ledger.queries import artifacts
from prefect_ledger.queries.artifacts import Logged

if TYPE_CHECKING:
    from prefect_ledger.database import Database

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """An artifact that is not what was logged."""

    run: str
    path: str
    attempt: int
    uri: str
    kind: Literal["missing", "changed", "elsewhere"]
    text: str


@dataclass
class Integrity:
    """What was read, and what is wrong with it."""

    artifacts: int = 0
    size: int = 0
    problems: list[Problem] = field(default_factory=list)


def check_artifacts(database: Database, store: ArtifactStore, *, progress: Callable[[int], None] | None = None) -> Integrity:
    """Read every artifact and compare. ``progress`` hears numbers of bytes, from several threads.

    One that is logged anew meanwhile is judged by its new row, one that goes meanwhile not at all.

    Raises:
        StoreUnavailable, ArtifactsUnavailable: rows or bytes cannot be had now.
    """
    found, key = Integrity(), artifacts.FIRST
    with ThreadPoolExecutor(store.threads, "prefect-ledger-check") as pool:
        while True:
            with database.read() as tx:
                batch = artifacts.following(tx, key, _BATCH)
            if not batch:
                return found
            for problem in pool.map(lambda one: _check(one, database, store, progress), batch):
                if problem is not None:
                    found.problems.append(problem)
            found.artifacts += len(batch)
            found.size += sum(one.size for one in batch)
            key = batch[-1].key


def _check(logged: Logged, database: Database, store: ArtifactStore, progress: Callable[[int], None] | None) -> Problem | None:
    problem = _problem(logged, store, progress)
    if problem is None:
        return None
    with database.read() as tx:
        now = artifacts.one(tx, logged.key)
    if now is None:
        return None
    return problem if now == logged else _problem(now, store, None)


def _problem(logged: Logged, store: ArtifactStore, progress: Callable[[int], None] | None) -> Problem | None:
    def problem(kind: Literal["missing", "changed", "elsewhere"], text: str) -> Problem:
        return Problem(logged.run, logged.path, logged.attempt, logged.uri, kind, text)

    try:
        size, digest = store.digest(logged.uri, progress=progress)
    except ArtifactNotFound:
        return problem("missing", f"nothing is at {logged.uri}")
    except InvalidName:
        return problem("elsewhere", f"{logged.uri} is not below the artifact root {store.root}, so it was not read")
    except InvalidValue:
        return problem("changed", f"what is at {logged.uri} is no file of ours any more")
    if digest == logged.sha256:
        return None
    return problem("changed", f"{size:,} bytes with sha256 {digest}, logged were {logged.size:,} with {logged.sha256}")
