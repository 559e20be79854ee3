"""Floor 5. The archive of a backup with artifacts: a zip, not compressed, of the database, the bytes, and a list of both with digests.

``manifest.json``, ``ledger.db``, and below ``artifacts/`` what was below the artifact root. One that comes from anywhere is believed in
nothing: each entry is on the list, is a plain file, stays below the folder, and all together are no larger than the archive.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from prefect_ledger.errors import BackupCorrupt
from prefect_ledger.transfer import copy

FORMAT, VERSION = "prefect-ledger backup", 1
MANIFEST, DATABASE, ARTIFACTS = "manifest.json", "ledger.db", "artifacts/"
_LONGEST_LIST = 512 << 20  # bytes of a manifest, with room for some millions of files
_MODE = (stat.S_IFREG | 0o600) << 16
_MADE = (1980, 1, 1, 0, 0, 0)  # of every entry: when it was made is in the manifest

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the archive."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Bytes that a row tells of and the archive has not, or has otherwise."""

    uri: str
    said: str


@dataclass(slots=True)
class Manifest:
    """What is in an archive."""

    made_at: str
    made_by: str
    schema: int
    artifact_root: str
    database: Entry | None = None
    artifacts: list[Entry] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)


class Writer:
    """An archive that is being written."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True)

    def add(self, name: str, source: BinaryIO, progress: Progress) -> Entry:
        """Add the rest of ``source``."""
        with self._zip.open(_info(name), "w", force_zip64=True) as sink:
            return Entry(name, *copy(source, cast("BinaryIO", sink), progress))

    def close(self, manifest: Manifest) -> None:
        """Write the list, and end."""
        said = {"format": FORMAT, "version": VERSION, **asdict(manifest)}
        self._zip.writestr(_info(MANIFEST), json.dumps(said, indent=1))
        self._zip.close()

    def abandon(self) -> None:
        """End without a list, which makes it no archive."""
        self._zip.close()


class Reader:
    """An archive that is read. :meth:`files` and :meth:`extract` give what its list says, or nothing.

    Raises:
        BackupCorrupt: it is none, is damaged, or was made to do harm.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise BackupCorrupt(f"{path.name} is no backup with artifacts: {error}") from error
        try:
            self.manifest = _manifest(self._read_list(), path.name)
            self._check(path.stat().st_size)
        except BaseException:
            self._zip.close()
            raise

    def close(self) -> None:
        """Let the file be."""
        self._zip.close()

    def extract(self, entry: Entry, target: Path, progress: Progress) -> None:
        """Write one file, new, and compare its digest.

        Raises:
            BackupCorrupt: its bytes are not those on the list.
        """
        with self._reading(entry.path) as source, target.open("xb") as sink:
            size, sha256 = _copied(source, sink, entry.size, progress)
        if (size, sha256) != (entry.size, entry.sha256):
            raise BackupCorrupt(f"{self._name}: the bytes of {entry.path} are not those that were put there; nothing was restored")

    def _read_list(self) -> bytes:
        try:
            info = self._zip.getinfo(MANIFEST)
        except KeyError:
            raise BackupCorrupt(f"{self._name} has no {MANIFEST}: it is no backup, or was not finished") from None
        if info.file_size > _LONGEST_LIST or info.compress_type != zipfile.ZIP_STORED:
            raise BackupCorrupt(f"{self._name}: its {MANIFEST} is not one that prefect-ledger wrote")
        with self._reading(MANIFEST) as source:
            return source.read(_LONGEST_LIST + 1)

    def _check(self, whole: int) -> None:
        listed = {entry.path: entry for entry in (*self.manifest.artifacts, *([self.manifest.database] if self.manifest.database else []))}
        if DATABASE not in listed or len(listed) != len(self.manifest.artifacts) + 1:
            raise BackupCorrupt(f"{self._name}: its list has no {DATABASE}, or a file twice")
        found = self._zip.infolist()
        names = {info.filename for info in found}
        if len(names) != len(found) or names != {*listed, MANIFEST}:
            strange = sorted(names ^ {*listed, MANIFEST})
            raise BackupCorrupt(f"{self._name} and its list differ{f' in {strange[0]!r:.200}' if strange else ': a name comes twice'}")
        for info in found:
            mode = info.external_attr >> 16
            plain = info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 0x1 and stat.S_IFMT(mode) in (0, stat.S_IFREG)
            size = listed[info.filename].size if info.filename != MANIFEST else info.file_size
            if not plain or info.file_size != size or info.file_size != info.compress_size:
                raise BackupCorrupt(f"{self._name}: {info.filename!r:.200} is a link, is packed, or is not as large as its list says")
        if sum(info.file_size for info in found) > whole:
            raise BackupCorrupt(f"{self._name} says that it holds more bytes than it has")

    @contextmanager
    def _reading(self, name: str) -> Iterator[BinaryIO]:
        try:
            with self._zip.open(name) as source:
                yield cast("BinaryIO", source)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
            raise BackupCorrupt(f"{self._name}: {name!r:.200} cannot be read: {error}") from error


def inside(path: str) -> str:
    """``path`` if it stays below the folder that it is relative to.

    Raises:
        BackupCorrupt: it does not, or is no path that was ever written here.

    Example:
        >>> inside("artifacts/0/a.txt")
        'artifacts/0/a.txt'
    """
    if not path or path.startswith("/") or "\\" in path or "\0" in path or posixpath.normpath(path) != path or ".." in path.split("/"):
        raise BackupCorrupt(f"{path!r:.200} leads out of the backup, or is no path: nothing was restored")
    return path


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _MADE)
    info.external_attr = _MODE
    return info


def _copied(source: BinaryIO, sink: BinaryIO, most: int, progress: Progress) -> tuple[int, str]:
    """As :func:`prefect_ledger.transfer.copy`, but for no more than is due."""
    digest, size = hashlib.sha256(), 0
    while block := source.read(min(1 << 20, most - size + 1)):
        size += len(block)
        if size > most:
            break
        digest.update(block)
        sink.write(block)
        progress(len(block))
    return size, digest.hexdigest()


def _manifest(raw: bytes, name: str) -> Manifest:
    try:
        said = json.loads(raw)
        if said.pop("format") != FORMAT:
            raise ValueError("it is something else")
        version = said.pop("version")
        if version != VERSION:
            raise BackupCorrupt(
                f"{name} is a backup of format {version!r:.20}, this prefect-ledger reads {VERSION}: pip install -U prefect-ledger"
            )
        database, artifacts = _entry(said.pop("database")), [_entry(one) for one in said.pop("artifacts")]
        troubles = [Trouble(str(one["uri"]), str(one["said"])) for one in said.pop("troubles")]
        texts = {key: said.pop(key) for key in ("made_at", "made_by", "artifact_root")}
        if not all(isinstance(text, str) for text in texts.values()) or type(said["schema"]) is not int:
            raise TypeError("a text or number is none")
        found = Manifest(**texts, schema=said["schema"], database=database, artifacts=artifacts, troubles=troubles)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BackupCorrupt(f"{name}: its {MANIFEST} does not read as one: {error!r:.200}") from error
    if database.path != DATABASE or not all(one.path.startswith(ARTIFACTS) for one in artifacts):
        raise BackupCorrupt(f"{name}: its list has files that no backup has")
    return found


def _entry(said: Any) -> Entry:
    path, size, sha256 = said["path"], said["size"], said["sha256"]
    if not (isinstance(path, str) and type(size) is int and size >= 0 and isinstance(sha256, str)):
        raise TypeError(f"no file: {said!r:.100}")
    return Entry(inside(path), size, sha256)
