"""Floor 3. Puts bytes below the artifact root and gives them back only with the digest they were logged with.

The layout is ``<root>/<experiment id>/<run id>/artifacts/<path>``, readable without this package. Promises:

- *Whole or absent.* Bytes go to a temporary name beside their place and are moved there, or are put whole where a store knows
  no half objects. A killed write leaves at most a ``.ledger-….part`` file, which is never listed. The last write of a path wins.
- *Checked before used.* ``read_bytes``, ``open`` and ``download`` work on a private copy, hashed while it is made; nothing of a
  stored object reaches the caller, or its final name, before the digest was found right.
- *Inside the root.* Paths pass ``names.check_path``, a percent sign is a percent sign, no symlink leads out of a local root.

What a kind of root can do is in ``roots`` and ``remotes``.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

from prefect_ledger.contents import Content
from prefect_ledger.contents import put as put_contents
from prefect_ledger.errors import ArtifactCorrupt, ArtifactNotFound, InvalidName, InvalidSettings, InvalidValue
from prefect_ledger.masking import mask_text
from prefect_ledger.names import check_path
from prefect_ledger.read_cache import ReadCache
from prefect_ledger.remotes import IN_MEMORY, S3, S3_SCHEMES, Remote
from prefect_ledger.roots import FILE, SCHEME, Folder, Root, Sent, Upload, joined
from prefect_ledger.several import at_once
from prefect_ledger.transfer import BLOCK, PART, Bar, Found, Hashed, folded, moved_into, regular, walk


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes that stand whole in the store: ``size`` in bytes, ``sha256`` as 64 hex digits.

    ``changed``: the file was being written while it was read; what stands is what was read.
    """

    path: str
    uri: str
    size: int
    sha256: str
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Bytes to be brought here: from ``uri`` into the local file ``target``, if they have the digest ``sha256``."""

    uri: str
    target: str | os.PathLike[str]
    sha256: str


# The store has a method of the name `list`, which would hide the type.
_Many: TypeAlias = list[Stored]
_Paths: TypeAlias = list[str]
_Files: TypeAlias = list[Path]


class ArtifactStore:
    """The artifacts of all runs, below ``root``: a folder, ``file://``, ``memory://``, or any URL fsspec has a driver for.

    Cheap to make; safe in threads and after a fork. A relative folder is taken from the working folder of now. ``options`` go to
    fsspec's driver, such as keys that the environment does not give; they are shown and kept nowhere. ``cache`` is a folder in which what
    was read from a remote root is kept, up to a limit, and found again by its digest.

    Raises:
        InvalidSettings: an unknown scheme, or a root with a password in it. MissingExtra: the scheme's driver is not installed.

    Example:
        >>> store = ArtifactStore("memory://docs")
        >>> stored = store.put_bytes(store.uri(0, "r1"), "notes/a.txt", b"hello")
        >>> store.read_bytes(stored.uri, sha256=stored.sha256)
        b'hello'
    """

    def __init__(self, root: str, options: Mapping[str, Any] | None = None, *, cache: str | os.PathLike[str] | None = None) -> None:
        self._place: Root = _root_of(os.fspath(root), options)
        self.root = self._place.root
        self._judged = ""  # the last base that was found below the root
        self._cache = ReadCache(cache) if cache is not None and isinstance(self._place, Remote) else None

    def __repr__(self) -> str:
        return f"ArtifactStore({self.root!r})"

    @property
    def far(self) -> bool:
        """Whether bytes go through a network that is to be waited for."""
        return isinstance(self._place, Remote) and self._place.scheme != "memory"

    def uri(self, experiment_id: int, run_id: str) -> str:
        """Where the artifacts of a run go; nothing is created.

        Raises:
            InvalidName: an id that is not one plain part of a path.
        """
        if "/" in check_path(run_id) or type(experiment_id) is not int or experiment_id < 0:
            raise InvalidName(f"not the ids of a run's artifacts: experiment {experiment_id!r}, run {run_id!r}")
        return joined(self.root, f"{experiment_id}/{run_id}/artifacts")

    # --- writing --------------------------------------------------------------------------------------------------

    def put_bytes(self, base_uri: str, path: str, data: bytes | bytearray | memoryview) -> Stored:
        """Store ``data`` as ``path`` below ``base_uri``.

        Raises:
            InvalidName: a path that leaves the base, a base outside the root, or a path that is a folder already.
            ArtifactsUnavailable: the root cannot be reached, does not let us in, or has no room.
        """
        return self._put(base_uri, path, memoryview(data).cast("B"), _unseen)

    def put_file(self, base_uri: str, path: str, local_path: str | os.PathLike[str], *, progress: bool | None = None) -> Stored:
        """Store what the local file (or the file a link leads to) holds now as ``path``; the digest is of the bytes stored.

        ``progress``: show a bar; None for when it takes long on a terminal.

        Raises:
            InvalidValue: not a regular file. FileNotFoundError: no such file. Else as :meth:`put_bytes`.
        """
        with regular(local_path) as source, Bar(path, os.fstat(source.fileno()).st_size, progress) as bar:
            return self._put_open(base_uri, path, source, bar)

    def put_stream(self, base_uri: str, path: str, writer: Callable[[BinaryIO], None]) -> Stored:
        """Store what ``writer`` writes to the binary stream it is called with; it may read, seek and close it.

        When ``writer`` raises, nothing is stored.

        Raises:
            What ``writer`` raises. Else as :meth:`put_bytes`.
        """

        uri = joined(base_uri, _own_path(path))
        self._place.where(base_uri)
        with self._place.sink(self._place.where(uri)) as sink:
            hashed = Hashed(sink)
            with io.BufferedRandom(hashed, BLOCK) as stream:
                writer(cast("BinaryIO", stream))
            return Stored(path, uri, *hashed.result())

    def put_folder(self, base_uri: str, path_prefix: str, local_folder: str | os.PathLike[str], *, progress: bool | None = None) -> _Many:
        """Store every file of a folder and its subfolders below ``path_prefix`` ("" for none), several at once; sorted by path.

        A link to a file inside the folder is stored as that file. A link to a folder, to nothing or to anywhere outside, and what
        is neither file nor folder, is refused before anything is stored: a folder is logged as it is or not at all.

        Raises:
            InvalidValue: not a folder, or something in it is refused. InvalidName: a name that cannot be a path, or two that differ only by
            case where the root does not tell them apart. Else as :meth:`put_bytes`.
        """
        prefix = f"{check_path(path_prefix)}/" if path_prefix else ""
        known: set[str] = set()
        self._place.where(base_uri, known)
        found = sorted((_own_path(f"{prefix}{name}"), source, size) for name, source, size in walk(os.fspath(local_folder)))
        self._tell_apart([path for path, *_ in found])
        with Bar(str(local_folder), sum(size for *_, size in found), progress) as bar:

            def put(one: tuple[str, str, int]) -> Stored:
                try:
                    file = regular(one[1])
                except FileNotFoundError:
                    raise InvalidValue(f"{one[1]} has gone since its folder was looked through: log a folder that nobody changes") from None
                with file:
                    return self._put_open(base_uri, one[0], file, bar, known)

            return at_once(self._place.threads, put, found, lambda one: one[2] < self._place.alone)

    def put_contents(self, contents: Sequence[Content], *, since: int, label: str, progress: bool | None = None) -> int:
        """Have each of ``contents`` stand at its place below the root; see :func:`prefect_ledger.contents.put`. ``label`` is the bar's."""
        with Bar(label, sum(one.size for one in contents), progress) as bar:
            return put_contents(self._place, contents, since, bar)

    def _tell_apart(self, paths: Sequence[str]) -> None:
        """Refuse two names of which a root that does not look at case would keep one."""
        found = {folded(path): path for path in paths}
        if len(found) == len(paths) or not self._place.folds():
            return
        one, other = next((path, found[folded(path)]) for path in paths if found[folded(path)] != path)
        raise InvalidName(f"{one!r} and {other!r} are one file below {self.root}, which does not look at case: give one another name")

    def _put_open(self, base_uri: str, path: str, file: BinaryIO, progress: Callable[[int], None], known: set[str] | None = None) -> Stored:
        before = os.fstat(file.fileno())
        stored = self._put(base_uri, path, file, progress, known)
        after = os.fstat(file.fileno())
        if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, stored.size):
            return stored
        return replace(stored, changed=True)

    def _put(
        self, base_uri: str, path: str, source: BinaryIO | memoryview, progress: Callable[[int], None], known: set[str] | None = None
    ) -> Stored:
        if known is None:
            _own_path(path)
            if base_uri != self._judged:  # where the artifact really goes is judged each time
                self._place.where(base_uri)
                self._judged = base_uri
        uri = joined(base_uri, path)
        return Stored(path, uri, *self._place.put(self._place.where(uri, known), source, progress))

    # --- reading --------------------------------------------------------------------------------------------------

    def read_bytes(self, stored_uri: str, *, sha256: str) -> bytes:
        """The bytes stored at ``stored_uri``.

        Raises:
            ArtifactCorrupt: they do not have the digest ``sha256``. ArtifactNotFound: nothing is there. InvalidName: outside the root.
            ArtifactsUnavailable: the root cannot be reached or does not let us in.
        """
        with io.BytesIO() as memory:
            self._fetch(stored_uri, memory, sha256)
            return memory.getvalue()

    def open(self, stored_uri: str, *, sha256: str) -> BinaryIO:
        """A binary stream of the bytes at ``stored_uri``, read whole and checked before it is handed out; close it.

        The stream reads from a private copy (in memory up to 64 MiB, then an unnamed temporary file), so that nobody can change
        the bytes between the check and the reading. For very large objects :meth:`download` needs no second copy.

        Raises:
            As :meth:`read_bytes`.
        """
        private = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115  # the caller closes it
        try:
            self._fetch(stored_uri, private, sha256)
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
        return self.download_many([Wanted(stored_uri, target, sha256)], progress=progress)[0]

    def download_many(self, wanted: Iterable[Wanted], *, progress: bool | None = None) -> _Files:
        """As :meth:`download` for each, several at once; returns the files in the order asked. The first that fails ends it: files
        that were finished by then stay."""
        asked = list(wanted)
        label = Path(asked[0].target).name if len(asked) == 1 else f"{len(asked):,} artifacts"
        with Bar(label, None, progress) as bar:

            def fetch(one: Wanted) -> Path:
                final = Path(one.target).absolute()
                with moved_into(str(final)) as sink:
                    self._fetch(one.uri, sink, one.sha256, bar)
                return final

            return at_once(self._place.threads, fetch, asked) if len(asked) > 1 else [fetch(one) for one in asked]

    @property
    def threads(self) -> int:
        """How many artifacts are best moved at once."""
        return self._place.threads

    def digest(self, stored_uri: str, *, progress: Callable[[int], None] | None = None) -> Sent:
        """Size in bytes and sha256 of what stands at ``stored_uri`` now, all of it read.

        Raises:
            ArtifactNotFound, InvalidName, ArtifactsUnavailable.
        """
        with self._found(stored_uri) as target, _Nowhere() as nowhere:
            return self._place.fetch(target, cast("BinaryIO", nowhere), progress or _unseen)

    def exists(self, stored_uri: str) -> bool:
        """Whether a whole artifact stands at ``stored_uri``; its digest is not looked at."""
        return self._place.exists(self._place.where(stored_uri))

    def list(self, base_uri: str) -> _Paths:
        """The paths of the files below ``base_uri``, relative to it, sorted; [] when there is nothing."""
        found = self._place.files(self._place.where(base_uri))
        return sorted(one.path for one in found if not PART.fullmatch(one.path.rpartition("/")[2]))

    def delete_tree(self, base_uri: str) -> None:
        """Delete everything below ``base_uri``, unfinished writes too; nothing there is no error.

        Raises:
            InvalidName: the root itself, or outside it.
        """
        self._place.delete(self._place.where(base_uri))

    def check_tree(self, base_uri: str) -> None:
        """Refuse what ``delete_tree`` would refuse; nothing is deleted.

        Raises:
            InvalidName: the root itself, outside it, or a link.
        """
        self._place.check_folder(self._place.where(base_uri))

    # --- for clearing away ----------------------------------------------------------------------------------------

    def contains(self, uri: str) -> bool:
        """Whether ``uri`` means a place below the root."""
        try:
            self._place.where(uri)
        except InvalidName:
            return False
        return True

    def everything(self) -> Iterator[Found]:
        """Every file below the root, unfinished and foreign ones too, its path relative to the root; those of a folder together."""
        return self._place.files(self._place.top)

    def standing(self, path: str) -> Found | None:
        """What stands at ``path`` below the root; None where nothing does."""
        found = self._place.found(self._place.where(joined(self.root, path)))
        return None if found is None else replace(found, path=path)

    def peek(self, path: str) -> bytes:
        """The bytes at ``path`` below the root, unchecked: for what shows by itself whether it is whole.

        Raises:
            ArtifactNotFound, ArtifactsUnavailable.
        """
        with self._found(joined(self.root, path)) as target, io.BytesIO() as memory:
            self._place.fetch(target, memory, _unseen)
            return memory.getvalue()

    def remove(self, paths: Sequence[str]) -> None:
        """Delete files by their paths below the root; one that is gone already is no error."""
        known: set[str] = set()
        self._place.remove([self._place.where(joined(self.root, path), known) for path in paths])

    def uploads(self) -> Sequence[Upload]:
        """Uploads below the root that were begun and not finished, with paths relative to the root."""
        return self._place.uploads(self._place.top)

    def abort(self, upload: Upload) -> None:
        """Give up an upload of :meth:`uploads`."""
        self._place.abort(self._place.where(joined(self.root, upload.path)), upload.id)

    @contextmanager
    def _found(self, uri: str) -> Iterator[str]:
        """The place of a URI; nothing standing there is said in our words."""
        target = self._place.where(uri)
        try:
            yield target
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, FileExistsError) as error:
            raise ArtifactNotFound(f"no artifact at {uri}: it was deleted, or was never put below the root {self.root}") from error

    def _fetch(self, uri: str, sink: BinaryIO, sha256: str, progress: Callable[[int], None] | None = None) -> None:
        with self._found(uri) as target:
            cached = self._cache.copy_to(sha256.lower(), sink) if self._cache is not None else None
            if cached is not None:
                (progress or _unseen)(cached)
                return
            start = sink.tell()
            size, found = self._place.fetch(target, sink, progress or _unseen)
        self._check(uri, sha256, found, size)
        if self._cache is not None:
            sink.seek(start)
            self._cache.keep(found, sink, size)
            sink.seek(0, os.SEEK_END)

    @staticmethod
    def _check(uri: str, expected: str, found: str, size: int) -> None:
        if found != expected.lower():
            raise ArtifactCorrupt(
                f"artifact {uri} is not what was logged: expected sha256 {expected}, found {found} in {size:,} bytes; "
                f"restore it from a backup, or log it again"
            )


