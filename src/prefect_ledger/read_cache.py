"""Floor 3. Bytes of remote artifacts that were read before, on this machine, by their digest; the longest unused go when there are many.

What it gives is checked like what comes from afar. It may be deleted at any time, and shared by processes; it never is an error.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from prefect_ledger.transfer import PART, copy, moved_into, regular

LIMIT = 4 << 30  # bytes kept
_SHARE = 4  # what is larger than this part of the limit is not kept
_DIGEST = re.compile(r"[0-9a-f]{64}")


class ReadCache:
    """A folder of at most ``limit`` bytes."""

    def __init__(self, folder: str | os.PathLike[str], limit: int = LIMIT) -> None:
        self.folder, self.limit = Path(folder), limit
        self._added = limit  # since the folder was looked through: the first time at once

    def copy_to(self, sha256: str, sink: BinaryIO) -> int | None:
        """Copy the bytes of this digest to the end of ``sink``; how many, or None when they are not here: then ``sink`` is as before."""
        if not _DIGEST.fullmatch(sha256):
            return None
        start, path = sink.tell(), self.folder / sha256
        try:
            with regular(path, follow=False) as file:
                size, found = copy(file, sink)
        except (OSError, ValueError):
            size, found = 0, ""
        if found == sha256:
            with suppress(OSError):
                os.utime(path)
            return size
        sink.seek(start)
        sink.truncate()
        if found:  # somebody changed it
            path.unlink(missing_ok=True)
        return None

    def keep(self, sha256: str, source: BinaryIO, size: int) -> None:
        """Keep the rest of ``source``, ``size`` bytes of this digest, if they are not too many and there is room on the disk."""
        if size > self.limit // _SHARE or not _DIGEST.fullmatch(sha256):
            return
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with moved_into(str(self.folder / sha256)) as sink:
                copy(source, sink)
            self._added += size
            if self._added > self.limit // 16:
                self._added = 0
                self._trim()

    def _trim(self) -> None:
        """Remove what was not used for longest, until a sixteenth of the limit is free."""
        found = []
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                if _DIGEST.fullmatch(path.name) or PART.fullmatch(path.name):
                    stat = path.stat()
                    found.append((stat.st_mtime_ns, stat.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.limit - self.limit // 16:
                return
            path.unlink(missing_ok=True)
            total -= size
