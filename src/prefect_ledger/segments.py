"""Floor 2. One segment of a journal: its layout in memory and on disk, and how a file for it is had without risk.

A segment is a 64-byte header and then 32-byte slots, all aligned, so that no slot crosses a page. A *point* is one slot whose mark is
its last word: it is written after the rest (``struct.pack_into`` writes fields in order) and a fresh segment is zeros, so a mark that is
there means the point is whole. Any other *record* is a header slot and its payload in the slots after it; the payload is written first,
the header with length and checksum last. The first zero mark is the end. Nothing in the segment's header is ever rewritten:
``pack_into`` zeroes before it fills, and a length kept there was torn in 30 of 150 kills.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import time
import uuid
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from prefect_ledger.errors import JournalCorrupt

SLOT = 32
HEADER_BYTES = 64
POINT = struct.Struct("<qqdII")  # step, time (ns), value, series, mark
POINT_BODY = struct.Struct("<qqdI")  # the same without the mark, for who writes that by itself
RECORD = struct.Struct("<IIqIIII")  # payload length, crc32, spare, series, kind, slots, mark
HEADER = struct.Struct("<8s16sqqq")  # magic, journal, number, created (ns), bytes
ARRAY = struct.Struct("<IIqq")  # flags (1: steps follow, 2: times follow), points, first step, time (ns)
_MARK = struct.Struct("<I")  # the last word of a slot
MAGIC = b"PFLJ0001"
POINT_MARK = 0x504F494E
RECORD_MARK = 0x47454E52


class Kind(IntEnum):
    """What a record holds."""

    SERIES = 1  # JSON [run, key, attempt, task run, try]: names the series number of the record
    EVENT = 2  # JSON: an event
    ARRAY = 3  # many points of one series
    SKIP = 4  # nothing: a slot reserved by a call that then failed


@dataclass(frozen=True, slots=True)
class Segment:
    """A mapped segment and where its file lies; ``path`` None for one that lives in memory only."""

    number: int
    memory: mmap.mmap
    size: int
    path: Path | None
    whole: bool = True  # False: the file is shorter than it was made


def slots_for(payload: int) -> int:
    """Slots a record with so many bytes of payload takes, its header included."""
    return (payload + SLOT - 1) // SLOT + 1


def kept(size: int) -> int:
    """Bytes at the end of a segment of this size that are kept for signal handlers that log while their thread goes on to the next one."""
    return min(1 << 17, size // 32) // SLOT * SLOT


def values_in(memory: mmap.mmap, start: int, end: int) -> int:
    """How many values stand between two slots: points, also those of arrays, and events."""
    found, slot = 0, start
    while slot < end:
        offset = HEADER_BYTES + slot * SLOT
        mark = _MARK.unpack_from(memory, offset + SLOT - _MARK.size)[0]
        slots = 1
        if mark == POINT_MARK:
            found += 1
        elif mark == RECORD_MARK:
            _, _, _, _, kind, slots, _ = RECORD.unpack_from(memory, offset)
            found += ARRAY.unpack_from(memory, offset + SLOT)[1] if kind == Kind.ARRAY else kind == Kind.EVENT
        else:
            break
        slot += max(1, slots)
    return found


def written(segment: Segment, used: int, journal: uuid.UUID, folder: Path) -> Segment:
    """The first ``used`` bytes of a segment that lives in memory only, as one that has a file in ``folder``.

    Raises:
        OSError: no space or no rights; no file is left behind.
    """
    memory, path = allocate(folder, used)
    try:
        memory[HEADER_BYTES:used] = segment.memory[HEADER_BYTES:used]
        stamp(memory, journal, segment.number, used)
        return Segment(segment.number, memory, used, publish(path, folder, segment.number))
    except BaseException:
        memory.close()
        path.unlink(missing_ok=True)
        raise


def allocate(folder: Path, size: int, fresh: list[Path] | None = None) -> tuple[mmap.mmap, Path]:
    """Map ``size`` bytes of a new file under a name of its own in ``folder``; ``fresh`` has its path before there is a file.

    The blocks are allocated before the file is mapped: writing into a hole on a full disk would kill the process (SIGBUS).

    Raises:
        OSError: no space or no rights; no file is left behind.
    """
    path = folder / f".{uuid.uuid4().hex}.new"
    if fresh is not None:
        fresh.append(path)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _fill(fd, size)
        memory = mmap.mmap(fd, size)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
    finally:
        os.close(fd)
    return memory, path


def probe(folder: Path, size: int) -> None:
    """Find out whether this file system has room for ``size`` bytes, and shared mappings, which some network file systems have not.

    Raises:
        OSError: a segment cannot live here.
    """
    memory, path = allocate(folder, size)
    try:
        memory[0] = 1
    finally:
        memory.close()
        path.unlink()


def _fill(fd: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
        return
    block = bytes(1 << 20)  # macOS and Windows have no fallocate: real zeros are the same, only slower
    for start in range(0, size, len(block)):
        os.write(fd, block[: size - start])


def publish(temporary: Path, folder: Path, number: int) -> Path:
    """Give a prepared file its place as segment ``number``, which nobody else was given."""
    final = segment_path(folder, number)
    temporary.rename(final)
    return final


def segment_path(folder: Path, number: int) -> Path:
    """Where segment ``number`` of the journal in ``folder`` lies."""
    return folder / f"{number:08d}.seg"


def newest(*folders: Path) -> int:
    """The greatest number of a segment in these folders; 0 when there is none."""
    return max((int(path.stem) for folder in folders for path in folder.glob("*.seg") if path.stem.isdigit()), default=0)


def stamp(memory: mmap.mmap, journal: uuid.UUID, number: int, size: int) -> None:
    """Write the header, once."""
    HEADER.pack_into(memory, 0, MAGIC, journal.bytes, number, time.time_ns(), size)


def open_segment(path: Path, number: int) -> Segment | None:
    """Map an existing segment for reading; None when there is no such file.

    Raises:
        JournalCorrupt: the file is not a segment of this number.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < HEADER_BYTES:
                raise JournalCorrupt(f"{path} has {size} bytes, a segment has at least {HEADER_BYTES}")
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        return None
    magic, _, found, _, made = HEADER.unpack_from(memory, 0)
    if magic != MAGIC or found != number:
        memory.close()
        raise JournalCorrupt(f"{path} is not segment {number} of a journal that this version reads")
    return Segment(number, memory, size, path, whole=size >= made)
