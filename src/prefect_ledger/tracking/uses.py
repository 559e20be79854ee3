"""Floor 5. That something kept below the ledger's home is in use: told by a small file beside it, or in it, which ``gc`` asks first.

The file's time is that of the last use, since a touch is one call, is never half, and needs no room; the lock on it, which all share who
use the thing, says that they live. ``gc`` takes a thing only while it has that lock alone.
"""

from __future__ import annotations

import os
import sys
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_MOST = 64  # files are few that a process may have open; of what was used before as many others the time of use has to do
_held: OrderedDict[Path, int] = OrderedDict()  # descriptors, those used last at the end; no mutex, which a fork might find locked


def hold(path: Path) -> None:
    """Say by the file ``path``, made where it is not there, that what it stands for is used from now on until this process ends.

    Waits for a ``gc`` that is just taking it away; what comes after sees either the whole thing or none. It never is an error.
    """
    with suppress(OSError):
        held = _held.get(path)
        if held is None or not _stands(path, held):
            _keep(path, _locked(path))
        else:
            with suppress(KeyError):
                _held.move_to_end(path)
        os.utime(path)


def _keep(path: Path, fd: int) -> None:
    before, _held[path] = _held.pop(path, None), fd
    if before is not None:
        os.close(before)
    while len(_held) > _MOST:
        os.close(_held.popitem(last=False)[1])


def _locked(path: Path) -> int:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except FileNotFoundError:  # its folder was taken away between the two
            continue
        try:
            if sys.platform != "win32":
                fcntl.flock(fd, fcntl.LOCK_SH)
            if _stands(path, fd):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # taken away while it was waited for


def _stands(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except OSError:
        return False
