"""Floor 5. Files and folders as a list of what they hold: read once, several files at a time, and not at all where nothing changed."""

# ruff: noqa: PTH112, PTH113, PTH115, PTH116, PTH118, PTH119
# A Path for each of many small files would be a good part of their cost.

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from prefect_ledger.errors import InvalidValue
from prefect_ledger.listings import File, Link, Listing
from prefect_ledger.several import at_once
from prefect_ledger.tracking.known_digests import KnownDigests, Stamp, is_settled, stamp_of
from prefect_ledger.transfer import Bar, regular

THREADS = min(8, os.cpu_count() or 1)
_SMALL = 256 << 10  # bytes: sooner read than given to a thread
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Read:
    """What was found: the list, and for each path of it the file that was read, which a link may have led to."""

    listing: Listing
    sources: dict[str, str] = field(default_factory=dict)


class _Entry(NamedTuple):
    """A file to be read: its path below the folder, where it really is, and its stamp when it was met."""

    path: str
    real: str
    stamp: Stamp


def read(path: Path, *, cache: Path | None = None, progress: bool | None = None) -> Read:
    """The files of ``path``, a file or folder, with their digests; those that are known in the folder ``cache`` are not read.

    A link to a file inside counts as that file, one to a folder inside by its text. ``progress``: a bar, None for when it takes long.

    Raises:
        InvalidValue: what is neither file nor folder, a link that leads out, a file that was written to while it was read.
        OSError: something cannot be read.
    """
    top = os.path.realpath(path)
    name = os.path.basename(os.path.abspath(path)) or "data"
    folder = os.path.isdir(top)
    entries, links = _walked(os.fspath(path), top) if folder else ([_Entry(name, top, stamp_of(os.stat(top)))], list[Link]())
    known = KnownDigests(cache, top) if cache is not None and (folder or entries[0].stamp[0] > _SMALL) else None
    found = _digested(entries, known, name, progress)
    files = tuple(File(entry.path, stamp[0], sha256) for entry, (stamp, sha256) in zip(entries, found, strict=True))
    listing = Listing(files, tuple(links), folder, name)
    return Read(listing, {entry.path: entry.real for entry in entries})


def _walked(folder: str, top: str) -> tuple[list[_Entry], list[Link]]:
    """All files below, and the links that are none, both by path."""
    entries, links, waiting = [], [], [(folder, "")]
    inside = os.path.join(top, "")
    while waiting:
        here, prefix = waiting.pop()
        with os.scandir(here) as found:
            for one in found:
                path = f"{prefix}{one.name}"
                if one.is_symlink():
                    real = _real(one.path, inside)
                    if os.path.isfile(real):
                        entries.append(_Entry(path, real, stamp_of(os.stat(real))))
                    else:
                        links.append(Link(path, os.readlink(one.path)))
                elif one.is_dir():
                    waiting.append((one.path, f"{path}/"))
                else:
                    entries.append(_Entry(path, one.path, stamp_of(one.stat())))
    return sorted(entries), sorted(links, key=lambda link: link.path)


def _real(path: str, inside: str) -> str:
    """Where a link leads. One that leads out is no part of the folder: what is there changes without the folder's changing."""
    real = os.path.realpath(path)
    if not os.path.join(real, "").startswith(inside):
        raise InvalidValue(f"{path} links to {real}, which is outside of {inside[:-1]}: put the file itself there, or leave the link out")
    return real


def _digested(entries: list[_Entry], known: KnownDigests | None, label: str, progress: bool | None) -> list[tuple[Stamp, str]]:
    found = {entry.path: (entry.stamp, sha256) for entry in entries if known and (sha256 := known.of(entry.path, entry.stamp))}
    unread = [entry for entry in entries if entry.path not in found]
    now = time.time_ns()
    with Bar(label, sum(entry.stamp[0] for entry in unread), progress) as bar:
        batches = list(_batched(unread))
        done = at_once(THREADS, lambda batch: [_read(one, bar) for one in batch], batches, lambda _: len(batches) == 1)
    settled = {path: one for path, one in found.items() if is_settled(one[0], now)}
    for entry, one in zip(unread, (one for batch in done for one in batch), strict=True):
        found[entry.path] = one
        if is_settled(one[0], now):
            settled[entry.path] = one
    if known is not None and unread:
        known.keep(settled)
    elif known is not None:
        known.used()
    return [found[entry.path] for entry in entries]


def _batched(entries: list[_Entry]) -> Iterator[list[_Entry]]:
    """Small files together, so that a thread has something to do for the price of giving it to it."""
    batch, size = list[_Entry](), 0
    for entry in entries:
        batch.append(entry)
        size += entry.stamp[0]
        if size >= _SMALL or len(batch) == 100:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read(entry: _Entry, progress: Callable[[int], None]) -> tuple[Stamp, str]:
    """The digest of a file, and the stamp that it had before it was read and after."""
    try:
        file = regular(entry.real)
    except InvalidValue:  # a pipe would wait for ever, a device never end
        raise InvalidValue(f"{entry.real} is neither a file nor a folder") from None
    with file:
        fd = file.fileno()
        before, digest, size = stamp_of(os.fstat(fd)), hashlib.sha256(), 0
        while block := os.read(fd, min(_BLOCK, before[0] + 1)):
            digest.update(block)
            size += len(block)
            progress(len(block))
            if size == before[0]:  # had it grown meanwhile, its stamp would say so
                break
        after = stamp_of(os.fstat(fd))
    if before != after:
        raise InvalidValue(
            f"{entry.real} was written to while it was read, so its digest would be of no file there ever was: try again when it is done"
        )
    return before, digest.hexdigest()
