"""Datasets: what the digest of a folder costs beside one thread of hashlib, when nothing of it is known and when nothing has changed."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Absent, Row, Work, in_turns, timed

SMALL, LARGE = (10_000, 2_000), (8, 256 << 20)  # files, bytes of each
SETTLED = 2.5  # seconds after which a file's times tell whether it was written to


def _filled(folder: Path, count: int, size: int) -> Path:
    for n in range(count):
        (folder / f"{n % 100}").mkdir(parents=True, exist_ok=True)
        with (folder / f"{n % 100}" / f"{n}.bin").open("wb") as file:
            for low in range(0, size, 1 << 20):
                file.write(os.urandom(min(1 << 20, size - low)))
    return folder


def _bare(folder: Path) -> None:
    for root, _, names in os.walk(folder):
        for name in names:
            with Path(root, name).open("rb") as file:
                hashlib.file_digest(file, "sha256")


def digests(work: Work) -> Iterator[Row | Absent]:
    """Ten thousand small files, and two gigabytes in eight; the files' pages are in memory."""
    from prefect_ledger.tracking import folders

    for what, (full, size) in (("small", SMALL), ("large", LARGE)):
        count, each = work.size(full, full // 4), max(1, size // work.divisor)
        with tempfile.TemporaryDirectory() as top:
            data, cache = _filled(Path(top) / "data", count, each), Path(top) / "cache"
            time.sleep(SETTLED if work.divisor == 1 else 0)

            def ours(data: Path = data) -> float:
                return timed(lambda: folders.read(data))

            def known(data: Path = data, cache: Path = cache) -> float:
                return timed(lambda: folders.read(data, cache=cache))

            def bare(data: Path = data) -> float:
                return timed(lambda: _bare(data))

            named = f"digest of a folder, {count:,} {what} files"
            mine, theirs = in_turns(work.times(5, 3), ours, bare)
            yield Row(named, mine, "s", theirs, "hashlib.file_digest, one thread")
            known()
            mine, theirs = in_turns(work.times(5, 3), known, bare)
            yield Row(f"{named}, unchanged since the last", mine, "s", theirs, "hashlib.file_digest, one thread")


BENCHES = {"datasets.digests": digests}
