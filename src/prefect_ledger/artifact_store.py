"""Floor 3. Puts bytes below the artifact root and gives them back only with the digest they were logged with.

The layout is ``<root>/<experiment id>/<run id>/artifacts/<path>``, readable without this package. Promises:

- *Whole or absent.* Bytes go to a temporary name beside their place and are moved there, or are put whole where a store knows
  no half objects. A killed write leaves at most a ``.ledger-….part`` file, which is never listed. The last write of a path wins.
- *Checked before used.* ``read_bytes``, ``open`` and ``download`` work on a private copy, hashed while it is made; nothing of a
  stored object reaches the caller, or its final name, before the digest was found right.
- *Inside the root.* Paths pass ``names.check_path``, a percent sign is a percent sign, no symlink leads out of a local root.

Local roots are plain files; everything else goes through fsspec, which only this module touches.
"""

# ruff: noqa: PTH106, PTH111, PTH113, PTH114, PTH118, PTH120
# URIs and local paths are the same text here, judged character by character; a Path would tidy them first.

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias, cast

from prefect_ledger.errors import ArtifactCorrupt, ArtifactNotFound, InvalidName, InvalidSettings, MissingExtra
from prefect_ledger.masking import mask_text
from prefect_ledger.names import check_path
from prefect_ledger.transfer import BLOCK, PART, Bar, Hashed, copy, moved_into, part_name, regular, walk, write_all

