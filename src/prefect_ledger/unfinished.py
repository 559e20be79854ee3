"""Floor 2. A file or folder that stands whole at its place or not at all: written aside under a hidden name, then renamed.

Whoever dies while writing leaves a hidden file or folder, which the next one that writes to this place takes away.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from prefect_ledger import lockfile
from prefect_ledger.errors import InvalidValue


@contextlib.contextmanager
def aside(place: Path, *, folder: bool, check: Callable[[], object]) -> Iterator[Path]:
    """Where to write what is to stand at ``place``, a file or with ``folder`` a folder; it takes the place when the block ends well.

    ``check`` is called just before that, and raises where the place may not be taken. What stood there is replaced.

    Raises:
        InvalidValue: links on the way to the place lead elsewhere by now. What ``check`` raises.
    """
    final = real(place)
    with scratch(place, folder=folder) as path:
        yield path
        check()
        if real(place) != final:
            raise InvalidValue(f"{place} was {final} when it began, and is another place by now: begin again")
        if folder:
            _rename_folder(path, final)
        else:
            path.replace(final)
        sync(final.parent)


@contextlib.contextmanager
def scratch(place: Path, *, folder: bool) -> Iterator[Path]:
    """A hidden file or folder beside ``place``, on the same disk, which goes when the block ends however it does."""
    final = real(place)
    _clear(final)
    path = _hidden(final)
    lock = lockfile.acquire(_locked(path) if folder else path)
    assert lock is not None  # nobody else knows the name
    try:
        if folder:
            path.mkdir()
        yield path
    finally:
        remove(path)
        remove(lock.path)
        lock.release()


def real(path: Path) -> Path:
    """The same place without links on the way to it."""
    return Path(os.path.realpath(path.parent), path.name)


def sync(path: Path) -> None:
    """Force a file, or what a folder lists, to the disk."""
    with contextlib.suppress(PermissionError):  # a folder cannot be opened for this everywhere
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def remove(path: Path) -> None:
    """Take a file, a link or a folder away, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _hidden(final: Path) -> Path:
    return final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.unfinished")


def _clear(final: Path) -> None:
    """Take away what dead writers left."""
    for left in final.parent.glob(f".{glob.escape(final.name)}.????????.unfinished"):
        if left.is_symlink():  # nobody makes one: it is not locked, as that would be what it leads to
            remove(left)
            continue
        lock = lockfile.acquire(_locked(left) if left.is_dir() else left)
        if lock is not None:
            remove(left)
            remove(lock.path)
            lock.release()


def _rename_folder(path: Path, final: Path) -> None:
    sync(path)
    if not final.exists():
        path.rename(final)
        return
    old = _hidden(final)
    final.rename(old)
    path.rename(final)
    remove(old)


def _locked(folder: Path) -> Path:
    """The lock of a folder that is written, beside it: what is in the folder is its own alone."""
    return folder.with_name(f"{folder.name}.lock")