def _root_of(root: str, options: Mapping[str, Any] | None = None) -> Root:
    """The root of this name; ``options`` go to fsspec's driver and are shown to nobody.

    Raises:
        InvalidSettings: an unknown scheme, or a name with a secret in it. MissingExtra: the scheme's driver is not installed.
    """
    if mask_text(root) != root:
        raise InvalidSettings(
            f"the artifact root {mask_text(root)} holds a secret, which every run would record; give it to the driver instead"
        )
    scheme = SCHEME.match(root)
    if scheme is None:
        return Folder(os.path.abspath(os.path.expanduser(root)), "")  # noqa: PTH111  # a ~ that nobody has is a folder of that name
    name = scheme[1].lower()
    if name in S3_SCHEMES:
        return S3(root, name, options or {})
    if name not in FILE:
        return Remote(root, name, options or {})
    if not root.startswith("/", scheme.end()):
        raise InvalidSettings(f"the artifact root {root!r} has no absolute path: write file:///folder")
    return Folder(os.path.normpath(root[scheme.end() :]), scheme[0])


# --- small tools -----------------------------------------------------------------------------------------------------


def _own_path(path: str) -> str:
    if PART.search(check_path(path)):
        raise InvalidName(f"artifact path {path!r}: names like this one are used for unfinished writes")
    return path


def _unseen(_count: int) -> None:
    """Progress that nobody looks at."""


class _Nowhere(io.RawIOBase):
    """Takes bytes and keeps none."""

    def write(self, data: Any, /) -> int:
        return memoryview(data).nbytes

    def tell(self) -> int:
        return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:  # noqa: ARG002  # wherever it is, it is nowhere
        return 0

    def truncate(self, size: int | None = None) -> int:  # noqa: ARG002
        return 0
