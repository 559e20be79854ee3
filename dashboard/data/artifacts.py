"""The artifacts of a run: as a tree, and their bytes, of which a page takes no more than it can show."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import streamlit as st

from prefect_ledger.entities import Artifact
from prefect_ledger.errors import InvalidValue
from prefect_ledger.formats import size
from prefect_ledger.tracking.ledger import ledger
from prefect_ledger.tracking.media_types import media_type

from .. import raw

LARGEST = 32 << 20  # bytes of an artifact that is looked into; larger ones are only to be saved
_TEXT = 200_000  # characters that are shown of a text
_turns = threading.BoundedSemaphore(2)  # how many are looked into at the same time, whoever asks: all of them share this memory


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a folder: a file (``artifact``), or a folder, whose path ends in a slash, with what is in it and below."""

    name: str
    path: str
    size: int
    files: int = 1
    artifact: Artifact | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """The beginning of a text; ``whole`` if that is all of it."""

    text: str
    whole: bool


@st.cache_resource(ttl=5, max_entries=20, show_spinner=False)  # no copy: the values are frozen
def of_run(run_id: str) -> Sequence[Artifact]:
    """What the run logged as bytes, by path."""
    return tuple(sorted(ledger().reader.artifacts(run_id), key=lambda one: one.path))


def listing(found: Sequence[Artifact], folder: str = "") -> list[Entry]:
    """The lines of a folder ("" or a path that ends in a slash): folders first, by name.

    Example:
        >>> [(one.path, one.size) for one in listing([Artifact("r", "a/b.txt", "", 2, ""), Artifact("r", "a/c.txt", "", 3, "")])]
        [('a/', 5)]
    """
    folders: dict[str, tuple[int, int]] = {}
    files: list[Entry] = []
    for one in found:
        if not one.path.startswith(folder):
            continue
        name, slash, _ = one.path[len(folder) :].partition("/")
        if slash:
            count, total = folders.get(name, (0, 0))
            folders[name] = (count + 1, total + one.size)
        else:
            files.append(Entry(name, one.path, one.size, 1, one))
    above = [Entry(name, f"{folder}{name}/", total, count) for name, (count, total) in sorted(folders.items())]
    return above + sorted(files, key=lambda one: one.name)


def found_by(found: Sequence[Artifact], words: str) -> list[Entry]:
    """The files in whose path these words stand, wherever they are."""
    wanted = words.strip().lower()
    return [Entry(one.path, one.path, one.size, 1, one) for one in found if wanted in one.path.lower()]


def media_of(artifact: Artifact) -> str:
    """The media type: what was recorded when it was logged, else what its path says."""
    said = artifact.metadata.get("media")
    return said if isinstance(said, str) and said else media_type(artifact.path)


@contextlib.contextmanager
def looked_into(artifact: Artifact, most: int = LARGEST) -> Iterator[BinaryIO]:
    """The bytes, checked, as a stream for a block that takes little time.

    Raises:
        InvalidValue: there are more than ``most``. ArtifactNotFound, ArtifactCorrupt, ArtifactsUnavailable.
    """
    if artifact.size > most:
        raise InvalidValue(f"{size(artifact.size)} are too many to be shown here ({size(most)} at most); save the file to look at it")
    with _turns, raw.opened(artifact) as file:
        yield file


@st.cache_data(ttl=60, max_entries=200, show_spinner=False)
def check(_artifact: Artifact, uri: str, sha256: str) -> None:  # noqa: ARG001 - what it is kept by
    """Look whether the artifact is there, as it was logged.

    Raises:
        As :func:`looked_into`.
    """
    with looked_into(_artifact):
        pass


@st.cache_data(ttl=60, max_entries=20, show_spinner=False)
def text(_artifact: Artifact, sha256: str) -> Text:  # noqa: ARG001 - the digest is what it is kept by
    """The beginning of the artifact as text.

    Raises:
        As :func:`looked_into`. InvalidValue: it is no text.
    """
    with looked_into(_artifact) as file:
        data = file.read(4 * _TEXT + 4)
    if b"\0" in data[:8_000]:
        raise InvalidValue("this is no text; save the file to open it with the program it is for")
    found = data.decode("utf-8-sig", "replace")
    return Text(found[:_TEXT], len(data) == _artifact.size and len(found) <= _TEXT)
