"""Floor 5. What of a ledger can be backed up here: the file of an SQLite store, and a local artifact root."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prefect_ledger.errors import InvalidSettings
from prefect_ledger.roots import FILE, SCHEME

if TYPE_CHECKING:
    from prefect_ledger.settings import Settings


def store_file(settings: Settings, verb: str) -> Path:
    """The file of the store.

    Raises:
        InvalidSettings: it is PostgreSQL, whose own tools do this.
    """
    if settings.store_url.startswith("sqlite"):
        return Path(settings.store_url.partition(":///")[2])
    command = {
        "backup": "pg_dump -Fc --file ledger.dump",
        "restore": "pg_restore --clean --if-exists --no-owner --dbname",
    }[verb]
    raise InvalidSettings(
        f"the store {settings.shown_store_url} is PostgreSQL, whose own tools do this while it is in use: {command} postgresql://… ;"
        " docs/teams.md says how, and in which order with the bucket"
    )


def local_root(settings: Settings) -> Path | None:
    """The folder of the artifact root; None where it is none."""
    return folder_of(settings.artifact_root)


def folder_of(root: str) -> Path | None:
    """The folder that a root or URI means; None where it is none of this machine."""
    scheme = SCHEME.match(root)
    if scheme is None:
        return Path(root)
    return Path(root[scheme.end() :]) if scheme[1].lower() in FILE else None
