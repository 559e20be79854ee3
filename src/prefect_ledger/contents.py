"""Floor 3. Bytes that are stored under their own digest: once, however many ask for it, and never under another one's."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prefect_ledger.errors import InvalidValue
from prefect_ledger.names import check_path
from prefect_ledger.roots import Root, joined
from prefect_ledger.several import at_once
from prefect_ledger.transfer import copy, regular


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes for ``path`` below a root, if the local file ``source`` holds them still."""

    path: str
    source: str | os.PathLike[str]
    size: int
    sha256: str


def put(place: Root, contents: Sequence[Content], since: int, progress: Callable[[int], None]) -> int:
    """Have each of ``contents`` stand at its place, several at once; returns how many had to be sent.

    One of the right size that was written after ``since`` (µs since 1970) is left, as is one that could be given a new time.

    Raises:
        InvalidValue: a source was changed, or is gone. ArtifactsUnavailable.
    """
    known: set[str] = set()

    def put_one(one: Content) -> bool:
        target = place.where(joined(place.root, check_path(one.path)), known)
        if place.renewed(target, one.size, since):
            progress(one.size)
            return False
        try:
            source = regular(one.source)
        except FileNotFoundError:
            raise InvalidValue(f"{os.fspath(one.source)} has gone since it was read: copy data that nobody changes") from None
        with source, place.sink(target) as sink:
            if copy(source, sink, progress)[1] != one.sha256:  # before it has a name
                raise InvalidValue(f"{os.fspath(one.source)} was written to while it was copied: try again when it is done")
        return True

    return sum(at_once(place.threads, put_one, contents, lambda one: one.size < place.alone))
