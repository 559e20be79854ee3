"""Floor 4. What a model's folder holds, as one digest: the same files with the same bytes have the same one, wherever they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple


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
