"""Floor 4. Brings in what dead processes left behind: their journals, and the end that they could not write themselves."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger import elsewhere, lockfile, run_store
from prefect_ledger.drain import Drain
from prefect_ledger.errors import JournalCorrupt, LedgerError
from prefect_ledger.journal_folders import BESIDE, spare_root
from prefect_ledger.journal_reader import JournalReader, left_behind

if TYPE_CHECKING:
    from prefect_ledger.database import Database

_LEFT = re.compile(r"\.(gone-)?[0-9a-f]{8}-[0-9a-f-]{27}")  # of journals that were being made or removed; whatever else lies there stays


@dataclass
class Recovered:
    """What a recovery brought in."""

    journals: int = 0
    points: int = 0
    events: int = 0
    crashed: list[str] = field(default_factory=list)
    alive: int = 0
    broken: list[str] = field(default_factory=list)
    runs: int = 0  # that began in these journals


def recover(
    folder: Path,
    database: Database,
    *,
    only: Container[str] | None = None,
    progress: Callable[[str], Any] | None = None,
    between: Callable[[], bool] | None = None,
) -> Recovered:
    """Adopt the journals of ``folder`` whose process is gone: drain them, end their runs as CRASHED, remove them.

    Safe to run twice, by several processes at once, and to be killed at any moment. ``only`` are the names of the journals meant, where
    others may lie in the folder, or things that are none. ``progress`` hears the name of each journal;
    ``between`` is called between batches, and what it answers says whether to go on. A journal that cannot be read, or whose records
    cannot be brought in, is named in ``broken`` and does not hold up the others.

    Raises:
        StoreUnavailable: the store does not take them now; they stay.
    """
    found = Recovered()
    spare = spare_root(folder)
    for place in (folder, spare):
        for path in _not_elsewhere(place, only, database, found):
            if place == spare and (folder / path.name).is_dir():
                continue  # a part of a journal there, and brought in with it
            if between is not None and not between():
                return found
            beside = _beside(path) if place == folder else None
            if beside is None and (path / BESIDE).exists():
                found.broken.append(
                    f"{path} is left as it is: it goes on in a temporary folder that is not on this machine, or not this user's"
                )
                continue
            locks = [_try_lock(part) for part in (path, beside) if part is not None]
            try:
                if None in locks:
                    found.alive += path.exists()
                    continue
                if progress is not None:
                    progress(path.name)
                _adopt(path, beside, database, found, between)
            finally:
                for lock in locks:
                    if lock is not None:
                        lock.release()
        _sweep(place)
    return found


def _beside(path: Path) -> Path | None:
    """Where a journal went on when its own folder took nothing more; None when it did not, or when others can write there."""
    try:
        found = Path(json.loads((path / "owner.json").read_text(encoding="utf-8"))["beside"])
        users = {part.lstat().st_uid for part in (path, found, found.parent, found.parent.parent)}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.name == path.name and found != path and len(users) == 1 and not found.parent.parent.is_symlink() else None


def _not_elsewhere(folder: Path, only: Container[str] | None, database: Database, found: Recovered) -> Iterator[Path]:
    for path in left_behind(folder):
        if only is not None and path.name not in only:
            continue
        if elsewhere.lives(path, database):
            found.alive += 1
        else:
            yield path


def _try_lock(path: Path) -> lockfile.Lock | None:
    try:
        return lockfile.acquire(path / "lock")  # made when it is missing: a journal is never seen before it is locked
    except OSError:
        return None  # removed by another recovery between the look and the lock


def _adopt(path: Path, beside: Path | None, database: Database, found: Recovered, between: Callable[[], bool] | None) -> None:
    drain = Drain(database, JournalReader(path, beside=beside), path.name)
    broken = ""
    try:
        while drain.step():
            if between is not None and not between():
                return  # the rest of it another time
    except JournalCorrupt as error:
        broken = str(error)
    except LedgerError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever is wrong with one journal, those of other processes are brought in
        found.broken.append(f"{path} is left as it is: {type(error).__name__}: {error}")
        return
    finally:
        drain.reader.close()
    if not drain.closed:
        with database.write() as tx:
            found.crashed += run_store.crash_owned(tx, path.name, "the process ended without a word: killed, or the machine went down")
    found.journals += 1
    found.points += drain.points
    found.events += drain.events
    found.runs += len(drain.began)
    if drain.reader.damaged:
        broken = broken or f"{path}: {drain.damaged} places could not be read; all else is in the store"
    if broken:  # kept for a person to look at, and not looked at again
        if beside is not None:
            beside.rename(beside.with_name(f".broken-{path.name}"))
        kept = path.rename(path.with_name(f".broken-{path.name}"))
        found.broken.append(f"{broken} (kept as {kept.name})")
        return
    if beside is not None:
        (path / BESIDE).unlink(missing_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
    trash = path.with_name(f".gone-{path.name}")
    path.rename(trash)
    shutil.rmtree(trash, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what recoveries and openings that were killed left half done."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        old = time.time() - path.lstat().st_mtime > 3_600 if path.exists() else False
        if _LEFT.fullmatch(path.name) and (path.name.startswith(".gone-") or old):
            shutil.rmtree(path, ignore_errors=True)
