"""Floor 5. ``backup``: one moment of an SQLite ledger as a file, and on demand with the artifacts' bytes."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_ledger import copies, sqlite_copies, unfinished, waiting
from prefect_ledger.backups.archive import ARTIFACTS, DATABASE, Manifest, Progress, Trouble, Writer
from prefect_ledger.backups.places import folder_of, local_root, store_file
from prefect_ledger.errors import InvalidName, InvalidSettings, InvalidValue, LedgerError, OutputExists, StoreUnavailable
from prefect_ledger.roots import Folder
from prefect_ledger.transfer import Bar, regular

if TYPE_CHECKING:
    from prefect_ledger.settings import Settings


@dataclass(slots=True)
class BackedUp:
    """What was written: the file, its bytes, the schema and runs of the ledger, its artifacts, and what could not be had.

    ``live`` are journals of processes that are logging now; ``waiting`` those that could not be brought in before.
    """

    file: Path
    schema: int = 0
    runs: int = 0
    bytes: int = 0
    artifacts: int = 0
    artifact_bytes: int = 0
    troubles: list[Trouble] = field(default_factory=list)
    live: int = 0
    waiting: list[str] = field(default_factory=list)
    seconds: float = 0.0


def backup(settings: Settings, file: Path, *, artifacts: bool = False, overwrite: bool = False) -> BackedUp:
    """Write a backup of the ledger of these settings to ``file``: an SQLite database, or with ``artifacts`` an archive that ends in .zip.

    What dead processes left is brought in first. Runs go on meanwhile; what they say after the moment that is copied is not in it.

    Raises:
        InvalidSettings: the store is PostgreSQL, or the artifact root no local folder. InvalidValue: the name cannot be.
        OutputExists: it is taken. StoreUnavailable: there is no store, or it cannot be read. BackupCorrupt: the store is damaged.
    """
    start = time.perf_counter()
    store = store_file(settings, "backup")
    root = _root(settings) if artifacts else None
    place = file.absolute()
    check = _free(place, store, local_root(settings), zipped=artifacts, overwrite=overwrite)
    done = BackedUp(place)
    _bring_in(settings, done)
    if not store.is_file():
        raise StoreUnavailable(f"there is no ledger at {store} yet: nothing to back up")
    with unfinished.aside(place, folder=False, check=check) as path:
        if root is None:
            _copy(store, path, done)
        else:
            _pack(place, store, root, path, done)
        unfinished.sync(path)
        done.bytes = path.stat().st_size
    done.seconds = time.perf_counter() - start
    return done


def _root(settings: Settings) -> Path:
    root = local_root(settings)
    if root is None:
        raise InvalidSettings(
            f"the artifact root {settings.artifact_root} is no folder of this machine: copy it with its own tools (aws s3 sync), after"
            " prefect-ledger backup without --artifacts"
        )
    return root


def _free(place: Path, store: Path, root: Path | None, *, zipped: bool, overwrite: bool) -> Callable[[], None]:
    if zipped != (place.suffix.lower() == ".zip"):
        what = "a backup with --artifacts is a zip: give it a name that ends in .zip"
        raise InvalidValue(f"{place.name}: {what if zipped else 'a backup without --artifacts is a database, and no zip'}")
    real = unfinished.real(place)
    taken = {unfinished.real(store).with_name(store.name + end) for end in ("", "-wal", "-shm", "-journal")}
    if real in taken or (root is not None and Path(os.path.realpath(root)) in real.parents):
        raise InvalidValue(f"{place} is a part of the ledger: write its backup elsewhere, best on another disk")

    def check() -> None:
        if not place.parent.is_dir():
            raise InvalidValue(f"there is no folder {place.parent} to write {place.name} into")
        if place.is_symlink() or place.is_dir():
            raise OutputExists(f"{place} is a link or a folder: name a file")
        if place.exists() and (not overwrite or (store.exists() and place.samefile(store))):
            raise OutputExists(f"{place} is there already: give another name, or say --overwrite")

    check()
    return check


def _bring_in(settings: Settings, done: BackedUp) -> None:
    """What dead processes left, as the next process that logs would; what cannot be brought in is said, and is not in the backup."""
    from prefect_ledger.artifact_store import ArtifactStore
    from prefect_ledger.database import Database
    from prefect_ledger.sync import sync

    places = waiting.of_store(settings)  # of processes that are online, and of the offline mode
    if any(place.waiting or place.artifacts for place in places):
        database = Database(settings.store_url)
        try:
            sync(places, database, lambda: ArtifactStore(settings.artifact_root, settings.storage_options))
        except LedgerError as error:
            done.waiting.append(str(error))
        finally:
            database.close()
    done.live = len(places[0].found) - len(places[0].waiting)
    done.waiting += [str(path) for place in places for path in place.waiting]


def _copy(store: Path, path: Path, done: BackedUp) -> None:
    """The database, looked through."""
    page = 4096
    with Bar("database", None, None) as bar:
        told = 0

        def progress(pages: int, _of: int) -> None:
            nonlocal told
            bar((pages - told) * page)
            told = pages

        sqlite_copies.copy(store, path, progress)
    done.schema = sqlite_copies.check(path)
    done.runs = sqlite_copies.count_runs(path)


def _pack(place: Path, store: Path, root: Path, path: Path, done: BackedUp) -> None:
    with unfinished.scratch(place.with_suffix(".db"), folder=False) as copy:
        _copy(store, copy, done)
        manifest = Manifest(datetime.now(UTC).isoformat(timespec="seconds"), version("prefect-ledger"), done.schema, str(root))
        wanted = [*sqlite_copies.stored_bytes(copy), *_copied_data(root)]
        writer = Writer(path)
        try:
            with Bar("artifacts", copy.stat().st_size + sum(one.size or 0 for one in wanted), None) as bar:
                with copy.open("rb", buffering=0) as source:
                    manifest.database = writer.add(DATABASE, source, bar)
                for one in wanted:
                    _pack_one(writer, root, one, manifest, bar)
            writer.close(manifest)
        except BaseException:
            with contextlib.suppress(OSError, ValueError):
                writer.abandon()
            raise
    done.artifacts, done.troubles = len(manifest.artifacts), manifest.troubles
    done.artifact_bytes = sum(one.size for one in manifest.artifacts)


def _copied_data(root: Path) -> list[sqlite_copies.Bytes]:
    """The content of datasets that runs had copied: no row speaks of it, its name is its digest."""
    found = Folder(str(root), "").files(str(root / copies.FOLDER))
    places = [(f"{copies.FOLDER}/{one.path}", one.size) for one in found]
    return [sqlite_copies.Bytes(str(root / path), path.rpartition("/")[2], size) for path, size in places if copies.CONTENT.fullmatch(path)]


def _pack_one(writer: Writer, root: Path, one: sqlite_copies.Bytes, manifest: Manifest, progress: Progress) -> None:
    """The bytes of one artifact: what stands there now, and a word where that is not what was logged."""
    try:
        found = folder_of(one.uri)
        if found is None:
            raise InvalidName(f"it is not below the artifact root {root}")
        target = Folder(str(root), "").where(str(found))
        source = regular(target, follow=False)
    except (LedgerError, OSError) as error:
        manifest.troubles.append(Trouble(one.uri, str(error)))
        return
    with source:
        entry = writer.add(ARTIFACTS + os.path.relpath(target, root), source, progress)
    manifest.artifacts.append(entry)
    if entry.sha256 != one.sha256:
        manifest.troubles.append(Trouble(one.uri, f"it is not what was logged, with sha256 {one.sha256}: what is there was taken"))
