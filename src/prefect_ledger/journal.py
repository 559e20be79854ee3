"""Floor 2. What this process says, kept where SIGKILL cannot reach it: memory-mapped segments whose pages belong to the kernel.

Once a call returned, the value is in the journal; the next process, or ``prefect-ledger recover``, brings it into the store. This
promises survival of the process's death, not of the disk's: nothing is fsynced.

A call reserves its slot first and packs it after, in a straight line without a call between, so that a signal handler which logs, or
raises, loses nothing. A forked child never writes into its parent's journal: the same object starts a new one there.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import mmap
import os
import shutil
import threading
import time
import uuid
import weakref
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger import lockfile
from prefect_ledger.bell import Bell
from prefect_ledger.events import Event, JournalClosed, pack
from prefect_ledger.journal_folders import BESIDE, ENDED, private_folder, spare_root
from prefect_ledger.segments import (
    HEADER_BYTES,
    RECORD,
    RECORD_MARK,
    SLOT,
    Kind,
    Segment,
    allocate,
    kept,
    probe,
    publish,
    segment_path,
    slots_for,
    stamp,
    values_in,
    written,
)

if TYPE_CHECKING:
    from prefect_ledger.channel import Channel

SEGMENT_BYTES = 16 << 20
FIRST_BYTES = 1 << 20  # a small run allocates little; from the second segment on they are prepared in the background
SMALL_BYTES = (1 << 20, 1 << 16)  # tried in turn when the disk has no room for a whole one
MEMORY_BYTES = 64 << 20  # held in memory, not yet in the store, when the disk takes nothing
_RETRY_SECONDS = 1.0
_DEEP = 8  # signal handlers, each in the midst of another, that each went on to a new segment: a further one finds no room

SeriesName = tuple[str, str, int, str, int]  # run, key, attempt, task run, try
_LIVE: weakref.WeakSet[Journal] = weakref.WeakSet()
_LEFT_BEHIND: list[object] = []  # a parent's mappings in a forked child: never closed, never written


class Journal:
    """The journal of this process in ``root``; opened by the first thing that is said.

    ``on_open`` is called in the process, parent or forked child, in which a journal was just opened (the recorder starts there).
    ``on_trouble`` gets one sentence when something is wrong that the user should know; each kind of trouble is told once.
    """

    def __init__(
        self,
        root: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        first_bytes: int = FIRST_BYTES,
        on_open: Callable[[Journal], None] | None = None,
        on_trouble: Callable[[str], None] | None = None,
        store: str = "",
    ) -> None:
        self.root, self.store = root, store
        self.id, self.folder, self.pid = uuid.UUID(int=0), root, 0
        self.segments: dict[int, Segment] = {}
        self.number = 0
        self.dropped = 0
        self.wake = Bell()
        self.channels: weakref.WeakSet[Channel] = weakref.WeakSet()
        self._segment_bytes, self._first_bytes = segment_bytes, first_bytes
        self._on_open, self._on_trouble, self._told = on_open, on_trouble, set[str]()
        self._series = itertools.count(1)
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._memory: Any = None  # the segment being written; read by Channel on the hot path
        self._offset, self._last = 1, 0  # next free byte, and the last offset at which a point still fits
        self._size, self._end = 0, 0  # up to where it is filled, and what is kept behind for who logs during the change of a segment
        self.rolling = 0  # changes of the segment that are under way, each in the midst of the one before
        self._spare: tuple[mmap.mmap, Path, int] | None = None
        self._lease: lockfile.Lock | None = None
        self._beside: tuple[Path, lockfile.Lock] | None = None  # another folder of this journal, when its own takes nothing more
        self._next_try = 0.0
        self.closed = False
        _LIVE.add(self)

    # --- writing --------------------------------------------------------------------------------------------------

    def put(self, kind: Kind, payload: bytes, series: int = 0) -> int:
        """Append a record; returns the number of the segment that took it, 0 when there was no room anywhere."""
        length = len(payload)
        count = slots_for(length)
        size, crc = count * SLOT, zlib.crc32(payload)
        with self._lock:
            while self._offset + size > (self._end if self.rolling else self._size):
                if not self.roll(size):
                    return 0
            # A straight line from here: nothing below may run Python code before the record stands.
            offset, memory, number = self._offset, self._memory, self.number
            self._offset = offset + size
            memory[offset + SLOT : offset + SLOT + length] = payload
            RECORD.pack_into(memory, offset, length, crc, 0, series, kind, count, RECORD_MARK)
            return number

    def skip(self, offset: int) -> None:
        """Fill a slot that was reserved at ``offset`` and could not be packed, so that reading goes on behind it."""
        RECORD.pack_into(self._memory, offset, 0, 0, 0, 0, Kind.SKIP, 1, RECORD_MARK)

    def say(self, event: Event) -> None:
        """Append an event. When nothing can hold it, it is counted in ``dropped`` and told once."""
        if not self.put(Kind.EVENT, pack(event)):
            self.drop(1)

    def new_series(self) -> int:
        """A number for a series, which nobody else was given."""
        return next(self._series)

    def announce(self, number: int, name: SeriesName) -> int:
        """Write the name of a series into the current segment; returns the segment, 0 when there is no room."""
        return self.put(Kind.SERIES, json.dumps(name).encode(), number)

    def drop(self, count: int) -> None:
        """Count values that nothing could hold."""
        self.dropped += count
        self.tell("dropped", "the journal has no room left on disk or in memory: values are being dropped until the store takes some")

    def position(self) -> tuple[int, int]:
        """(segment, slot) up to which everything is written whole."""
        with self._lock:  # and no call: who waits here for the GIL has all that log wait
            number, offset = self.number, self._offset
        return number, max(0, (offset - HEADER_BYTES) // SLOT)

    # --- segments -------------------------------------------------------------------------------------------------

    def roll(self, need: int = SLOT) -> bool:
        """Go on in a segment with at least ``need`` free bytes; False when nothing can be had now. Called with the lock held."""
        if self.pid != os.getpid():
            self._open()
        now = time.monotonic()
        depth = self.rolling
        if (self.dropped and now < self._next_try) or depth > _DEEP:
            return False
        fresh: list[Path] = []  # files that no segment has yet
        number = next(self._numbers)
        try:
            self.rolling = depth + 1  # who logs in the midst of this finds room in what is kept, else he would go on before this is done
            return self._roll(number, need + HEADER_BYTES, fresh)
        finally:
            self.rolling = depth
            # A signal handler may have raised, or have logged and rolled while this call was at it: each gets a number of its own, the
            # greater one is used, and readers pass over the other.
            if fresh and number not in self.segments:
                for path in fresh:
                    path.unlink(missing_ok=True)

    def _roll(self, number: int, need: int, fresh: list[Path]) -> bool:
        got = self._next_segment(need, fresh)
        if got is None:
            self._next_try = time.monotonic() + _RETRY_SECONDS
            return False
        memory, path, size = got
        stamp(memory, self.id, number, size)
        if path is not None:
            fresh.append(segment_path(path.parent, number))
            try:
                path = publish(path, path.parent, number)
            except OSError as error:  # somebody removed the folder: the mapping lives on without a name
                self.tell(
                    "gone", f"the journal folder {fresh[-1].parent} is gone ({error}): values are held in memory until the store has them"
                )
                path = None
        segment = Segment(number, memory, size, path)
        for channel in list(self.channels):
            channel.forget_series()
        filled = size - kept(size)
        last = filled - SLOT
        # Again a straight line: whoever interrupts sees the old segment or the new one.
        if self.number < number:
            self.segments[number] = segment
            self._memory = memory
            self._offset = HEADER_BYTES
            self._size = filled
            self._end = size
            self._last = last
            self.number = number
        self.wake.set()
        return True

    def _next_segment(self, need: int, fresh: list[Path]) -> tuple[mmap.mmap, Path | None, int] | None:
        least = -(-(need + kept(2 * need)) // SLOT) * SLOT
        if self._spare is not None and self._spare[2] >= least:
            spare, self._spare = self._spare, None
            fresh.append(spare[1])
            return spare
        full = self._segment_bytes if self.number else self._first_bytes
        wanted = {full, *SMALL_BYTES} if self.rolling == 1 else {min(full, *SMALL_BYTES)}  # a signal handler is to be quick
        try:
            return self._allocate(sorted({max(size, least) for size in wanted if size <= full}, reverse=True), fresh)
        except OSError as error:
            trouble = error
        held = sum(s.size for s in self.segments.values() if s.path is None)
        size = max(1 << 20, least)
        if held + size > MEMORY_BYTES:
            return None
        self.tell(
            "memory", f"the journal folder {self.folder} takes nothing more ({trouble}): values are held in memory until the store has them"
        )
        return mmap.mmap(-1, size), None, size

    def _allocate(self, sizes: Sequence[int], fresh: list[Path]) -> tuple[mmap.mmap, Path, int]:
        """A segment's file, of the first of ``sizes`` that a folder takes.

        Raises:
            OSError: why this journal's own folder takes none; nor does the other one.
        """
        trouble: OSError | None = None
        for folder in self._folders():
            for size in sizes:
                try:
                    memory, path = allocate(folder, size, fresh)
                except OSError as error:
                    trouble = trouble or error
                    continue
                if folder != self.folder:
                    self.tell("beside", f"the journal folder {self.folder} takes nothing more ({trouble}): {folder} is used beside it")
                return memory, path, size
        raise trouble or FileNotFoundError(f"{self.folder} could not be made")

    def _folders(self) -> Iterator[Path]:
        """Where segments may lie: in this journal's own folder, and in one beside it, which is made when it is asked for."""
        if self._lease is None:
            return
        yield self.folder
        place = spare_root(self.root)
        if self._beside is None and self.folder.parent != place:
            with contextlib.suppress(OSError):
                self._beside = self._claim(place, self.id)
                (self.folder / BESIDE).touch()  # a full disk often has room for a name
        if self._beside is not None:
            yield self._beside[0]

    @property
    def folders(self) -> str:
        """Where this journal lies, as text for people."""
        return " and ".join(str(folder) for folder in (self.folder, *(self._beside or ())[:1]))

    @property
    def prepared(self) -> bool:
        """Whether the next segment is ready."""
        return self._spare is not None

    def prepare(self) -> None:
        """Have the next segment ready, so that no caller waits for one, and what is held in memory on a disk that has room again.

        For the recorder's thread; failing is left to the roll.
        """
        if self._spare is None and self.number and not self.closed and self.pid == os.getpid():
            with contextlib.suppress(OSError):
                memory, path = allocate(self.folder, self._segment_bytes)
                self._spare = (memory, path, self._segment_bytes)
                with self._lock:  # who packs into an older segment does so with the lock held: from here on they do not change
                    passed = [segment for segment in self.segments.values() if segment.path is None and segment.number < self.number]
                for segment in passed:
                    self._write(segment, segment.size)

    def _write(self, segment: Segment, used: int) -> bool:
        """Give a segment that lives in memory only a file; False when no folder takes it."""
        for folder in self._folders():
            with contextlib.suppress(OSError):
                on_disk = written(segment, used, self.id, folder)
                with self._lock:
                    if self.segments.get(segment.number) is segment:
                        self.segments[segment.number] = on_disk
                return True
        return False

    def release(self, number: int) -> None:
        """Give back a segment that the store has whole."""
        segment = self.segments.pop(number, None)
        if segment is None:
            return
        with contextlib.suppress(BufferError):
            segment.memory.close()
        if segment.path is not None:
            with contextlib.suppress(OSError):  # gone already, or on a disk that became read-only: the store has it all the same
                segment.path.unlink()

    def let_go(self) -> None:
        """Unmap what is written whole and has a file: where nobody reads it in this process, it need not be held here."""
        with self._lock:  # as above: whoever packs into a segment holds it
            passed = [one for one in self.segments.values() if one.path is not None and one.number < self.number]
            for segment in passed if not self.rolling else ():
                with contextlib.suppress(BufferError):
                    segment.memory.close()
                    del self.segments[segment.number]

    # --- life -----------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Start a journal for this process: visible to others only once it is locked."""
        identity, pid, numbers = uuid.uuid4(), os.getpid(), itertools.count(1)
        folder, lease = self._claim_somewhere(identity)
        opened = self.pid != pid  # else a signal handler that logs has opened one meanwhile
        if opened:  # a straight line: who interrupts sees no journal or a whole one
            self.id, self.folder, self.pid, self.closed, self._lease = identity, folder, pid, False, lease
            self.segments, self.number, self._spare, self.dropped = {}, 0, None, 0
            self._beside = None
            self._numbers = numbers  # numbers of series go on: handles remember them
            self._memory, self._offset, self._last, self._size, self._end = None, 1, 0, 0, 0
        elif lease is not None:
            lease.release()
            shutil.rmtree(folder, ignore_errors=True)
        if opened and self._on_open is not None:
            self._on_open(self)

    def _claim_somewhere(self, identity: uuid.UUID) -> tuple[Path, lockfile.Lock | None]:
        trouble: OSError | None = None
        for root in (self.root, spare_root(self.root)):
            try:
                found = self._claim(root, identity)
            except OSError as error:
                trouble = trouble or error
                continue
            if trouble is not None:
                self.tell("folder", f"the journal folder {self.root} cannot be used ({trouble}): {root} is used instead")
            return found
        self.tell("folder", f"the journal folder {self.root} cannot be used ({trouble}), nor a temporary one: memory is used instead")
        return self.root / str(identity), None

    def _claim(self, root: Path, identity: uuid.UUID) -> tuple[Path, lockfile.Lock]:
        if root != self.root:
            private_folder(root.parent)
        hidden = private_folder(root) / f".{identity}"
        hidden.mkdir(mode=0o700)
        lease = lockfile.acquire(hidden / "lock")
        if lease is None:
            raise OSError(f"{hidden} is locked by somebody else")
        try:
            probe(hidden, min(self._first_bytes, *SMALL_BYTES))
        except OSError:
            lease.release()
            shutil.rmtree(hidden, ignore_errors=True)
            raise
        owner = lockfile.identity() | {"store": self.store, "beside": str(spare_root(self.root) / str(identity))}
        (hidden / "owner.json").write_text(json.dumps(owner), encoding="utf-8")
        return hidden.rename(root / str(identity)), lease

    def close(self, *, reached: tuple[int, int]) -> int:
        """End in order. ``reached``: up to where the store has everything; when that is all, the folder goes, else it waits for recovery.

        Returns how many values are lost: no folder takes what is in memory only, or nothing ever had room for them. Other threads may be
        logging: what they say from here on goes into a new journal.
        """
        with self._lock:
            return self._close(reached) if self.pid == os.getpid() and not self.closed else 0

    def _close(self, reached: tuple[int, int]) -> int:
        drained = reached >= self.position()
        if not drained:
            self.put(Kind.EVENT, pack(JournalClosed(at=time.time_ns() // 1000)))
        self.closed = True
        if self._spare is not None:
            (memory, path, _), self._spare = self._spare, None
            with contextlib.suppress(OSError):  # room for what is in memory
                path.unlink()
            with contextlib.suppress(BufferError):  # a mapping keeps its file open, and a removed one its room
                memory.close()
        lost = self.dropped + (0 if drained else self._leave(reached))
        if not drained:
            with contextlib.suppress(OSError):
                (self.folder / ENDED).touch()
        else:
            for number in list(self.segments):
                self.release(number)
            shutil.rmtree(self.folder, ignore_errors=True)
            if self._beside is not None:
                shutil.rmtree(self._beside[0], ignore_errors=True)
        for lease in (self._lease, *(self._beside or ())[1:]):
            if lease is not None:
                lease.release()
        self.pid, self._offset, self._last, self._size, self._end = 0, 1, 0, 0, 0  # whoever logs now starts a new journal
        return lost

    def _leave(self, reached: tuple[int, int]) -> int:
        """Bring to a disk what lives in memory only, the newest first: it has the end. Returns how many values no folder takes."""
        lost, (last, end) = 0, self.position()
        held = [segment for segment in self.segments.values() if segment.path is None and segment.number >= reached[0]]
        if held and self._lease is None:
            self._claim_late()
        for segment in sorted(held, key=lambda segment: segment.number, reverse=True):
            slots = end if segment.number == last else (segment.size - HEADER_BYTES) // SLOT
            if not self._write(segment, HEADER_BYTES + slots * SLOT):
                lost += values_in(segment.memory, reached[1] if segment.number == reached[0] else 0, slots)
                self.release(segment.number)
        return lost

    def _claim_late(self) -> None:
        """A folder for a journal that could have none when it was opened."""
        for root in (self.root, spare_root(self.root)):
            with contextlib.suppress(OSError):
                self.folder, self._lease = self._claim(root, self.id)
                return

    def tell(self, kind: str, sentence: str) -> None:
        """Pass on one sentence about a kind of trouble, once."""
        if kind not in self._told:
            self._told.add(kind)
            if self._on_trouble is not None:
                self._on_trouble(sentence)

    def forget(self, kind: str) -> None:
        """Have a kind of trouble be told when it comes again."""
        self._told.discard(kind)

    def _forked(self) -> None:
        """In the child: leave everything of the parent's untouched, and have the next call start anew."""
        _LEFT_BEHIND.append((self.segments, self._memory, self._spare))
        for lease in (self._lease, *(self._beside or ())[1:]):
            if lease is not None:
                lease.forget()  # closed, never unlocked: that would free the parent's lock
        self._lock, self.wake = threading.RLock(), Bell()
        self.segments, self._spare, self._lease, self._beside, self._memory = {}, None, None, None, None
        self.pid, self._offset, self._last, self._size, self._end, self._told = 0, 1, 0, 0, 0, set()
        self.rolling = 0


def _after_fork() -> None:
    for journal in list(_LIVE):
        journal._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
