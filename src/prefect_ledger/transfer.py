"""Floor 2. Moves bytes on this machine: read once, hashed on the way, standing whole under the final name or not at all.

Nothing here knows of runs or stores; ``artifact_store`` says what goes where.
"""

# ruff: noqa: PTH103, PTH105, PTH108, PTH112, PTH113, PTH120, PTH123, PTH202
# Descriptors and flags matter here; and a Path for each of many small files would be a good part of their cost.

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import stat
import sys
import threading
import time
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from prefect_ledger.errors import InvalidName, InvalidValue

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from rich.progress import Progress, TaskID

BLOCK = 256 << 10  # bytes read, hashed and written at once; what fits in a processor's cache is fastest
PART = re.compile(r"\.ledger-[0-9a-f]{32}\.part")
_FOLDER_TRIES = 3
_PATIENCE = 1.0  # seconds before a bar shows itself


@dataclass(frozen=True, slots=True)
class Found:
    """A file that lies somewhere: its path there, its size in bytes, and when it was last written (µs since 1970; None: nobody knows)."""

    path: str
    size: int
    at: int | None

    def is_older(self, than: int) -> bool:
        """Whether it is known to have been written before ``than`` (µs since 1970)."""
        return self.at is not None and self.at < than


def part_name() -> str:
    """A name for an unfinished write, as no other write has it; ``PART`` matches it."""
    return f".ledger-{uuid.uuid4().hex}.part"


def folded(path: str) -> str:
    """``path`` as a file system reads it that looks neither at case nor at how accents are written."""
    return path.lower() if path.isascii() else unicodedata.normalize("NFC", path.casefold())


def write_all(sink: BinaryIO, view: memoryview) -> None:
    """Write every byte of ``view``, also to a raw file, which may take a part at a time."""
    done = 0
    while done < view.nbytes:
        done += sink.write(view[done:])


def copy(source: BinaryIO, sink: BinaryIO, progress: Callable[[int], None] | None = None) -> tuple[int, str]:
    """Copy the rest of ``source``; gives the size in bytes and the sha256 of what was written."""
    # A file of known, small size gets a small buffer: clearing a large one takes longer than copying the file.
    expected = os.fstat(source.fileno()).st_size if isinstance(source, io.FileIO) else BLOCK
    digest, buffer, size = hashlib.sha256(), memoryview(bytearray(min(BLOCK, expected + 1))), 0
    read = cast("io.RawIOBase", source).readinto
    while count := read(buffer):
        block = buffer[:count]
        digest.update(block)
        write_all(sink, block)
        size += count
        if progress is not None:
            progress(count)
    return size, digest.hexdigest()


class Part(io.FileIO):
    """The unfinished file: ``trouble`` is what the system said when it could not be written, as opposed to what a writer raises."""

    trouble: OSError | None = None

    def write(self, data: ReadableBuffer) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.trouble = error
            raise