IN_MEMORY = 64 << 20  # up to here an object is held in memory while it is checked or sent, beyond in an unnamed file

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
_FILE = ("file", "local")
# Here an object appears whole when its upload ends; elsewhere it is sent to a temporary name and moved.
_PUT_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "memory"})
_Fill = Callable[[BinaryIO], tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes that stand whole in the store: ``size`` in bytes, ``sha256`` as 64 hex digits."""

    path: str
    uri: str
    size: int
    sha256: str


# The store has a method of the name `list`, which would hide the type.
_Many: TypeAlias = list[Stored]
_Paths: TypeAlias = list[str]


class _Place(Protocol):
    """What a kind of root can do. A ``target`` is what ``where`` made of a URI, after it was found below the root."""

    root: str
    threads: int

    def where(self, uri: str, known: set[str] | None = None) -> str: ...  # known: folders that were found inside in this call
    def sink(self, target: str) -> AbstractContextManager[BinaryIO]: ...
    def source(self, target: str) -> BinaryIO: ...
    def exists(self, target: str) -> bool: ...
    def files(self, target: str) -> list[str]: ...
    def delete(self, target: str) -> None: ...


class ArtifactStore:
    """The artifacts of all runs, below ``root``: a folder, ``file://``, ``memory://``, or any URL fsspec has a driver for.

    Cheap to make; safe in threads and after a fork. A relative folder is taken from the working folder of now.

    Raises:
        InvalidSettings: an unknown scheme, or a root with a password in it. MissingExtra: the scheme's driver is not installed.

    Example:
        >>> store = ArtifactStore("memory://docs")
        >>> stored = store.put_bytes(store.uri(0, "r1"), "notes/a.txt", b"hello")
        >>> store.read_bytes(stored.uri, sha256=stored.sha256)
        b'hello'
    """

    def __init__(self, root: str) -> None:
        self._place: _Place = _place(os.fspath(root))
        self.root = self._place.root

    def __repr__(self) -> str:
        return f"ArtifactStore({self.root!r})"

    def uri(self, experiment_id: int, run_id: str) -> str:
        """Where the artifacts of a run go; nothing is created.

        Raises:
            InvalidName: an id that is not one plain part of a path.
        """
        if "/" in check_path(run_id) or type(experiment_id) is not int or experiment_id < 0:
            raise InvalidName(f"not the ids of a run's artifacts: experiment {experiment_id!r}, run {run_id!r}")
        return _join(self.root, f"{experiment_id}/{run_id}/artifacts")

    # --- writing --------------------------------------------------------------------------------------------------

    def put_bytes(self, base_uri: str, path: str, data: bytes | bytearray | memoryview) -> Stored:
        """Store ``data`` as ``path`` below ``base_uri``.

        Raises:
            InvalidName: a path that leaves the base, a base outside the root, or a path that is a folder already. OSError: no room.
        """
        view = memoryview(data).cast("B")

        def fill(sink: BinaryIO) -> tuple[int, str]:
            write_all(sink, view)
            return view.nbytes, hashlib.sha256(view).hexdigest()

        return self._put(base_uri, path, fill)

    def put_file(self, base_uri: str, path: str, local_path: str | os.PathLike[str], *, progress: bool | None = None) -> Stored:
        """Store what the local file (or the file a link leads to) holds now as ``path``; the digest is of the bytes stored.

        ``progress``: show a bar; None for when it takes long on a terminal.

        Raises:
            InvalidValue: not a regular file. FileNotFoundError: no such file. Else as :meth:`put_bytes`.
        """
        with regular(local_path) as source, Bar(path, os.fstat(source.fileno()).st_size, progress) as bar:
            return self._put(base_uri, path, lambda sink: copy(source, sink, bar))

    def put_stream(self, base_uri: str, path: str, writer: Callable[[BinaryIO], None]) -> Stored:
        """Store what ``writer`` writes to the binary stream it is called with; it may read, seek and close it.

        When ``writer`` raises, nothing is stored.

        Raises:
            What ``writer`` raises. Else as :meth:`put_bytes`.
        """

        def fill(sink: BinaryIO) -> tuple[int, str]:
            hashed = Hashed(sink)
            with io.BufferedRandom(hashed, BLOCK) as stream:
                writer(cast("BinaryIO", stream))
            return hashed.result()

        return self._put(base_uri, path, fill)

    def put_folder(self, base_uri: str, path_prefix: str, local_folder: str | os.PathLike[str], *, progress: bool | None = None) -> _Many:
        """Store every file of a folder and its subfolders below ``path_prefix`` ("" for none), several at once; sorted by path.

        A link to a file inside the folder is stored as that file. A link to a folder, to nothing or to anywhere outside, and what
        is neither file nor folder, is refused before anything is stored: a folder is logged as it is or not at all.

        Raises:
            InvalidValue: not a folder, or something in it is refused. InvalidName: a name that cannot be a path. Else as :meth:`put_bytes`.
        """
        prefix = f"{check_path(path_prefix)}/" if path_prefix else ""
        known: set[str] = set()
        self._place.where(base_uri, known)
        found = sorted((_own_path(f"{prefix}{name}"), source, size) for name, source, size in walk(os.fspath(local_folder)))
        total = sum(size for *_, size in found)
        with Bar(str(local_folder), total, progress) as bar, ThreadPoolExecutor(self._place.threads, "prefect-ledger-put") as pool:

            def put(path: str, source: str) -> Stored:
                with regular(source) as file:
                    return self._put(base_uri, path, lambda sink: copy(file, sink, bar), known)

            jobs = [pool.submit(put, path, source) for path, source, _ in found]
            try:
                return [job.result() for job in jobs]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _put(self, base_uri: str, path: str, fill: _Fill, known: set[str] | None = None) -> Stored:
        uri = _join(base_uri, _own_path(path))
        if known is None:
            self._place.where(base_uri)
        with self._place.sink(self._place.where(uri, known)) as sink:
            size, digest = fill(sink)
        return Stored(path, uri, size, digest)

    # --- reading --------------------------------------------------------------------------------------------------

    def read_bytes(self, stored_uri: str, *, sha256: str) -> bytes:
        """The bytes stored at ``stored_uri``.

        Raises:
            ArtifactCorrupt: they do not have the digest ``sha256``. ArtifactNotFound: nothing is there. InvalidName: outside the root.
        """
        with self._source(stored_uri) as source:
            data = source.read()
        self._check(stored_uri, sha256, hashlib.sha256(data).hexdigest(), len(data))
        return data

    def open(self, stored_uri: str, *, sha256: str) -> BinaryIO:
        """A binary stream of the bytes at ``stored_uri``, read whole and checked before it is handed out; close it.

        The stream reads from a private copy (in memory up to 64 MiB, then an unnamed temporary file), so that nobody can change
        the bytes between the check and the reading. For very large objects :meth:`download` needs no second copy.

        Raises:
            As :meth:`read_bytes`.
        """
        private = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115  # the caller closes it
        try:
            with self._source(stored_uri) as source:
                size, found = copy(source, private)
            self._check(stored_uri, sha256, found, size)
            private.seek(0)
        except BaseException:
            private.close()
            raise
        return private

    def download(self, stored_uri: str, target: str | os.PathLike[str], *, sha256: str, progress: bool | None = None) -> Path:
        """Copy the bytes at ``stored_uri`` to the local file ``target``, which appears whole and checked, or not at all.

        Raises:
            InvalidName: the target is a folder, or below a file. Else as :meth:`read_bytes`.
        """
        final = Path(target).absolute()
        with self._source(stored_uri) as source, Bar(final.name, None, progress) as bar, moved_into(str(final)) as sink:
            size, found = copy(source, sink, bar)
            self._check(stored_uri, sha256, found, size)
        return final

    def exists(self, stored_uri: str) -> bool:
        """Whether a whole artifact stands at ``stored_uri``; its digest is not looked at."""
        return self._place.exists(self._place.where(stored_uri))

    def list(self, base_uri: str) -> _Paths:
        """The paths of the files below ``base_uri``, relative to it, sorted; [] when there is nothing."""
        return sorted(path for path in self._place.files(self._place.where(base_uri)) if not PART.fullmatch(path.rpartition("/")[2]))

    def delete_tree(self, base_uri: str) -> None:
        """Delete everything below ``base_uri``, unfinished writes too; nothing there is no error.

        Raises:
            InvalidName: the root itself, or outside it.
        """
        self._place.delete(self._place.where(base_uri))

    def _source(self, uri: str) -> BinaryIO:
        target = self._place.where(uri)
        try:
            return self._place.source(target)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, FileExistsError) as error:
            raise ArtifactNotFound(f"no artifact at {uri}: it was deleted, or was never put below the root {self.root}") from error

    @staticmethod
    def _check(uri: str, expected: str, found: str, size: int) -> None:
        if found != expected.lower():
            raise ArtifactCorrupt(
                f"artifact {uri} is not what was logged: expected sha256 {expected}, found {found} in {size:,} bytes; "
                f"restore it from a backup, or log it again"
            )


# --- kinds of roots ------------------------------------------------------------------------------------------------------


def _place(root: str) -> _Place:
    if mask_text(root) != root:
        raise InvalidSettings(
            f"the artifact root {mask_text(root)} holds a secret, which every run would record; give it to the driver instead"
        )
    scheme = _SCHEME.match(root)
    if scheme is None:
        return _Folder(os.path.abspath(os.path.expanduser(root)), "")
    if scheme[1].lower() not in _FILE:
        return _Remote(root, scheme[1].lower())
    if not root.startswith("/", scheme.end()):
        raise InvalidSettings(f"the artifact root {root!r} has no absolute path: write file:///folder")
    return _Folder(os.path.normpath(root[scheme.end() :]), scheme[0])


class _Folder:
    """A local folder. URIs are paths, with or without ``file://``."""

    threads = min(4, os.cpu_count() or 1)

    def __init__(self, folder: str, prefix: str) -> None:
        self.folder, self.root = folder, prefix + folder

    def where(self, uri: str, known: set[str] | None = None) -> str:
        scheme = _SCHEME.match(uri)
        path = uri[scheme.end() :] if scheme and scheme[1].lower() in _FILE else uri
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

    def sink(self, target: str) -> AbstractContextManager[BinaryIO]:
        return moved_into(target)

    def source(self, target: str) -> BinaryIO:
        return regular(target, follow=False)

    def exists(self, target: str) -> bool:
        return os.path.isfile(target) and not os.path.islink(target)

    def files(self, target: str) -> list[str]:
        self._no_link(target)
        return [os.path.relpath(os.path.join(folder, name), target) for folder, _, names in os.walk(target) for name in names]

    def delete(self, target: str) -> None:
        self._no_link(target)
        with suppress(FileNotFoundError):
            shutil.rmtree(target)
        with suppress(OSError):
            os.rmdir(os.path.dirname(target))  # the run's own folder, if nothing else is in it

    def _no_link(self, target: str) -> None:
        if os.path.islink(target):
            raise InvalidName(f"{target} is a link; the artifacts of a run lie in a folder of their own")


class _Remote:
    """Any other root, through fsspec."""

    threads = 16

    def __init__(self, root: str, scheme: str) -> None:
        import fsspec

        self.root, self.scheme = root if root.endswith("://") else root.rstrip("/"), scheme
        try:
            fsspec.get_filesystem_class(scheme)
        except ValueError as error:
            raise InvalidSettings(f"the artifact root {root!r}: no storage is known by the name {scheme!r}") from error
        except ImportError as error:
            if scheme in ("s3", "s3a"):
                raise MissingExtra("s3fs", "s3", need=f"an artifact root at {scheme}://") from error
            raise InvalidSettings(f"the artifact root {root!r} needs a driver: {error}") from error

    @property
    def fs(self) -> Any:
        import fsspec

        # fsspec keeps one for each process; listings kept by one would hide what others wrote.
        return fsspec.filesystem(self.scheme, use_listings_cache=False)

    def where(self, uri: str, known: set[str] | None = None) -> str:  # noqa: ARG002  # there are no links to look for
        start = _join(self.root, "")
        if not uri.startswith(start):
            raise InvalidName(f"{uri!r} is not below the artifact root {self.root}")
        # Two checks, since the longest path may stand behind the layout.
        layout, _, path = uri[len(start) :].partition("/artifacts/")
        check_path(layout)
        if path:
            check_path(path)
        return str(self.fs._strip_protocol(uri))

    @contextmanager
    def sink(self, target: str) -> Iterator[BinaryIO]:
        with tempfile.NamedTemporaryFile(buffering=0) as file:
            yield cast("BinaryIO", file)
            self._send(target, cast("BinaryIO", file))

    def _send(self, target: str, file: BinaryIO) -> None:
        fs, whole = self.fs, self.scheme in _PUT_WHOLE
        first = target if whole else f"{os.path.dirname(target)}/{part_name()}"
        if not whole:
            fs.makedirs(os.path.dirname(target), exist_ok=True)
        if self.scheme == "memory" or file.seek(0, os.SEEK_END) <= IN_MEMORY:
            file.seek(0)
            fs.pipe_file(first, file.read())
        else:
            fs.put_file(file.name, first)
        if not whole:
            fs.mv(first, target)

    def source(self, target: str) -> BinaryIO:
        return cast("BinaryIO", self.fs.open(target, "rb", block_size=8 * BLOCK))

    def exists(self, target: str) -> bool:
        return bool(self.fs.isfile(target))

    def files(self, target: str) -> list[str]:
        return [path[len(target) :].lstrip("/") for path in self.fs.find(target)]

    def delete(self, target: str) -> None:
        with suppress(FileNotFoundError):
            self.fs.rm(target, recursive=True)


# --- small tools -----------------------------------------------------------------------------------------------------


def _join(base: str, path: str) -> str:
    return f"{base}{path}" if base.endswith("://") else f"{base}/{path}"


def _own_path(path: str) -> str:
    if PART.search(check_path(path)):
        raise InvalidName(f"artifact path {path!r}: names like this one are used for unfinished writes")
    return path
