"""Floor 5. What is kept below the ledger's home to be there at once the next time, and can be had again: taken away when long unused.

Those are environments and repositories of projects, wheels of this package for reruns, and data that ``dataset`` got. None goes that a
living process uses, builds or fetches. One that goes is renamed first, so that whoever is killed over it leaves nothing that anybody takes
for whole; the next takes the rest. No link is followed, and nothing of another user's is touched.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from prefect_ledger import garbage, lockfile
from prefect_ledger.garbage import Garbage, Unused

_ASIDE = re.compile(r"\.gone-[0-9a-f]{12}")
_ENVIRONMENT, _REMAINS = "environment", "remains"
_TRIES = 3  # another gc that takes the same away makes a folder seem to have something in it


@dataclass(frozen=True, slots=True)
class _Kind:
    """What lies in a folder of the home. ``locks`` are those of one: the first has the time of its last use."""

    name: str
    folder: str
    pattern: re.Pattern[str]
    locks: Callable[[Path], tuple[Path, ...]]


_KINDS = (
    _Kind(_ENVIRONMENT, "environments", re.compile(r"[0-9a-f]{32}"), lambda path: (path / "used", path / "lock")),
    _Kind("repository", "repositories", re.compile(r"[0-9a-f]{32}\.git"), lambda path: (path.with_suffix(".lock"),)),
    _Kind("wheel", "wheels", re.compile(r"[0-9a-f]{16}"), lambda path: (path / "used",)),
    _Kind("dataset", "datasets", re.compile(r"[0-9a-f]{64}"), lambda path: (path.with_name(f"{path.name}.lock"),)),
)
_BUILT = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A folder that may go. ``used``: the file whose time is that of its last use; None for its own time."""

    kind: str
    path: Path
    top: Path
    locks: tuple[Path, ...] = ()
    used: Path | None = None

    def last_use(self) -> int:
        """In ns since 1970. Raises FileNotFoundError when it is gone."""
        own = self.path.lstat().st_mtime_ns
        try:
            return self.used.lstat().st_mtime_ns if self.used is not None else own
        except FileNotFoundError:
            return own


def trim(found: Garbage, home: Path, older_than: int) -> None:
    """Add to ``found`` what was not used since ``older_than`` (µs since 1970) and, unless it is a dry run, take it away."""
    for kind in _KINDS:
        try:
            entries = list(_entries(kind, home / kind.folder))
        except OSError as error:
            found.left.append(f"{home / kind.folder}: {error}")
            continue
        for entry in entries:
            try:
                for old in _old(entry, older_than):
                    _consider(found, old, older_than)
            except FileNotFoundError:  # another does the same
                continue
            except OSError as error:
                found.left.append(f"{entry.path}: {error}")


def _entries(kind: _Kind, top: Path) -> Iterator[_Entry]:
    if not _is_ours(top):
        return
    for path in sorted(top.iterdir()):
        if _ASIDE.fullmatch(path.name) and _is_ours(path):
            yield _Entry(_REMAINS, path, top)
        elif kind.pattern.fullmatch(path.name) and _is_ours(path):
            locks = kind.locks(path)
            if not any(lock.is_symlink() for lock in locks):
                yield _Entry(kind.name, path, top, locks, locks[0])


def _old(entry: _Entry, older_than: int) -> Iterator[_Entry]:
    """It, or what in it is old by itself: environments built anew since, left to runs that were in them, and those never finished."""
    if entry.kind == _REMAINS or entry.last_use() // 1000 < older_than:
        yield entry
    elif entry.kind == _ENVIRONMENT:
        for path in _left_over(entry.path):
            one = _Entry("environment that another took the place of", path, entry.top, entry.locks)
            if one.last_use() // 1000 < older_than:
                yield one


def _left_over(place: Path) -> Iterator[Path]:
    """What in ``place`` looks like an environment, and is not the one that counts."""
    try:
        now = json.loads((place / "current.json").read_text(encoding="utf-8"))["folder"]
    except (OSError, ValueError, KeyError, TypeError):
        now = ""
    yield from (old for old in sorted(place.iterdir()) if _BUILT.fullmatch(old.name) and old.name != now and _is_ours(old))


def _consider(found: Garbage, entry: _Entry, older_than: int) -> None:
    used, size = entry.last_use(), _size(entry.path)
    if found.dry_run:
        if any(lockfile.is_held(lock) for lock in entry.locks) or garbage.is_worked_in(entry.path):
            return
    else:
        aside = _put_aside(entry, older_than) if entry.kind != _REMAINS else entry.path
        if aside is None:
            return
        for _ in range(_TRIES):
            shutil.rmtree(aside, ignore_errors=True)
        if os.path.lexists(aside):
            found.left.append(f"{aside} could not be taken away whole")
    found.caches.append(Unused(entry.kind, str(entry.path), size, used // 1000))


def _put_aside(entry: _Entry, older_than: int) -> Path | None:
    """Where it is now, under a name by which nobody finds it; None where it is in use. Its locks go with it."""
    with ExitStack() as stack:
        for path in entry.locks:
            known, used = os.path.lexists(path), (entry.path if path.parent == entry.top else path.parent).lstat().st_mtime_ns
            lock = lockfile.acquire(path)
            if lock is None:
                return None
            stack.callback(lock.release)
            if not known:
                os.utime(path, ns=(used, used))  # being looked at is no use
        aside = entry.top / f".gone-{uuid.uuid4().hex[:12]}"
        there = os.path.lexists(entry.path)  # not where another took it just before
        if there:
            if entry.last_use() // 1000 >= older_than or garbage.is_worked_in(entry.path):
                return None
            entry.path.rename(aside)
        for path in entry.locks:
            if path.parent == entry.top:
                path.unlink(missing_ok=True)
        return aside if there else None


def _is_ours(path: Path) -> bool:
    """Whether it is a folder, no link to one, and of this user."""
    try:
        about = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(about.st_mode) and (not hasattr(os, "geteuid") or about.st_uid == os.geteuid())


def _size(folder: Path) -> int:
    """Bytes of all files in it."""
    total = 0
    for top, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(top, name)).st_size  # noqa: PTH118  # a hundred thousand of them
            except OSError:
                continue
    return total
