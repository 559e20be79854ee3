"""Floor 4. Brings in what dead processes left behind: their journals, and the end that they could not write themselves."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger import lockfile, run_store
from prefect_ledger.drain import Drain
from prefect_ledger.errors import JournalCorrupt
from prefect_ledger.journal_reader import JournalReader, left_behind

if TYPE_CHECKING:
    from prefect_ledger.database import Database


@dataclass
class Recovered:
    """What a recovery brought in."""

    journals: int = 0
    points: int = 0
    events: int = 0
    crashed: list[str] = field(default_factory=list)
    alive: int = 0
    broken: list[str] = field(default_factory=list)


def recover(folder: Path, database: Database, *, progress: Callable[[str], Any] | None = None) -> Recovered:
    """Adopt the journals below ``folder`` whose process is gone: drain them, end their runs as CRASHED, remove them.

    Safe to run twice, by several processes at once, and to be killed at any moment.

    Raises:
        StoreUnavailable: the store does not take them now; they stay.
    """
    found = Recovered()
    for path in left_behind(folder):
        lock = _try_lock(path)
        if lock is None:
            found.alive += path.exists()
            continue
        try:
            if progress is not None:
                progress(path.name)
            _adopt(path, database, found)
        finally:
            lock.release()
    _sweep(folder)
    return found


def _try_lock(path: Path) -> lockfile.Lock | None:
    try:
        return lockfile.acquire(path / "lock") if (path / "lock").exists() else None
    except OSError:
        return None  # removed by another recovery between the look and the lock


def _adopt(path: Path, database: Database, found: Recovered) -> None:
    drain = Drain(database, JournalReader(path), path.name)
    try:
        while drain.step():
            pass
    except JournalCorrupt as error:
        found.broken.append(str(error))
        path.rename(path.with_name(f".broken-{path.name}"))
        return
    finally:
        drain.reader.close()
    if not drain.closed:
        with database.write() as tx:
            found.crashed += run_store.crash_owned(tx, path.name, "the process ended without a word: killed, or the machine went down")
    found.journals += 1
    found.points += drain.points
    found.events += drain.events
    trash = path.with_name(f".gone-{path.name}")
    path.rename(trash)
    shutil.rmtree(trash, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what recoveries and openings that were killed left half done."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        old = time.time() - path.lstat().st_mtime > 3_600 if path.exists() else False
        if path.name.startswith(".gone-") or (path.name.startswith(".") and not path.name.startswith(".broken-") and old):
            shutil.rmtree(path, ignore_errors=True)
