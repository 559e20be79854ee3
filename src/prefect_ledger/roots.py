"""Floor 3. What kinds of artifact roots can do, and the plainest of them: a local folder. Others are in ``remotes``.

A root knows places, not artifacts: ``where`` says which of its places a URI means and refuses what lies outside; everything else is
asked of such a place. Bytes stand whole under a place or not at all.
"""

# ruff: noqa: PTH106, PTH108, PTH112, PTH113, PTH114, PTH118, PTH120
# URIs and local paths are the same text here, judged character by character; a Path would tidy them first.

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from prefect_ledger.errors import ArtifactsUnavailable, InvalidName
from prefect_ledger.transfer import Found, copy, moved_into, part_name, regular, write_all

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
FILE = ("file", "local")

Sent = tuple[int, str]  # size and sha256 of what was moved
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload in parts that was begun and not finished: to the path ``path``, at ``at`` (µs since 1970)."""

    path: str
    id: str
    at: int


class Root(Protocol):
    """What a kind of root can do. A ``target`` is what ``where`` made of a URI, after it was found below the root."""

    root: str
    threads: int
    alone: int  # bytes below which a file is sooner moved than given to a thread

    @property
    def top(self) -> str: ...  # the target that the root itself is, for looking only
    def where(self, uri: str, known: set[str] | None = None) -> str: ...  # known: folders that were found inside in this call
    def sink(self, target: str) -> AbstractContextManager[BinaryIO]: ...
    def put(self, target: str, source: BinaryIO | memoryview, progress: Progress) -> Sent: ...
    def fetch(self, target: str, sink: BinaryIO, progress: Progress) -> Sent: ...
    def exists(self, target: str) -> bool: ...
    def found(self, target: str) -> Found | None: ...
    def renewed(self, target: str, size: int, since: int) -> bool: ...
    def files(self, target: str) -> Iterator[Found]: ...
    def check_folder(self, target: str) -> None: ...
    def delete(self, target: str) -> None: ...
    def remove(self, targets: Sequence[str]) -> None: ...
    def uploads(self, target: str) -> list[Upload]: ...
    def abort(self, target: str, upload: str) -> None: ...
    def folds(self) -> bool: ...  # whether two names that differ only by case are one here


class OneByOne:
    """Roots whose objects are written and read as files."""

    alone = 0

    def folds(self) -> bool:
        """Object stores look at every letter."""
        return False

    def sink(self, target: str) -> AbstractContextManager[BinaryIO]:
        raise NotImplementedError

    def source(self, target: str) -> BinaryIO:
        raise NotImplementedError

    def put(self, target: str, source: BinaryIO | memoryview, progress: Progress) -> Sent:
        """Store what ``source`` still has."""
        with self.sink(target) as sink:
            if not isinstance(source, memoryview):
                return copy(source, sink, progress)
            write_all(sink, source)
            return source.nbytes, hashlib.sha256(source).hexdigest()

    def fetch(self, target: str, sink: BinaryIO, progress: Progress) -> Sent:
        """Copy what stands at ``target`` to ``sink``. FileNotFoundError and its kin say that nothing does."""
        with self.source(target) as source:
            return copy(source, sink, progress)

    def found(self, target: str) -> Found | None:
        raise NotImplementedError

    def renewed(self, target: str, size: int, since: int) -> bool:
        """Whether ``size`` bytes stand at ``target`` that were written after ``since``; a root that can makes it so."""
        found = self.found(target)
        return found is not None and found.size == size and (found.at is None or found.at >= since)

    def check_folder(self, target: str) -> None:
        """Refuse a place that ``delete`` would refuse: there are such where links are."""

    def uploads(self, target: str) -> list[Upload]:  # noqa: ARG002  # there are none
        """Uploads that were begun and not finished, where the other side keeps such."""
        return []

    def abort(self, target: str, upload: str) -> None:
        """Give up an upload."""


class Folder(OneByOne):
    """A local folder. URIs are paths, with or without ``file://``."""

    threads = min(4, os.cpu_count() or 1)
    alone = 1 << 20

    def __init__(self, folder: str, prefix: str) -> None:
        self.folder, self.root = folder, prefix + folder

    @property
    def top(self) -> str:
        """The root itself, wherever it really is."""
        return os.path.realpath(self.folder)

    def where(self, uri: str, known: set[str] | None = None) -> str:
        """The path that ``uri`` means.

        Raises:
            InvalidName: it is not below the root, or a link leads out of it.
        """
        scheme = SCHEME.match(uri)
        path = uri[scheme.end() :] if scheme and scheme[1].lower() in FILE else uri
        parent = os.path.dirname(path)
        if known is not None and parent in known:
            return path
        # The folder is judged by where it really is, whatever links lead there; a link at the end is never followed.
        inside = os.path.join(os.path.realpath(self.folder), "")
        if "\0" in path or os.path.abspath(path) != path or not os.path.join(os.path.realpath(parent), "").startswith(inside):
            raise InvalidName(f"{uri!r} is not below the artifact root {self.root}")
        if known is not None:
            known.add(parent)
        return path

    @contextmanager
    def sink(self, target: str) -> Iterator[BinaryIO]:
        """A file that becomes ``target`` when the block ends well.

        Raises:
            ArtifactsUnavailable: it cannot be made, written or named, for whatever reason the system has; what the block raises is its own.
        """
        own: BaseException | None = None
        try:
            with moved_into(target) as file:
                try:
                    yield file
                except OSError as error:
                    own = None if error is getattr(file, "trouble", None) else error
                    raise
        except InvalidName as error:
            if own is not None or os.path.isdir(self.folder):
                raise
            raise self._unavailable("it, or a folder above it, is a file", "give a folder") from error
        except OSError as error:
            if error is own:
                raise
            raise self._unavailable(error.strerror or str(error), "make room, mount it, or mend its rights") from error

    def _unavailable(self, why: str, advice: str) -> ArtifactsUnavailable:
        return ArtifactsUnavailable(f"the artifact root {self.root} cannot be written now: {why}; {advice}")

    def folds(self) -> bool:
        """Asked of the folder itself: what is mounted here, nobody else knows."""
        name = part_name()
        probe = os.path.join(self.folder, name)
        try:
            os.makedirs(self.folder, exist_ok=True)  # noqa: PTH103
            with open(probe, "xb"):  # noqa: PTH123
                return os.path.lexists(os.path.join(self.folder, name.upper()))
        except OSError:
            return False  # that nothing can be written here is said when something is
        finally:
            with suppress(OSError):
                os.unlink(probe)

    def source(self, target: str) -> BinaryIO:
        """The file, open for reading."""
        return regular(target, follow=False)

    def exists(self, target: str) -> bool:
        """Whether a file stands there."""
        return os.path.isfile(target) and not os.path.islink(target)

    def found(self, target: str) -> Found | None:
        """What stands at ``target``, if it is a file."""
        try:
            one = os.lstat(target)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Found(target, one.st_size, one.st_mtime_ns // 1000) if stat.S_ISREG(one.st_mode) else None

    def renewed(self, target: str, size: int, since: int) -> bool:
        """As for other roots; a file is given the time of now."""
        found = self.found(target)
        if found is None or found.size != size:
            return False
        try:
            os.utime(target)
        except FileNotFoundError:  # gc was quicker
            return False
        except OSError:  # another's: its own time counts
            return super().renewed(target, size, since)
        return True

    def files(self, target: str) -> Iterator[Found]:
        """Every file below ``target``, links too, in the order of folders."""
        self.check_folder(target)
        for folder, folders, names in os.walk(target):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                with suppress(FileNotFoundError):  # gone since the folder was read
                    found = os.lstat(path)
                    yield Found(os.path.relpath(path, target), found.st_size, found.st_mtime_ns // 1000)

    def delete(self, target: str) -> None:
        """Delete the folder, and the one above it when it is empty then."""
        self.check_folder(target)
        with suppress(FileNotFoundError):
            shutil.rmtree(target)
        with suppress(OSError):
            os.rmdir(os.path.dirname(target))  # the run's own folder, if nothing else is in it

    def remove(self, targets: Sequence[str]) -> None:
        """Delete these files, and the folders that are empty then, up to the root."""
        for target in targets:
            with suppress(FileNotFoundError):
                os.unlink(target)
        for folder in {os.path.dirname(target) for target in targets}:
            above = folder
            while above.startswith(os.path.join(self.folder, "")):
                try:
                    os.rmdir(above)
                except FileNotFoundError:
                    pass
                except OSError:
                    break
                above = os.path.dirname(above)

    def check_folder(self, target: str) -> None:
        """Refuse a link, which leads to what may be somebody else's.

        Raises:
            InvalidName: it is one.
        """
        if os.path.islink(target):
            raise InvalidName(f"{target} is a link; the artifacts of a run lie in a folder of their own")


def joined(base: str, path: str) -> str:
    """``path`` below ``base``, also where ``base`` is nothing but a scheme."""
    return f"{base}{path}" if base.endswith("://") else f"{base}/{path}"
