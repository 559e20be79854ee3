"""Floor 3. Artifacts of all runs, in an order in which one can stop and go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from prefect_ledger.database import rows

if TYPE_CHECKING:
    import sqlalchemy as sa

Key = tuple[str, str, int]  # run, path, attempt
FIRST: Key = ("", "", -1)


class Logged(NamedTuple):
    """The row of an artifact."""

    run: str
    path: str
    attempt: int
    uri: str
    size: int
    sha256: str
    at: int

    @property
    def key(self) -> Key:
        """What it is found by."""
        return self.run, self.path, self.attempt


_TEXT = """SELECT a.run_id, a.path, a.attempt, a.uri, a.size, a.sha256, a.at FROM artifacts a JOIN runs r ON r.id = a.run_id
 WHERE r.lifecycle <> 'erasing' AND {} ORDER BY a.run_id, a.path, a.attempt LIMIT ?"""


def following(tx: sa.Connection, key: Key, limit: int) -> list[Logged]:
    """The next artifacts behind ``key``, those of deleted runs too."""
    return [Logged(*row) for row in rows(tx, _TEXT.format("(a.run_id, a.path, a.attempt) > (?, ?, ?)"), [*key, limit])]


def one(tx: sa.Connection, key: Key) -> Logged | None:
    """The artifact of this key; None when it is not there any more."""
    found = rows(tx, _TEXT.format("a.run_id = ? AND a.path = ? AND a.attempt = ?"), [*key, 1])
    return Logged(*found[0]) if found else None


def total(tx: sa.Connection) -> tuple[int, int]:
    """How many artifacts there are, and how many bytes."""
    [(count, size)] = rows(tx, "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM artifacts")
    return int(count), int(size)
