"""Floor 5. Digests of files that were read before, so that an unchanged folder is not read again. It never is an error, and may be deleted.

One file for each folder that was digested, replaced whole: of several processes at once the last one's stays. It begins with a sha256 of
the rest; one that is damaged is dropped. A file counts as unchanged while its size, both its times and its inode are the same: the time
of the last write can be set back by anybody, that of the last change of the inode (ctime) by nobody short of the machine's clock.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from prefect_ledger.errors import LedgerError
from prefect_ledger.transfer import moved_into

FOLDER = "digests"  # below the ledger's home
LIMIT = 256 << 20  # bytes of all together
_FOLDERS = 1_000
_SHARE = 4  # what is larger than this part of the limit is not kept
# A file system writes times down in grains: some milliseconds on Linux, two seconds on FAT, one on some network shares. A file that is
# written to twice within one grain has the same times after both, so what was read in between would be believed for ever. (git calls
# such files racy.) Therefore nothing is kept of a file whose times are not this far in the past when it is read; the next reading will.
GRAIN = 2_000_000_000  # ns

Stamp = tuple[int, int, int, int]  # size, mtime and ctime in ns, inode


def stamp_of(stat: os.stat_result) -> Stamp:
    """By what a file is taken for unchanged."""
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def is_settled(stamp: Stamp, now: int) -> bool:
    """Whether a write from ``now`` (ns) on would show in the stamp."""
    return max(stamp[1], stamp[2]) < now - GRAIN


class KnownDigests:
    """What is known of the files below one folder, or of one file; kept in ``folder``."""

    def __init__(self, folder: Path, top: str) -> None:
        self._path = folder / f"{hashlib.sha256(os.fsencode(top)).hexdigest()[:32]}.json"
        self._found: Mapping[str, Any] = {}
        with suppress(OSError):
            self._found = self._read()

    def of(self, path: str, stamp: Stamp) -> str | None:
        """The sha256 of a file with this stamp; None where it has to be read."""
        said = self._found.get(path)
        return said[4] if said is not None and tuple(said[:4]) == stamp else None

    def keep(self, digests: Mapping[str, tuple[Stamp, str]]) -> None:
        """Remember these, by path, and nothing else of this folder."""
        text = json.dumps({path: [*stamp, sha256] for path, (stamp, sha256) in digests.items()}, separators=(",", ":")).encode()
        if len(text) > LIMIT // _SHARE:
            return
        with suppress(OSError, LedgerError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with moved_into(str(self._path)) as sink:
                sink.write(f"{hashlib.sha256(text).hexdigest()}\n".encode() + text)
            self._trim()

    def used(self) -> None:
        """What is used stays longest."""
        with suppress(OSError):
            os.utime(self._path)

    def _read(self) -> Mapping[str, Any]:
        said, _, text = self._path.read_bytes().partition(b"\n")
        if said.decode("ascii", "replace") == hashlib.sha256(text).hexdigest():
            with suppress(ValueError):
                found = json.loads(text)
                if isinstance(found, dict) and all(isinstance(one, list) and len(one) == 5 for one in found.values()):
                    return found
        self._path.unlink(missing_ok=True)
        return {}

    def _trim(self) -> None:
        """Remove what was not used for longest, until there is no more than the limits say; and what killed processes left."""
        found = []
        for path in self._path.parent.iterdir():
            with suppress(FileNotFoundError):
                stat = path.stat()
                if path.suffix == ".part" and stat.st_mtime > time.time() - 3600:
                    continue
                found.append((stat.st_mtime_ns, stat.st_size, path))
        total, count = sum(size for _, size, _ in found), len(found)
        for _, size, path in sorted(found):
            if total <= LIMIT and count <= _FOLDERS and path.suffix != ".part":
                continue
            path.unlink(missing_ok=True)
            total, count = total - size, count - 1
