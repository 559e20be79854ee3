"""Floor 5. Environments that were built, each under the digest of all that decides it: built once, whole, and used again.

An environment is built in the folder that it stays in, because programs in it name that folder. It counts from the moment that a small
file names it, and not before: what was interrupted is never used, and taken away by the next who builds. One process builds, others wait.
One that is built anew gets a folder of its own, and the one before stays, for runs that are in it. Who has one holds it while it lives, so
that ``gc`` takes none that is used.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect_ledger.errors import EnvironmentFailed
from prefect_ledger.projects import tools
from prefect_ledger.projects.tools import Say
from prefect_ledger.tracking import uses

FOLDER = "environments"
_CURRENT, _LOCK, _USED = "current.json", "lock", "used"  # the last is held before the first is read: nothing is taken in between


@dataclass(frozen=True, slots=True)
class Built:
    """An environment that stands whole in ``folder``; ``about`` is what its builder said of it, ``new`` whether it was built just now."""

    folder: Path
    about: Mapping[str, Any]
    new: bool = False


def find(home: Path, key: str) -> Built | None:
    """The environment of this digest; None where none stands whole."""
    place = home / FOLDER / key
    try:
        said = json.loads((place / _CURRENT).read_text(encoding="utf-8"))
        folder, about = place / str(said["folder"]), said["about"]
        whole = said["place"] == str(place) and folder.is_dir() and os.access(folder / about["python"], os.X_OK)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Built(folder, about) if whole else None


def have(home: Path, key: str, build: Callable[[Path], Mapping[str, Any]], *, rebuild: bool, say: Say) -> Built:
    """The environment of this digest, built by ``build`` where there is none, or ``rebuild`` is said.

    ``build`` is given an empty folder, and says what it made: at least ``python``, the interpreter's path below the folder.

    Raises:
        EnvironmentFailed: the folder cannot be written. Whatever ``build`` raises: nothing of its work is left then.
    """
    place = home / FOLDER / key
    uses.hold(place / _USED)
    before = find(home, key)
    if before is not None and not rebuild:
        return before
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = tools.locked(place / _LOCK, say, "building this environment")
    except OSError as error:
        raise EnvironmentFailed(f"environments are kept in {place.parent}, which cannot be written: {error.strerror}") from error
    try:
        now = find(home, key)
        if now is not None and (not rebuild or before is None or now.folder != before.folder):
            return now  # another process has built it meanwhile
        return _built(place, build, now)
    finally:
        lock.release()


def _built(place: Path, build: Callable[[Path], Mapping[str, Any]], before: Built | None) -> Built:
    for old in place.iterdir():
        if old.is_dir() and (before is None or old != before.folder):
            shutil.rmtree(old, ignore_errors=True)
    folder = place / uuid.uuid4().hex[:12]
    folder.mkdir(mode=0o700)
    try:
        about = dict(build(folder))
        _write(place / _CURRENT, json.dumps({"place": str(place), "folder": folder.name, "made": time.time(), "about": about}))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Built(folder, about, new=True)


def _write(path: Path, text: str) -> None:
    """Whole or not at all, also when the machine stops."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
