"""Floor 4. Copies of datasets below the artifact root: what a file holds is stored once, by its sha256, however many runs name it.

``<root>/datasets/<two digits>/<sha256>`` is content; the list of a dataset's files is an artifact of each run that had it copied,
``datasets/<digest>.json``, put when all content stands. So what was killed leaves no dataset that looks whole, and what no list below the
root names is garbage: also where several ledgers share the root, and without asking any of them.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_ledger.artifact_store import Wanted
from prefect_ledger.contents import Content
from prefect_ledger.errors import ArtifactCorrupt, ArtifactNotFound, InvalidValue
from prefect_ledger.listings import Listing
from prefect_ledger.roots import joined
from prefect_ledger.transfer import PART, Found, part_name

if TYPE_CHECKING:
    from prefect_ledger.artifact_store import ArtifactStore

FOLDER = "datasets"
KIND = "dataset"  # of the artifact that is a list
FRESH = 3 * 86_400_000_000  # µs: less than half of the time that gc gives what nobody names
_LIST = re.compile(rf"\d+/([0-9A-Za-z-]+)/artifacts(?:\.\d+)?/{FOLDER}/([0-9a-f]{{64}})\.json")
_LISTED = re.compile(rf"{FOLDER}/([0-9a-f]{{64}})\.json")
CONTENT = re.compile(rf"{FOLDER}/([0-9a-f]{{2}})/(\1[0-9a-f]{{62}})")
_UNFINISHED = re.compile(rf"{FOLDER}/[0-9a-f]{{2}}/{PART.pattern}")


def place_of(sha256: str) -> str:
    """Where content lies, below the root."""
    return f"{FOLDER}/{sha256[:2]}/{sha256}"


def list_path(digest: str) -> str:
    """Which artifact of a run lists the files of a dataset."""
    return f"{FOLDER}/{digest}.json"


def listed(path: str) -> str | None:
    """Of which dataset, by digest, an artifact of this path is the list; None where it is something else.

    Example:
        >>> listed(list_path("ab" * 32)) == "ab" * 32, listed("datasets/train.json")
        (True, None)
    """
    found = _LISTED.fullmatch(path)
    return found[1] if found else None


def put(store: ArtifactStore, listing: Listing, sources: Mapping[str, str], *, progress: bool | None = None) -> int:
    """Have the content of every file stand below the root, read from ``sources`` (by path); returns how many files had to be sent.

    What stands there already is told that it is wanted again, since gc takes what is old and not named: a local file gets a new time, a
    remote object that is older than three days is sent again.

    Raises:
        InvalidValue: a file was changed since it was listed. ArtifactsUnavailable.
    """
    contents = {file.sha256: Content(place_of(file.sha256), sources[file.path], file.size, file.sha256) for file in listing.files}
    return store.put_contents(list(contents.values()), since=time.time_ns() // 1000 - FRESH, label=listing.name, progress=progress)


def fetch(store: ArtifactStore, listing: Listing, target: Path, *, progress: bool | None = None) -> None:
    """Bring the files here as ``target``, which appears whole and checked, or not at all. Nothing may stand there but an empty folder.

    Raises:
        ArtifactCorrupt, ArtifactNotFound: names the file whose content is damaged or gone. InvalidValue: a link leads out of the folder.
    """
    with _beside(target) as part:
        places = {file.path: part / file.path if listing.folder else part for file in listing.files}
        if listing.folder:
            part.mkdir(parents=True)
        wanted = [Wanted(joined(store.root, place_of(file.sha256)), places[file.path], file.sha256) for file in listing.files]
        try:
            store.download_many(wanted, progress=progress)
        except (ArtifactCorrupt, ArtifactNotFound) as error:
            names = [file.path for file in listing.files if file.sha256 in str(error)]
            raise type(error)(f"the copy is damaged: {', '.join(names[:3]) or 'a file'}: {error}") from error
        for link in listing.links:
            place = part / link.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(link.target)
        _check_links(part, listing)


def _check_links(part: Path, listing: Listing) -> None:
    """Refuse links that lead out through others; each alone looked well."""
    top = os.path.join(os.path.realpath(part), "")  # noqa: PTH118
    for link in listing.links:
        if not os.path.join(os.path.realpath(part / link.path), "").startswith(top):  # noqa: PTH118
            raise InvalidValue(f"the list of this dataset's files is not to be trusted: its link {link.path!r:.80} leads out of the folder")


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A place beside ``target`` that takes its name when the block ends well, and is gone when it does not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.parent / part_name()
    try:
        yield part
        part.replace(target)
    except BaseException:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
        raise


# --- for clearing away -----------------------------------------------------------------------------------------------


class Seen:
    """Lists and content, as they are met on a walk through everything below a root."""

    def __init__(self) -> None:
        self._lists: dict[str, list[tuple[str, str]]] = {}  # by digest: run and path
        self._content: list[Found] = []
        self._unfinished: list[Found] = []

    def watching(self, everything: Iterable[Found]) -> Iterator[Found]:
        """Hand on what is met, and remember what is ours."""
        for file in everything:
            if file.path.startswith(f"{FOLDER}/"):
                if CONTENT.fullmatch(file.path):
                    self._content.append(file)
                elif _UNFINISHED.fullmatch(file.path):
                    self._unfinished.append(file)
            elif found := _LIST.fullmatch(file.path):
                self._lists.setdefault(found[2], []).append((found[1], file.path))
            yield file

    def unfinished(self, older_than: int) -> list[Found]:
        """What killed writes left, written before ``older_than`` (µs since 1970)."""
        return [file for file in self._unfinished if file.is_older(older_than)]

    def unnamed(self, store: ArtifactStore, older_than: int, gone: Callable[[str, str], bool]) -> list[Found]:
        """Content that no list names and that was written before ``older_than``; ``gone`` says of a run and path that it does not count.

        Raises:
            ArtifactCorrupt: a list cannot be read, so that nobody knows what it names. ArtifactsUnavailable.
        """
        old = [file for file in self._content if file.is_older(older_than)]
        if not old:
            return []
        named: set[str] = set()
        for digest, places in self._lists.items():
            named |= _named(store, digest, [path for run, path in places if not gone(run, path)])
        return [file for file in old if file.path not in named]


def _named(store: ArtifactStore, digest: str, paths: list[str]) -> set[str]:
    """The content that the dataset of this digest needs: any whole list of it says the same."""
    damaged = ""
    for path in paths:
        try:
            found = Listing.from_json(store.peek(path))
            if found.digest == digest:
                return {place_of(file.sha256) for file in found.files}
            damaged = path
        except InvalidValue:
            damaged = path
        except ArtifactNotFound:  # went with its run just now
            continue
    if damaged:
        raise ArtifactCorrupt(
            f"{joined(store.root, damaged)} is not the list of files that it was, and no copy of data is taken until it goes"
        )
    return set()


def still_old(store: ArtifactStore, paths: Iterable[str], older_than: int) -> list[str]:
    """Those of ``paths`` that nobody asked for since they were met: to be looked at again right before they go."""
    return [path for path in paths if (found := store.standing(path)) is not None and found.is_older(older_than)]
