"""Floor 3. Artifact roots that are somewhere else: S3 (through ``buckets``), and whatever else fsspec knows."""

# ruff: noqa: PTH120
# These are no local paths.

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from prefect_ledger import forks
from prefect_ledger.errors import ArtifactsUnavailable, InvalidName, InvalidSettings, LedgerError, MissingExtra
from prefect_ledger.masking import MASK, is_secret_name, mask_text
from prefect_ledger.names import check_path
from prefect_ledger.roots import OneByOne, Progress, Sent, Upload, joined
from prefect_ledger.transfer import BLOCK, Found, part_name, write_all

if TYPE_CHECKING:
    from prefect_ledger.buckets import Bucket, Trouble

IN_MEMORY = 64 << 20  # up to here an object is held in memory while it is checked or sent, beyond in an unnamed file
S3_SCHEMES = ("s3", "s3a")
# Here an object appears whole when its upload ends; elsewhere it is sent to a temporary name and moved.
_PUT_WHOLE = frozenset({"gs", "gcs", "az", "abfs", "abfss", "adl", "memory"})
_SHORT_SECRET = 6  # characters: what is shorter is a part of too many words
_DRIVERS: set[type[Any]] = set()  # classes of drivers that this process used
_LEFT_BEHIND: list[object] = []  # a parent's drivers in a forked child: never used, never closed


