"""Floor 1. The files of a dataset as a list: what each is called, how large it is, what it holds. One list, one digest, on every machine.

A list that is read may have been written by anybody: none is taken that would put a file outside of its folder, or two into one place.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import struct
from dataclasses import dataclass
from typing import Any

from prefect_ledger.errors import InvalidValue

FORMAT = "prefect-ledger dataset 1"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST, _LONGEST_PART = 4_000, 255  # bytes
_START = b"prefect-ledger data 1"  # as tracking.digests begins: a folder's digest is one of data


@dataclass(frozen=True, slots=True)
class File:
    """A file: its path below the folder, its size in bytes, its sha256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link that is no file: its path below the folder, and the text that it holds."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class Listing:
    """All files of a folder, or (``folder`` False) one file; ``name`` is what the folder or file is called.

    Example:
        >>> one = Listing((File("a.csv", 2, "ab" * 32),), name="data")
        >>> Listing.from_json(one.to_json()) == one, one.size
        (True, 2)
    """

    files: tuple[File, ...]
    links: tuple[Link, ...] = ()
    folder: bool = True
    name: str = "data"

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def digest(self) -> str:
        """Of a file its sha256; of a folder one of relative paths and content, in the order of the paths. Empty folders do not count."""
        if not self.folder:
            return self.files[0].sha256
        entries = {file.path: file.sha256 for file in self.files} | {link.path: f"link to {link.target}" for link in self.links}
        found = hashlib.sha256(_START + _framed("folder"))
        for path in sorted(entries):
            found.update(_framed(path) + _framed(entries[path]))
        return found.hexdigest()

    def to_json(self) -> bytes:
        """The list as it is kept beside a run."""
        said = {
            "format": FORMAT,
            "kind": "folder" if self.folder else "file",
            "name": self.name,
            "files": [[file.path, file.size, file.sha256] for file in self.files],
            "links": [[link.path, link.target] for link in self.links],
        }
        return json.dumps(said, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Listing:
        """The list that ``data`` says.

        Raises:
            InvalidValue: it is none, or one whose files would not stay where they belong.
        """
        try:
            said = json.loads(data)
            if said["format"] != FORMAT or said["kind"] not in ("file", "folder"):
                raise InvalidValue(f"it is no list of files in the format {FORMAT!r}")
            files = tuple(_file(*one) for one in said["files"])
            links = tuple(_link(*one) for one in said["links"])
            found = cls(files, links, said["kind"] == "folder", _part(said["name"]))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise InvalidValue(f"this is no list of a dataset's files: {type(error).__name__}: {error}") from error
        _check(found)
        return found


def is_inside(link: Link) -> bool:
    """Whether a link leads to a place in its own folder, as far as its text says; through other links it may still lead elsewhere."""
    where = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), link.target))
    return not link.target.startswith("/") and where != ".." and not where.startswith("../")


def _framed(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    return b"t" + struct.pack("<q", len(raw)) + raw


def _file(path: Any, size: Any, sha256: Any) -> File:
    if type(size) is not int or size < 0 or not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise InvalidValue(f"{path!r:.80} has no size and sha256")
    return File(_path(path), size, sha256)


def _link(path: Any, target: Any) -> Link:
    found = Link(_path(path), target)
    if not isinstance(target, str) or not target or "\0" in target or len(_raw(target)) > _LONGEST or not is_inside(found):
        raise InvalidValue(f"{path!r:.80} leads out of its folder")
    return found


def _path(path: Any) -> str:
    if not isinstance(path, str) or len(_raw(path)) > _LONGEST:
        raise InvalidValue(f"{path!r:.80} is no path of a file")
    for part in path.split("/"):
        _part(part)
    return path


def _part(part: Any) -> str:
    """One name of a path: what a folder can hold, and no other folder."""
    if not isinstance(part, str) or part in ("", ".", "..") or "/" in part or "\0" in part or len(_raw(part)) > _LONGEST_PART:
        raise InvalidValue(f"{part!r:.80} leads out of its folder, or nowhere")
    return part


def _raw(text: str) -> bytes:
    """As the file system is given it. UnicodeEncodeError, a ValueError, where it cannot be."""
    return text.encode("utf-8", "surrogateescape")


def _check(found: Listing) -> None:
    """Refuse two things in one place, and a file where another one needs a folder."""
    paths = [file.path for file in found.files] + [link.path for link in found.links]
    taken = set(paths)
    if len(taken) != len(paths):
        raise InvalidValue("this list of a dataset's files has a path twice")
    for path in paths:
        above = posixpath.dirname(path)
        while above:
            if above in taken:
                raise InvalidValue(f"this list of a dataset's files has {above!r:.80} as a file and as a folder")
            above = posixpath.dirname(above)
    if not found.folder and (len(found.files) != 1 or found.links or found.files[0].path != found.name):
        raise InvalidValue("this list of a dataset's files says that it is one file, and is none")
