"""Floor 4. Whether every artifact is still what was logged: all bytes are read, and their digests compared with the rows'.

Of copied data a row tells the list of its files alone. The content that the list names is read too, each content once for all runs.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from prefect_ledger import copies
from prefect_ledger.artifact_store import ArtifactStore
from prefect_ledger.errors import ArtifactCorrupt, ArtifactNotFound, InvalidName, InvalidValue
from prefect_ledger.listings import File, Listing
from prefect_ledger.queries import Reader, artifacts
from prefect_ledger.queries.artifacts import Logged
from prefect_ledger.roots import joined

if TYPE_CHECKING:
    from prefect_ledger.database import Database

Bytes = Callable[[int], None]  # hears numbers of bytes
Kind = Literal["missing", "changed", "elsewhere", "copy"]
_BATCH = 500
_KNOWN = 1_000_000  # contents that are remembered as whole, about 100 MB; more are read again where other data has them too
_NAMED = 3  # files of a copy that are named


@dataclass(frozen=True, slots=True)
class Problem:
    """An artifact that is not what was logged. Of the kind "copy": the list of copied data, of which content is missing or changed."""

    run: str
    path: str
    attempt: int
    uri: str
    kind: Kind
    text: str


@dataclass
class Integrity:
    """What was read, and what is wrong with it: artifacts, and the contents of copied data, each with their bytes."""

    artifacts: int = 0
    size: int = 0
    contents: int = 0
    contents_size: int = 0
    problems: list[Problem] = field(default_factory=list)


def check_artifacts(database: Database, store: ArtifactStore, *, progress: Bytes | None = None, more: Bytes | None = None) -> Integrity:
    """Read every artifact and compare, and whatever content of copied data they name.

    ``progress`` hears numbers of bytes, from several threads; ``more`` how many will come that no row counts. One that is logged anew
    meanwhile is judged by its new row, one that goes meanwhile not at all.

    Raises:
        StoreUnavailable, ArtifactsUnavailable: rows or bytes cannot be had now.
    """
    found, key = Integrity(), artifacts.FIRST
    with ThreadPoolExecutor(store.threads, "prefect-ledger-check") as pool:
        copied = _Copies(database, store, pool, found, progress, more)
        while True:
            with database.read() as tx:
                batch = artifacts.following(tx, key, _BATCH)
            if not batch:
                return found
            for logged, problem in zip(batch, pool.map(lambda one: _check(one, database, store, progress), batch), strict=True):
                if problem is not None:
                    found.problems.append(problem)
                elif digest := copies.listed(logged.path):
                    copied.check(logged, digest)
            found.artifacts += len(batch)
            found.size += sum(one.size for one in batch)
            key = batch[-1].key


def _check(logged: Logged, database: Database, store: ArtifactStore, progress: Bytes | None) -> Problem | None:
    problem = _problem(logged, store, progress)
    if problem is None:
        return None
    with database.read() as tx:
        now = artifacts.one(tx, logged.key)
    if now is None:
        return None
    return problem if now == logged else _problem(now, store, None)


def _problem(logged: Logged, store: ArtifactStore, progress: Bytes | None) -> Problem | None:
    def problem(kind: Kind, text: str) -> Problem:
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


# --- copied data -------------------------------------------------------------------------------------------------------


class _Copies:
    """The content of copied data: what was found to be whole is not read again, and each dataset is judged once."""

    def __init__(
        self,
        database: Database,
        store: ArtifactStore,
        pool: ThreadPoolExecutor,
        found: Integrity,
        progress: Bytes | None,
        more: Bytes | None,
    ) -> None:
        self._database, self._store, self._pool, self._found = database, store, pool, found
        self._progress, self._more = progress, more
        self._whole = set[bytes]()
        self._damage = dict[str, str]()  # by digest, "" for none

    def check(self, logged: Logged, digest: str) -> None:
        """Look at all that the list ``logged`` names, which is whole itself."""
        if digest not in self._damage:
            listing = self._listing(logged, digest)
            if listing is None:
                return
            self._damage[digest] = self._read(listing)
        if not (damage := self._damage[digest]):
            return
        with self._database.read() as tx:
            if artifacts.one(tx, logged.key) != logged:
                return
        name = next((used.name for used in Reader(self._database).datasets(logged.run) if used.digest == digest), "")
        text = f"dataset {name!r}, {digest[:12]}: {damage}"
        self._found.problems.append(Problem(logged.run, logged.path, logged.attempt, logged.uri, "copy", text))

    def _listing(self, logged: Logged, digest: str) -> Listing | None:
        """None where it is a file of another kind that is called so, or went meanwhile."""
        try:
            listing = Listing.from_json(self._store.read_bytes(logged.uri, sha256=logged.sha256))
        except (ArtifactCorrupt, ArtifactNotFound, InvalidName, InvalidValue):
            return None
        return listing if listing.digest == digest else None

    def _read(self, listing: Listing) -> str:
        """What is wrong with the content of these files, "" for nothing."""
        files = list({file.sha256: file for file in listing.files if bytes.fromhex(file.sha256) not in self._whole}.values())
        if self._more is not None:
            self._more(sum(file.size for file in files))
        named, wrong = list[str](), 0
        for low in range(0, len(files), _BATCH):
            some = files[low : low + _BATCH]
            for file, said in zip(some, self._pool.map(self._wrong, some), strict=True):
                if said:
                    named += [f"{file.path} ({said})"] if wrong < _NAMED else []
                    wrong += 1
                elif len(self._whole) < _KNOWN:
                    self._whole.add(bytes.fromhex(file.sha256))
            self._found.contents += len(some)
            self._found.contents_size += sum(file.size for file in some)
        rest = f", and {wrong - len(named):,} more" if wrong > len(named) else ""
        return f"the copy is damaged: {'; '.join(named)}{rest}" if wrong else ""

    def _wrong(self, file: File) -> str:
        uri = joined(self._store.root, copies.place_of(file.sha256))
        try:
            size, digest = self._store.digest(uri, progress=self._progress)
        except ArtifactNotFound:
            return f"nothing is at {uri}"
        except (InvalidName, InvalidValue):  # a link, a folder
            return f"what is at {uri} is no file of ours any more"
        return "" if digest == file.sha256 else f"at {uri} are {size:,} bytes with sha256 {digest}"
