"""Floor 5. Records: what a target remembers of its deployments on this machine, in the ledger's home.

Each has a folder, ``deployments/<target>/<name>``, with ``record.json`` and beside it a folder for each time it was brought into place. A
record stands whole or not at all; one process at a time changes a deployment.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from prefect_ledger import lockfile
from prefect_ledger.deploying.base import check_name
from prefect_ledger.errors import DeploymentFailed, DeploymentNotFound, InvalidValue, LedgerError

_FILE = "record.json"
_TYPES: dict[str, type] = {"config": dict, "details": dict}


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered: what was asked for, which model that meant, when (ISO 8601), and in which of its folders (``instance``) it is.

    ``details`` is for what only one kind of target has to know.
    """

    name: str
    model: str
    model_id: str
    digest: str
    created: str
    instance: str
    config: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


class Records:
    """The records of one target, below ``home``."""

    def __init__(self, target: str, home: Path) -> None:
        self.target = target
        self._root = home / "deployments" / target

    def folder(self, name: str) -> Path:
        """The folder of this deployment, which need not be there.

        Raises:
            InvalidName: no deployment may have this name.
        """
        return self._root / check_name(name)

    def names(self) -> list[str]:
        """The names of all that have a record."""
        return sorted(path.parent.name for path in self._root.glob(f"[!.]*/{_FILE}"))

    def has(self, name: str) -> bool:
        """Whether there is one of this name."""
        return (self.folder(name) / _FILE).is_file()

    def read(self, name: str) -> Record:
        """What is remembered of it.

        Raises:
            DeploymentNotFound: there is none. InvalidValue: its record does not read as one.
        """
        path = self.folder(name) / _FILE
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            others = ", ".join(self.names()) or "none"
            raise DeploymentNotFound(f"the target {self.target!r} has no deployment {name!r}; it has: {others}") from None
        except ValueError as error:
            raise InvalidValue(f"{path} is no record ({error}): `deploy delete {self.target} {name}` removes what belongs to it") from None
        return _record(found, path)

    def write(self, record: Record) -> Record:
        """Remember it."""
        path = self.folder(record.name) / _FILE
        aside = path.with_name(f".{_FILE}.{uuid.uuid4().hex[:8]}")
        with aside.open("w", encoding="utf-8") as file:
            json.dump(asdict(record), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        return record

    def begin(self, name: str) -> Path:
        """A new folder for bringing it into place, for this user alone; its name is a word that nobody else has."""
        folder = self.folder(name) / uuid.uuid4().hex
        self._root.mkdir(parents=True, exist_ok=True)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700)
        return folder

    def instances(self, name: str) -> list[Path]:
        """The folders that were begun and not removed."""
        return sorted(path for path in self.folder(name).glob("*") if path.is_dir())

    def remove(self, name: str) -> None:
        """Forget it, and all that lies in its folder."""
        folder = self.folder(name)
        with contextlib.suppress(FileNotFoundError):
            (folder / _FILE).unlink()
        shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def held(self, name: str, busy: type[LedgerError] = DeploymentFailed) -> Iterator[None]:
        """Nobody else changes this deployment meanwhile.

        Raises:
            LedgerError: somebody does so now, as an error of the class ``busy``.
        """
        place = self.folder(name)
        self._root.mkdir(parents=True, exist_ok=True)
        if (lock := lockfile.acquire(place.with_name(f".{name}.lock"))) is None:
            raise busy(f"the deployment {name!r} of {self.target!r} is being made, changed or removed at this moment: wait for that to end")
        try:
            yield
        finally:
            lock.release()


def _record(found: Any, path: Path) -> Record:
    names = {one.name for one in fields(Record)}
    if not isinstance(found, dict) or set(found) != names or any(not isinstance(found[one], _TYPES.get(one, str)) for one in names):
        raise InvalidValue(f"{path} is no record of this version: delete the deployment, and create it again")
    if found["name"] != path.parent.name or not found["instance"].isalnum():
        raise InvalidValue(f"{path} is the record of another deployment, {found['name']!r:.80}: put it back where it was")
    return Record(**found)
