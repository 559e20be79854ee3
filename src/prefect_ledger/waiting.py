"""Floor 4. Where things wait to be brought into the store: folders of journals, and of artifacts that could not be sent.

The ledger's own, those of its offline mode, and whatever lies in a folder that somebody copied from another machine.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger import lockfile
from prefect_ledger.errors import InvalidValue
from prefect_ledger.journal_folders import spare_root
from prefect_ledger.settings import OFFLINE

if TYPE_CHECKING:
    from prefect_ledger.settings import Settings

SAID = "said.jsonl"  # in the folder of a held artifact: what is to be said of it
_DEPTH = 6  # folders below one that was named in which is looked: a copied home has its journals in the fourth


@dataclass(frozen=True)
class Place:
    """Journals in a folder, all or those ``only`` of these names, and beside them perhaps held artifacts."""

    journals: Path | None = None
    held: Path | None = None
    only: frozenset[str] | None = None

    @property
    def found(self) -> list[Path]:
        """The folders of its journals, also of processes that live."""
        if self.journals is None or not self.journals.is_dir():
            return []
        own = (path for path in sorted(self.journals.iterdir()) if not path.name.startswith(".") and path.is_dir())
        return [path for path in own if self.only is None or path.name in self.only]

    @property
    def waiting(self) -> list[Path]:
        """Those of journals whose process is gone, as far as their locks tell."""
        return [path for path in self.found if not lockfile.is_held(path / "lock")]

    @property
    def bytes(self) -> int:
        """What its journals take on the disk."""
        return sum(_size(part) for path in self.found for part in _segments(path))

    @property
    def artifacts(self) -> int:
        """How many things are held, a folder or a model being one."""
        return sum(1 for _ in self.held.glob(f"*/{SAID}")) if self.held is not None and self.held.is_dir() else 0

    @property
    def held_bytes(self) -> int:
        """What is held takes on the disk."""
        return sum(_size(path) for path in self.held.glob("*/bytes/**/*") if path.is_file()) if self.artifacts and self.held else 0

    @property
    def folder(self) -> Path | None:
        """What somebody names to have it all brought in: of the offline mode the one with journals and artifacts."""
        if self.journals is None or not self.journals.is_dir():
            return self.held
        return self.journals.parent if self.journals.name == "journals" else self.journals

    @property
    def store(self) -> str:
        """The store that its journals name, without a password; empty where none does."""
        return next((str(found) for path in self.found if (found := owner(path).get("store"))), "")


def of_store(settings: Settings) -> list[Place]:
    """Where things wait for the store of these settings: of processes that are online, and of the offline mode."""
    online = changed(settings, mode="online")
    offline = settings.journal_root / OFFLINE
    folders = [offline / "any", offline / online.journal_folder.name]
    return [Place(online.journal_folder, online.held_folder), *(Place(folder / "journals", folder / "held") for folder in folders)]


def of_others(settings: Settings) -> Iterator[Place]:
    """Where things wait for other stores below the same roots, as far as no living process holds them."""
    own = of_store(settings)
    mine = {place.journals for place in own} | {settings.journal_root / OFFLINE}
    places = [Place(folder, settings.home / "held" / folder.name) for folder in _folders(settings.journal_root)]
    places += [Place(folder / "journals", folder / "held") for folder in _folders(settings.journal_root / OFFLINE)]
    for place in places:
        if place.journals not in mine and (place.waiting or place.artifacts):
            yield place


def below(folder: Path) -> list[Place]:
    """What waits in a folder that somebody named: a journal, a folder of journals, all that was logged offline, a whole home, or nothing.

    Raises:
        InvalidValue: there is no such folder, what waits in it cannot be removed there, or a journal has lost its name.
    """
    folder = Path(os.path.realpath(folder))
    if not folder.is_dir():
        raise InvalidValue(f"{folder} is no folder: name a journal, a folder of journals, or the ledger's home that they were copied from")
    found = [Place(folder.parent, only=frozenset({folder.name}))] if _is_journal(folder) else list(_below(folder, _DEPTH))
    if found and not os.access(folder, os.W_OK):
        raise InvalidValue(f"{folder} cannot be written, and what is brought in is removed there: copy it to a disk, and name the copy")
    for place in found:
        for name in place.only or ():
            _check_name(place, name)
    return found


def _below(folder: Path, depth: int) -> Iterator[Place]:
    inside = list(_folders(folder))
    journals = frozenset(path.name for path in inside if _is_journal(path))
    if journals:
        yield Place(folder, only=journals)
    if any((path / SAID).is_file() for path in inside):
        yield Place(held=folder)
    for path in inside if depth else ():
        if path.name not in journals and not (path / SAID).is_file():
            yield from _below(path, depth - 1)


def _check_name(place: Place, name: str) -> None:
    """A journal's name is its identity: what the store has of it is known by that."""
    assert place.journals is not None
    try:
        uuid.UUID(name)
    except ValueError:
        raise InvalidValue(
            f"{place.journals / name} holds a journal that was renamed: give the folder its name back, of the form {uuid.UUID(int=0)},"
            " by which the store knows what it has of it"
        ) from None


def _is_journal(path: Path) -> bool:
    return (path / "owner.json").is_file() or bool(_segments(path))


def _segments(path: Path) -> list[Path]:
    beside = spare_root(path.parent) / path.name  # where it goes on when its own folder takes nothing more
    return [segment for part in (path, beside) for segment in part.glob("*.seg")]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # brought in just now
        return 0


def _folders(folder: Path) -> Iterator[Path]:
    """The folders in one, no links and none that hide."""
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir() and not path.is_symlink())


def owner(journal: Path) -> dict[str, Any]:
    """What a journal says of its process: host, boot, pid, time, store; nothing where it cannot be read."""
    try:
        found = json.loads((journal / "owner.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