class Remote(OneByOne):
    """Any other root, through fsspec."""

    threads = 16

    def __init__(self, root: str, scheme: str, options: Mapping[str, Any]) -> None:
        import fsspec

        self.root, self.scheme, self._options = root if root.endswith("://") else root.rstrip("/"), scheme, dict(options)
        try:
            fsspec.get_filesystem_class(scheme)
        except ValueError as error:
            raise InvalidSettings(f"the artifact root {root!r}: no storage is known by the name {scheme!r}") from error
        except ImportError as error:
            if scheme in S3_SCHEMES:
                raise MissingExtra("s3fs", "s3", need=f"an artifact root at {scheme}://") from error
            raise InvalidSettings(f"the artifact root {root!r} needs a driver: {error}") from error

    @property
    def fs(self) -> Any:
        """The driver: fsspec keeps one for each process, also after a fork."""
        import fsspec

        # Listings that were kept would hide what others wrote.
        driver = fsspec.filesystem(self.scheme, use_listings_cache=False, **self._options)
        _DRIVERS.add(type(driver))
        return driver

    @property
    def top(self) -> str:
        """The driver's name of the root itself."""
        return str(self.fs._strip_protocol(self.root))

    def where(self, uri: str, known: set[str] | None = None) -> str:  # noqa: ARG002  # there are no links to look for
        """The driver's name of the place that ``uri`` means.

        Raises:
            InvalidName: it is not below the root.
        """
        start = joined(self.root, "")
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
        """A temporary file, sent when the block ends well."""
        with tempfile.NamedTemporaryFile(buffering=0) as file:
            yield cast("BinaryIO", file)
            with self._told():
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
        """The object, open for reading."""
        with self._told():
            return cast("BinaryIO", self.fs.open(target, "rb", block_size=8 * BLOCK))

    def exists(self, target: str) -> bool:
        """Whether an object stands there."""
        with self._told():
            return bool(self.fs.isfile(target))

    def found(self, target: str) -> Found | None:
        """The object that stands there."""
        try:
            with self._told():
                info = self.fs.info(target)
        except FileNotFoundError:
            return None
        return Found(target, int(info.get("size") or 0), _written(info)) if info.get("type") == "file" else None

    def files(self, target: str) -> Iterator[Found]:
        """Every object below ``target``."""
        with self._told():
            found = self.fs.find(target, detail=True)
        for path, info in sorted(found.items()):
            yield Found(path[len(target) :].lstrip("/"), int(info.get("size") or 0), _written(info))

    def delete(self, target: str) -> None:
        """Delete everything below ``target``."""
        with suppress(FileNotFoundError), self._told():
            self.fs.rm(target, recursive=True)

    def remove(self, targets: Sequence[str]) -> None:
        """Delete these objects."""
        for target in targets:
            with suppress(FileNotFoundError), self._told():
                self.fs.rm_file(target)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever a driver raises, in our words."""
        try:
            yield
        except (LedgerError, FileNotFoundError, IsADirectoryError, NotADirectoryError, FileExistsError):
            raise
        except Exception as error:  # noqa: BLE001  # drivers raise what they like
            raise self._unavailable(error) from (error if self._without_secrets(str(error)) == str(error) else None)

    def _unavailable(self, error: BaseException) -> ArtifactsUnavailable:
        text = self._without_secrets(f"{type(error).__name__}: {error}".strip().splitlines()[0])
        return ArtifactsUnavailable(f"the artifact root {self.root} cannot be used now: {text}; prefect-ledger doctor looks further")

    def _without_secrets(self, text: str) -> str:
        for word in _words(self._options):
            text = text.replace(word, MASK)
        return mask_text(text)


class S3(Remote):
    """A bucket, or a part of one. Keys come from the options, else from where AWS's own tools take theirs."""

    threads = 32

    def __init__(self, root: str, scheme: str, options: Mapping[str, Any]) -> None:
        super().__init__(root, scheme, options)
        import fsspec.config

        from prefect_ledger.buckets import CLIENT

        theirs = {**fsspec.config.conf.get(scheme, {}).get("config_kwargs", {}), **self._options.get("config_kwargs", {})}
        self._options["config_kwargs"] = {**CLIENT, **theirs, "s3": {**CLIENT["s3"], **theirs.get("s3", {})}}
        self._bucket: Bucket | None = None

    @property
    def bucket(self) -> Bucket:
        """What moves the bytes: another one after a fork."""
        from prefect_ledger.buckets import Bucket

        fs, found = self.fs, self._bucket
        if found is None or found.fs is not fs:
            fs.retries = 1  # the client tries again by itself
            found = self._bucket = Bucket(fs)
        return found

    @contextmanager
    def sink(self, target: str) -> Iterator[BinaryIO]:
        """A temporary file, sent when the block ends well."""
        with tempfile.TemporaryFile(buffering=0) as file:
            yield cast("BinaryIO", file)
            file.seek(0)
            self.put(target, cast("BinaryIO", file), lambda _: None)

    def put(self, target: str, source: BinaryIO | memoryview, progress: Progress) -> Sent:
        """Send what ``source`` still has, each byte read once."""
        if isinstance(source, memoryview):
            read, size = _into(source), source.nbytes
        else:
            read, size = cast("io.RawIOBase", source).readinto, os.fstat(source.fileno()).st_size
        with self._told():
            return self.bucket.put(target, read, size, progress)

    def fetch(self, target: str, sink: BinaryIO, progress: Progress) -> Sent:
        """Copy what stands at ``target`` to the end of ``sink``, which can seek."""
        digest, size, start = hashlib.sha256(), 0, sink.tell()

        def take(pieces: list[bytes]) -> None:
            nonlocal size
            for piece in pieces:
                digest.update(piece)
                write_all(sink, memoryview(piece))
                size += len(piece)
            progress(sum(map(len, pieces)))

        def restart() -> None:
            nonlocal digest, size
            digest, size = hashlib.sha256(), 0
            sink.seek(start)
            sink.truncate()

        with self._told():
            self.bucket.fetch(target, take, restart)
        return size, digest.hexdigest()

    def exists(self, target: str) -> bool:
        """Whether an object stands there."""
        with self._told():
            return self.bucket.exists(target)

    def found(self, target: str) -> Found | None:
        """The object that stands there."""
        with self._told():
            return self.bucket.found(target)

    def files(self, target: str) -> Iterator[Found]:
        """Every object below ``target``, in order of their paths."""
        with self._told():
            yield from self.bucket.objects(target)

    def delete(self, target: str) -> None:
        """Delete everything below ``target``."""
        with self._told():
            self.bucket.remove([f"{target}/{found.path}" for found in self.bucket.objects(target)])

    def remove(self, targets: Sequence[str]) -> None:
        """Delete these objects."""
        with self._told():
            self.bucket.remove(targets)

    def uploads(self, target: str) -> list[Upload]:
        """Uploads in parts that were begun below ``target`` and not finished."""
        with self._told():
            return self.bucket.uploads(target)

    def abort(self, target: str, upload: str) -> None:
        """Give up an upload in parts."""
        with self._told():
            self.bucket.abort(target, upload)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the other side said, in our words; a disk of ours that is full says so itself."""
        from prefect_ledger.buckets import Trouble

        try:
            yield
        except Trouble as trouble:
            cause = trouble.__cause__ or trouble
            hidden = self._without_secrets(str(cause)) != str(cause)
            raise self._refused(trouble, cause) from (None if hidden else cause)

    def _refused(self, trouble: Trouble, cause: BaseException) -> ArtifactsUnavailable:
        if trouble.code == "NoSuchBucket":
            return ArtifactsUnavailable(f"the artifact root {self.root}: there is no such bucket; make it, or set another artifact_root")
        if isinstance(cause, PermissionError) or "Credential" in trouble.code:
            text = self._without_secrets(f"{trouble.code}: {cause}".splitlines()[0])
            return ArtifactsUnavailable(
                f"the artifact root {self.root} does not let us in: {text}; keys are taken from AWS_PROFILE, AWS_ACCESS_KEY_ID and"
                " AWS_SECRET_ACCESS_KEY, ~/.aws, or the machine's role"
            )
        return self._unavailable(cause)


def _into(view: memoryview) -> Callable[[memoryview], int]:
    done = 0

    def read(room: memoryview) -> int:
        nonlocal done
        count = min(len(room), view.nbytes - done)
        room[:count] = view[done : done + count]
        done += count
        return count

    return read


def _written(info: Mapping[str, Any]) -> int | None:
    """When an object was last written, as its driver calls it."""
    for name in ("mtime", "LastModified", "last_modified", "updated", "modified", "created"):
        at = info.get(name)
        if isinstance(at, datetime):
            return int(at.timestamp() * 1_000_000)
        if isinstance(at, int | float) and not isinstance(at, bool):
            return int(at * 1_000_000)
    return None


def _words(options: Mapping[str, Any]) -> Iterator[str]:
    """The values of driver options that are secrets."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _words(value)
        elif isinstance(value, str) and len(value) >= _SHORT_SECRET and (name in ("key", "secret", "token") or is_secret_name(str(name))):
            yield value


# --- forks -----------------------------------------------------------------------------------------------------------


def _before_fork() -> None:
    """A child shares its parent's connections and what waits for them (epoll): were they closed there, the parent would hear no answer
    any more, and wait until it gives up (seen: 30 s for each). fsspec lets go of them in a child, so they are held."""
    _LEFT_BEHIND.extend(driver for kind in _DRIVERS for driver in list(kind._cache.values()))


forks.around(6, before=_before_fork, in_parent=_LEFT_BEHIND.clear)