@contextmanager
def moved_into(target: str) -> Iterator[BinaryIO]:
    """A new file beside ``target`` that takes its name when the block ends well, and is gone when it does not.

    Raises:
        InvalidName: the target is a folder, or a part of its path is a file. Both before the block begins.
    """
    part = f"{os.path.dirname(target)}/{part_name()}"
    file = _begin(part, target)
    try:
        with file:
            yield file
        os.replace(part, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise


def _begin(part: str, target: str) -> BinaryIO:
    try:
        fd = _new_file(part)
    except (NotADirectoryError, FileExistsError) as error:
        raise InvalidName(f"{target}: a part of this path is a file already; take another path") from error
    if os.path.isdir(target):
        os.close(fd)
        os.unlink(part)
        raise InvalidName(f"{target} is a folder already; take another path")
    return cast("BinaryIO", Part(fd, "w+"))


def _new_file(path: str) -> int:
    for _ in range(_FOLDER_TRIES):
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:  # no folder yet, or it was empty and gc took it just now
            os.makedirs(os.path.dirname(path), exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)


def regular(path: str | os.PathLike[str], *, follow: bool = True) -> BinaryIO:
    """The regular file ``path`` open for reading, without a buffer. A pipe or device, which could be endless, is refused.

    Raises:
        InvalidValue: something else than a file, or, unless ``follow``, a link. FileNotFoundError, PermissionError: from the system.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link, or a socket
            raise InvalidValue(f"{os.fspath(path)} is not a regular file; only files can be artifacts") from error
        raise
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return cast("BinaryIO", open(fd, "rb", buffering=0))
    os.close(fd)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file", os.fspath(path))
    raise InvalidValue(f"{os.fspath(path)} is not a regular file; only files can be artifacts")


def walk(folder: str) -> Iterator[tuple[str, str, int]]:
    """(name relative to the folder, path to read, size) of every file below ``folder``, in no order.

    A link to a file inside the folder counts as that file; any other link, and what is neither file nor folder, is refused.

    Raises:
        InvalidValue: not a folder, or something in it is refused.
    """
    top = os.path.realpath(folder)
    if not os.path.isdir(top):
        raise InvalidValue(f"{folder} is not a folder")
    waiting = [(top, "")]
    while waiting:
        inside, prefix = waiting.pop()
        with os.scandir(inside) as entries:
            for entry in entries:
                name = f"{prefix}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, f"{name}/"))
                else:
                    yield name, *_file_of(entry, top)


def _file_of(entry: os.DirEntry[str], top: str) -> tuple[str, int]:
    if not entry.is_symlink():
        if entry.is_file():
            return entry.path, entry.stat().st_size
        raise InvalidValue(f"{entry.path} is neither a file nor a folder; leave it out")
    real = os.path.realpath(entry.path)
    if not os.path.isfile(real) or not real.startswith(f"{top.rstrip('/')}/"):
        raise InvalidValue(f"{entry.path} links to {real}, which is no file inside {top}; put the file itself there, or leave the link out")
    return real, os.path.getsize(real)


class Hashed(io.RawIOBase):
    """A raw stream that writes through to ``sink`` and hashes on the way, as long as writing only goes forward.

    A writer that goes back to change what it wrote costs one more reading at the end; the digest is right either way.
    """

    def __init__(self, sink: BinaryIO) -> None:
        self._sink, self._digest, self._hashed, self._forward = sink, hashlib.sha256(), 0, True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: memoryview) -> int:  # type: ignore[override]  # a raw stream below a buffered one gets memoryviews
        self._forward = self._forward and self._sink.tell() == self._hashed
        count = self._sink.write(data)
        if self._forward:
            self._digest.update(data[:count])
            self._hashed += count
        return count

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return cast("io.RawIOBase", self._sink).readinto(buffer) or 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._sink.seek(offset, whence)

    def tell(self) -> int:
        return self._sink.tell()

    def truncate(self, size: int | None = None) -> int:
        self._forward = False
        return self._sink.truncate(size)

    def result(self) -> tuple[int, str]:
        """Size in bytes and sha256 of what the sink holds now."""
        size = self._sink.seek(0, os.SEEK_END)
        if not self._forward or size != self._hashed:
            self._sink.seek(0)
            self._digest = hashlib.file_digest(self._sink, "sha256")  # type: ignore[arg-type]  # a raw file is readable enough
        return size, self._digest.hexdigest()


def _looked_at() -> bool:
    """Whether somebody sits before a terminal or a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell" or (sys.stderr is not None and sys.stderr.isatty())


class Bar:
    """Called with numbers of bytes, shows how far a transfer is: when it takes over a second, on a terminal or in a notebook.

    ``shown`` True shows it at once and anywhere, False never. Threads may share one.
    """

    def __init__(self, label: str, total: int | None, shown: bool | None = None) -> None:
        self._label, self._total, self._done = label, total, 0
        self._wanted = _looked_at() if shown is None else shown
        self._from = 0.0 if shown else time.monotonic() + _PATIENCE
        self._mutex = threading.Lock()
        self._shown: tuple[Progress, TaskID] | None = None

    def __call__(self, count: int) -> None:
        if not self._wanted:
            return
        with self._mutex:
            self._done += count
            if self._shown is None and time.monotonic() >= self._from:
                self._shown = self._show()
            if self._shown is not None:
                self._shown[0].update(self._shown[1], completed=self._done)

    def _show(self) -> tuple[Progress, TaskID]:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        progress = Progress(*columns, console=Console(stderr=True), transient=True)
        progress.start()
        return progress, progress.add_task(self._label, total=self._total)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._shown is not None:
            self._shown[0].stop()
