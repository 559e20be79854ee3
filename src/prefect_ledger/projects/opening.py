"""Floor 5. A project that is opened: its folder on this machine while the block runs, whatever place it comes from."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from prefect_ledger import capture
from prefect_ledger.errors import InvalidValue, ProjectNotFound
from prefect_ledger.projects import archives, clones
from prefect_ledger.projects.places import Place
from prefect_ledger.projects.tools import Say, silent


@dataclass(frozen=True, slots=True)
class Opened:
    """A folder with a project. ``commit`` and ``branch`` are of the version that was asked for, or of the working tree it lies in;
    ``temporary``: it is gone when the block ends."""

    folder: Path
    commit: str = ""
    branch: str = ""
    remote: str = ""
    dirty: bool = False
    temporary: bool = False


@contextmanager
def opened(place: Place, version: str | None = None, *, changes: bytes = b"", home: Path, say: Say = silent) -> Iterator[Opened]:
    """The folder of the project at ``place``: itself where it is a folder of this machine, else a copy for this block.

    ``changes`` are a patch of the repository's top folder, which the copy of a version gets.

    Raises:
        ProjectNotFound: nothing is there, or no such version. ProjectInvalid: an archive that is not to be unpacked. InvalidValue: a
        version of what has none, or changes that do not apply to it.
    """
    if place.kind == "folder" and version is None:
        folder = _below(place.path, place.subfolder, place)
        state = capture.git(folder)
        commit, branch, remote, dirty = (state.commit, state.branch, state.remote, bool(state.dirty)) if state else ("", "", "", False)
        yield Opened(folder, commit, branch, remote, dirty)
        return
    target = Path(tempfile.mkdtemp(prefix="prefect-ledger-"))  # a name that gc knows, should this process be killed
    try:
        copied = _copied(place, version, target / "project", home, say)
        if changes and (said := clones.apply(changes, target / "project")):
            raise InvalidValue(f"the changes that were not committed do not apply to {copied.commit[:12] or place.shown}: {said[:1000]}")
        yield replace(copied, dirty=bool(changes))
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _copied(place: Place, version: str | None, target: Path, home: Path, say: Say) -> Opened:
    if place.kind == "zip":
        if version is not None:
            raise InvalidValue(f"{place.shown} is an archive, which has no versions; {version!r:.60} is one of a git repository")
        target.mkdir()
        archives.unpack(place.path, target)
        return Opened(_below(archives.only_folder(target), place.subfolder, place), temporary=True)
    repository, subfolder = place, place.subfolder
    if place.kind == "folder":
        repository, subfolder = _repository(place)
    checkout = clones.check_out(repository, version, target, home=home, say=say)
    remote = repository.shown if place.kind == "git" else (state.remote if (state := capture.git(place.path)) else "")
    return Opened(_below(target, subfolder, place), checkout.commit, checkout.branch, remote, temporary=True)


def _repository(place: Place) -> tuple[Place, str]:
    """The repository that a folder of this machine lies in, and the folder in it."""
    if not place.path.is_dir():
        raise ProjectNotFound(f"no folder {place.path}")
    top = clones.top_of(place.path)
    if top is None:
        raise InvalidValue(f"{place.shown} is in no git repository, so it has no versions: leave --version out")
    inside = place.path.resolve().relative_to(top.resolve()) / place.subfolder
    return Place("git", top, f"file://{top}"), "" if str(inside) == "." else str(inside)


def _below(folder: Path, subfolder: str, place: Place) -> Path:
    found = (folder / subfolder) if subfolder else folder
    if not found.is_dir():
        raise ProjectNotFound(f"there is no folder {place.shown}")
    if not found.resolve().is_relative_to(folder.resolve()):
        raise InvalidValue(f"{place.shown} leads out of the project")
    return found
