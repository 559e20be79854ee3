"""Floor 4. What a model's folder holds, as one digest: the same files with the same bytes have the same one, wherever they are."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from prefect_ledger.errors import InvalidValue, ModelNotFound
from prefect_ledger.models.model_file import NAME


class Listed(NamedTuple):
    """A file of a model: its path within the folder, its size in bytes, and its sha256 in hexadecimal."""

    path: str
    size: int
    sha256: str


def digest(files: Iterable[Listed]) -> str:
    """The sha256 of the sorted list of files, one line ``<sha256>  <size>  <path>`` for each.

    Example:
        >>> digest([Listed("MLmodel", 0, "e3b0")]) == digest([Listed("MLmodel", 0, "e3b0")])
        True
    """
    hashed = hashlib.sha256()
    for one in sorted(files):
        hashed.update(f"{one.sha256.lower()}  {one.size}  {one.path}\n".encode())
    return hashed.hexdigest()


def folder_digest(folder: Path) -> str:
    """The digest of the list of all files below ``folder``.

    Raises:
        ModelNotFound: it holds no model. InvalidValue: it holds a link or a device, which have no digest.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "MLmodel").write_text("flavors: {}")
        ...     len(folder_digest(Path(folder)))
        64
    """
    if not (folder / NAME).is_file():
        raise ModelNotFound(f"no model in {folder}: there is no {NAME} file")
    return digest(_listed(folder, folder))


def _listed(folder: Path, top: Path) -> Iterator[Listed]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry.path)
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                yield from _listed(path, top)
            elif stat.S_ISREG(mode):
                with path.open("rb") as file:
                    sum256 = hashlib.file_digest(file, "sha256").hexdigest()
                    yield Listed(path.relative_to(top).as_posix(), os.fstat(file.fileno()).st_size, sum256)
            else:
                raise InvalidValue(f"{path} is no file but a link or a device: put a copy of what it leads to in its place")
