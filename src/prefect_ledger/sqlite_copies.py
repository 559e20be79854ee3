"""Floor 2. Files of SQLite ledgers, whole: copied while they are in use, checked before they are believed, put in another's place."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from prefect_ledger.database import SCHEMA, VERSION_TABLE
from prefect_ledger.errors import BackupCorrupt, LedgerInUse, SchemaTooNew, StoreUnavailable

HEADER = b"SQLite format 3\0"
_PAGES = 2_048  # a step: 8 MB
_MODE_AT = 18  # in the header: how the file is to be written and read, 1 with a rollback journal, 2 with a write-ahead log
_PATIENCE = 5.0  # seconds for others to let the file be
_MISSED = {
    "runs": "1 = 1",
    "experiments": "id <> 0",
    "registered_models": "1 = 1",
    "policies": "1 = 1",
}  # what makes a ledger worth something


class Bytes(NamedTuple):
    """Bytes in the artifact store that a row tells of; ``size`` is not always known."""

    uri: str
    sha256: str
    size: int | None


def copy(source: Path, target: Path, progress: Callable[[int, int], object] | None = None) -> None:
    """Write one moment of the ledger ``source`` to the file ``target``, which is empty or new; whoever writes meanwhile does not wait.

    ``progress`` is called with the pages that are written and those there are. No file comes up beside the copy, which is readable where
    nothing can be written.

    Raises:
        StoreUnavailable: one cannot be read or the other not written.
    """
    try:
        with contextlib.closing(_open(source)) as old, contextlib.closing(sqlite3.connect(target, isolation_level=None)) as new:
            new.execute("PRAGMA synchronous=off")  # the caller forces it to the disk, once
            new.execute("PRAGMA journal_mode=off")
            # A backup begins anew whenever somebody else has written, unless its reader stays in one transaction: a moment that the
            # write-ahead log keeps for it.
            old.execute("BEGIN")
            old.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            told = progress or _nobody
            old.backup(new, pages=_PAGES, progress=lambda _status, left, pages: told(pages - left, pages), sleep=0)
            old.execute("COMMIT")
        with target.open("r+b") as file:  # the copied header asks for a write-ahead log, which there is none of
            file.seek(_MODE_AT)
            file.write(b"\1\1")
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the store {source} cannot be copied: {error}") from error


def check(path: Path) -> int:
    """The schema of the ledger in ``path``, after every page of it was looked at. It may come from anywhere.

    Raises:
        BackupCorrupt: it is damaged, or no ledger. SchemaTooNew: a newer version wrote it.
    """
    if not path.is_file():
        raise BackupCorrupt(f"there is no file {path}")
    with path.open("rb") as file:
        if file.read(len(HEADER)) != HEADER:
            raise BackupCorrupt(f"{path.name} is no SQLite database")
    try:
        with contextlib.closing(_open(path)) as ledger:
            ledger.execute("PRAGMA trusted_schema=off")
            found = [str(row[0]) for row in ledger.execute("PRAGMA integrity_check(3)")]
            if found != ["ok"]:
                raise BackupCorrupt(f"{path.name} is damaged: {'; '.join(found)}")
            ours = "SELECT name FROM sqlite_master WHERE type = 'trigger' OR (type = 'table' AND sql LIKE 'CREATE VIRTUAL%')"
            if strange := [str(row[0]) for row in ledger.execute(ours)]:
                raise BackupCorrupt(
                    f"{path.name} has {strange[0]!r}, a trigger or virtual table, which no ledger has: it was tampered with"
                )
            version = _version(ledger)
    except sqlite3.Error as error:
        raise BackupCorrupt(f"{path.name} cannot be read as a ledger: {error}") from error
    if version is None:
        raise BackupCorrupt(f"{path.name} is a database, but no ledger")
    if version > SCHEMA:
        raise SchemaTooNew(
            f"{path.name} has schema {version}, this prefect-ledger speaks up to {SCHEMA}: upgrade it with pip install -U prefect-ledger"
        )
    return version


def count_runs(path: Path) -> int:
    """How many runs a ledger has, also deleted ones."""
    with contextlib.closing(_open(path)) as ledger:
        return int(ledger.execute("SELECT COUNT(*) FROM runs").fetchone()[0])


def stored_bytes(path: Path) -> list[Bytes]:
    """What the rows of a ledger say of the artifact store, once for each place: of several attempts, what the last one put there."""
    found: dict[str, Bytes] = {}
    with contextlib.closing(_open(path)) as ledger:
        for uri, sha256, size in ledger.execute("SELECT uri, sha256, size FROM artifacts ORDER BY attempt, at"):
            found[uri] = Bytes(uri, sha256, size)
        if ledger.execute("SELECT 1 FROM sqlite_master WHERE name = 'evidences'").fetchone():
            for uri, sha256 in ledger.execute("SELECT uri, arrays FROM evidences WHERE uri <> ''"):
                found[uri] = Bytes(uri, sha256, None)
    return sorted(found.values())


def move_root(path: Path, old: str, new: str) -> None:
    """Have the rows of a ledger say that what was below the artifact root ``old`` is below ``new``."""
    with contextlib.closing(_open(path)) as ledger:
        ledger.execute("BEGIN IMMEDIATE")
        for table, column in (("artifacts", "uri"), ("runs", "artifact_uri"), ("evidences", "uri")):
            if ledger.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table]).fetchone():
                text = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?"
                ledger.execute(text, [new, len(old) + 1, len(old) + 1, f"{old}/"])
        ledger.execute("COMMIT")


def is_empty(path: Path) -> bool:
    """Whether a ledger has nothing that anybody could miss.

    Raises:
        BackupCorrupt: it is no ledger. StoreUnavailable.
    """
    try:
        with contextlib.closing(_open(path)) as ledger:
            tables = {str(row[0]) for row in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if tables and VERSION_TABLE not in tables:
                raise BackupCorrupt(f"{path} is a database, but no ledger: it is not replaced")
            asked = (f"SELECT 1 FROM {table} WHERE {which} LIMIT 1" for table, which in _MISSED.items() if table in tables)
            return not any(ledger.execute(text).fetchone() for text in asked)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the store {path} cannot be used now: {error}") from error


def settle(path: Path) -> None:
    """Bring all of a ledger into its one file, as it must be to be renamed. :func:`use_wal` undoes it.

    Raises:
        LedgerInUse: somebody has it open. StoreUnavailable.
    """
    try:
        with contextlib.closing(_open(path, patience=_PATIENCE)) as ledger:
            try:
                mode = str(ledger.execute("PRAGMA journal_mode=delete").fetchone()[0])
            except sqlite3.OperationalError:
                mode = ""
            if mode != "delete":
                raise LedgerInUse(f"{path} is in use: end what logs into it or reads it, and try again")
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the store {path} cannot be used now: {error}") from error


def use_wal(path: Path) -> None:
    """Make a copy a ledger that many use at once."""
    with contextlib.closing(_open(path)) as ledger:
        ledger.execute("PRAGMA journal_mode=wal")


def _version(ledger: sqlite3.Connection) -> int | None:
    if not ledger.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", [VERSION_TABLE]).fetchone():
        return None
    row = ledger.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()
    text = str(row[0]) if row else ""
    return int(text[:4]) if text[:4].isdigit() else None


def _open(path: Path, patience: float = 30.0) -> sqlite3.Connection:
    """A connection to a file that is there; one that is not is never made."""
    return sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, timeout=patience)


def _nobody(_done: int, _of: int) -> None:
    """Progress that nobody watches."""
