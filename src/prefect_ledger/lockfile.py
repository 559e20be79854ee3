"""Floor 2. Whether the owner of a journal lives, told by a lock on a file that is never mapped.

The lock must be free the moment its owner dies, also when the owner was killed while a forked DataLoader worker lives on: so it is a
``flock`` whose descriptor every forked child closes. Host, boot and process are written beside it for people and for leases.
"""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if sys.platform == "win32":  # pragma: no cover - exercised on Windows only
    import msvcrt
else:
    import fcntl


@dataclass
class Lock:
    """A lock that is held until it is released or its process ends."""

    path: Path
    fd: int

    def release(self) -> None:
        """Free the lock."""
        with contextlib.suppress(OSError):
            os.close(self.fd)
        self.fd = -1

    def forget(self) -> None:
        """In a forked child: drop the inherited descriptor, which leaves the parent's lock as it is."""
        self.release()


def acquire(path: Path) -> Lock | None:
    """Lock ``path``, made when it is not there; None when somebody holds it or it was removed meanwhile."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        _lock(fd)
        if os.stat(path).st_ino != os.fstat(fd).st_ino:  # removed and made anew between open and lock
            raise BlockingIOError
    except (BlockingIOError, FileNotFoundError, PermissionError):
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return Lock(path, fd)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock now."""
    if not path.exists():
        return False
    lock = acquire(path)
    if lock is None:
        return path.exists()
    lock.release()
    return False


def _lock(fd: int) -> None:
    if sys.platform == "win32":  # pragma: no cover - exercised on Windows only
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def identity() -> dict[str, str | int | float]:
    """Who this process is: host, boot, pid and when it said so (seconds since 1970)."""
    return {"host": platform.node(), "boot": _boot_id(), "pid": os.getpid(), "time": time.time()}


@functools.cache
def _boot_id() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""
