"""Floor 5. ``restore``: a backup becomes the ledger, checked before anything is touched; what was there is kept beside."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prefect_ledger import sqlite_copies, unfinished, waiting
from prefect_ledger.backups.archive import ARTIFACTS, Reader, Trouble
from prefect_ledger.backups.places import local_root, store_file
from prefect_ledger.errors import BackupCorrupt, InvalidSettings, InvalidValue, LedgerInUse, OutputExists
from prefect_ledger.transfer import Bar, copy

if TYPE_CHECKING:
    from prefect_ledger.settings import Settings


@dataclass(slots=True)
class Restored:
    """What was put where: the store, its schema and runs, the artifacts, and what was there before, under which names it is kept.

    ``troubles`` are those that were known when the backup was made.
    """

    store: Path
    schema: int = 0
    runs: int = 0
    artifacts: int = 0
    root: Path | None = None
    kept: list[Path] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    seconds: float = 0.0


def restore(settings: Settings, file: Path, *, overwrite: bool = False) -> Restored:
    """Put a backup in the place of the ledger of these settings.

    Everything is unpacked beside its place and checked, every digest and every page, before the first rename. With ``overwrite`` a ledger
    that is not empty is renamed, never deleted. Rows then say that artifacts are where they were put.

    Raises:
        BackupCorrupt: it is damaged or no backup. SchemaTooNew: a newer version wrote it. OutputExists: the ledger is not empty.
        LedgerInUse: somebody has it open. InvalidSettings: the store is PostgreSQL, or the artifact root no local folder.
    """
    start = time.perf_counter()
    store = store_file(settings, "restore")
    if not file.is_file():
        raise InvalidValue(f"there is no file {file}")
    with file.open("rb") as source:
        packed = source.read(4) == b"PK\3\4"
    root = local_root(settings) if packed else None
    if packed and root is None:
        raise InvalidSettings(f"{file.name} has artifacts, and the artifact root {settings.artifact_root} is no folder of this machine")
    done = Restored(store, root=root)
    store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _refuse(settings, store, root, overwrite=overwrite)
    with _beside(store, root) as beside:
        if packed:
            assert root is not None
            _unpack(file, beside, root, done)
        else:
            _take(file, beside)
        done.schema = sqlite_copies.check(beside.database)
        done.runs = sqlite_copies.count_runs(beside.database)
        beside.database.chmod(0o600)
        sqlite_copies.use_wal(beside.database)
        unfinished.sync(beside.database)
        _swap(settings, store, root, beside, done, overwrite=overwrite)
    done.seconds = time.perf_counter() - start
    return done


class _Beside(NamedTuple):
    """Where things are unpacked, beside where they are to go."""

    database: Path
    artifacts: Path | None


@contextlib.contextmanager
def _beside(store: Path, root: Path | None) -> Iterator[_Beside]:
    with contextlib.ExitStack() as stack:
        made = []
        for place in (store, root):
            if place is None:
                continue
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = stack.enter_context(unfinished.scratch(place, folder=True))
            folder.chmod(0o700)
            made.append(folder)
        yield _Beside(made[0] / "ledger.db", made[1] / "artifacts" if root is not None else None)


def _take(file: Path, beside: _Beside) -> None:
    """A backup that is a database."""
    if file.with_name(file.name + "-wal").exists():
        raise BackupCorrupt(
            f"{file.name} has a write-ahead log beside it: it is a ledger in use, and no backup; prefect-ledger backup makes one"
        )
    with file.open("rb", buffering=0) as source, beside.database.open("xb") as target, Bar(file.name, file.stat().st_size, None) as bar:
        copy(source, target, bar)


def _unpack(file: Path, beside: _Beside, root: Path, done: Restored) -> None:
    """A backup that is an archive."""
    reader = Reader(file)
    try:
        manifest, database, artifacts = reader.manifest, reader.manifest.database, beside.artifacts
        assert database is not None
        assert artifacts is not None
        artifacts.mkdir()
        with Bar(file.name, database.size + sum(one.size for one in manifest.artifacts), None) as bar:
            reader.extract(database, beside.database, bar)
            for entry in manifest.artifacts:
                target = artifacts / entry.path.removeprefix(ARTIFACTS)
                target.parent.mkdir(parents=True, exist_ok=True)
                reader.extract(entry, target, bar)
        done.artifacts, done.troubles = len(manifest.artifacts), manifest.troubles
    finally:
        reader.close()
    sqlite_copies.check(beside.database)  # before it is written to
    for old in {manifest.artifact_root, f"file://{manifest.artifact_root}"} - {str(root)}:
        sqlite_copies.move_root(beside.database, old, str(root))


def _refuse(settings: Settings, store: Path, root: Path | None, *, overwrite: bool) -> None:
    """Refuse to replace what processes log into, or, unless ``overwrite``, what is not empty."""
    online = waiting.of_store(settings)[0]
    if live := len(online.found) - len(online.waiting):
        those, them = (f"{live} processes of this machine log", "them") if live > 1 else ("a process of this machine logs", "it")
        raise LedgerInUse(f"{those} into {store}: let {them} end, and try again")
    if store.is_symlink():
        raise OutputExists(f"the store {store} is a link: name the file that it leads to in store_url")
    if store.exists() and not overwrite and not sqlite_copies.is_empty(store):
        raise OutputExists(f"the ledger {store} is not empty: say --overwrite, and it is kept beside under another name")
    if root is not None and not overwrite and root.is_dir() and any(root.iterdir()):
        raise OutputExists(f"the artifact root {root} is not empty: say --overwrite, and it is kept beside under another name")


def _swap(settings: Settings, store: Path, root: Path | None, beside: _Beside, done: Restored, *, overwrite: bool) -> None:
    """Rename what was there, then what comes: bytes before the rows that tell of them."""
    _refuse(settings, store, root, overwrite=overwrite)
    with _swapping(store) as put:
        if root is not None and beside.artifacts is not None:
            done.kept += put(beside.artifacts, root)
        for end in ("-wal", "-shm", "-journal"):  # of an emptied log; one of the old file must not be taken for the new one's
            unfinished.remove(store.with_name(store.name + end))
        done.kept += put(beside.database, store)


@contextlib.contextmanager
def _swapping(store: Path) -> Iterator[Callable[[Path, Path], list[Path]]]:
    """Puts things in their places, and renames what is there; where it comes to nothing in the end, all is as it was."""
    stamp = f".before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    undo = contextlib.ExitStack()
    if store.exists():
        sqlite_copies.settle(store)  # refused where somebody has it open
        undo.callback(sqlite_copies.use_wal, store)

    def put(source: Path, place: Path) -> list[Path]:
        kept = []
        if place.exists():
            kept.append(_aside(place, stamp))
            undo.callback(kept[0].rename, place)
        source.rename(place)
        undo.callback(place.rename, source)
        unfinished.sync(place.parent)
        return kept

    try:
        yield put
    except BaseException:
        undo.close()
        raise


def _aside(place: Path, stamp: str) -> Path:
    """Rename a place; the name it has then."""
    for number in range(100):
        kept = place.with_name(f"{place.name}{stamp}{f'-{number}' if number else ''}")
        if not os.path.lexists(kept):
            place.rename(kept)
            return kept
    raise OutputExists(f"{place}{stamp} is there a hundred times: clear them away")
