"""Floor 3. The audit log and the outbox: rows that are written together with the change they tell of, and never changed.

Whoever changes the registry holds the head of the chain until the transaction ends. So all changes stand in one order, and what was looked
at under the head is still so when the change is written. Functions take an open transaction and never commit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.audit_chain import COLUMNS, GENESIS, Verified, canonical, link, verify
from prefect_ledger.database import execute, rows
from prefect_ledger.entities import to_datetime
from prefect_ledger.errors import LedgerError
from prefect_ledger.identities import Identity
from prefect_ledger.registered import Change
from prefect_ledger.registry_events import EVENTS

if TYPE_CHECKING:
    import sqlalchemy as sa

_PART = 10_000
_ROW = f"{', '.join(COLUMNS)}, content, hash"
_LINES = "SELECT seq, content, hash FROM audit"


class Head(NamedTuple):
    """The last row's number and hash; 0 and zeros where there is none."""

    seq: int
    hash: str


class Chain:
    """The end of the audit log, held by one transaction; ``now`` is the time of what it does, later than all before it (µs).

    Made by :func:`hold`. ``tx`` is the transaction.
    """

    def __init__(self, tx: sa.Connection, head: Head, now: int) -> None:
        self.tx, self.head, self.now = tx, head, now

    def append(
        self,
        action: str,
        by: Identity,
        *,
        model: tuple[int, str] | None = None,
        version: int | None = None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        why: str = "",
        evidence: str = "",
    ) -> int:
        """Add a row, and the event that tells of it; returns the row's number."""
        number = self.head.seq + 1
        fields = {
            "seq": number,
            "at": self.now,
            "action": action,
            "model_id": model[0] if model else None,
            "version": version,
            "actor": by.name,
            "strength": by.strength.value,
            "evidence": evidence,
        }
        said = {"name": model[1] if model else "", "how": by.how, "before": dict(before or {}), "after": dict(after or {}), "why": why}
        content = canonical({**fields, **said})
        found = link(self.head.hash, content)
        text = f"INSERT INTO audit ({_ROW}) VALUES ({', '.join('?' * (len(COLUMNS) + 2))})"
        execute(self.tx, text, [*(fields[name] for name in COLUMNS), content, found])
        execute(self.tx, "UPDATE audit_head SET seq = ?, hash = ? WHERE id = 1", [number, found])
        event = canonical({**fields, **said, "hash": found})
        execute(self.tx, "INSERT INTO outbox (seq, name, payload, at) VALUES (?, ?, ?, ?)", [number, EVENTS + action, event, self.now])
        self.head = Head(number, found)
        return number


def hold(tx: sa.Connection) -> Chain:
    """The end of the chain, which no other transaction changes until this one ends; others that want it wait."""
    lock = " FOR UPDATE" if tx.dialect.name == "postgresql" else ""  # SQLite has one writer at a time anyway
    found = rows(tx, f"SELECT seq, hash FROM audit_head WHERE id = 1{lock}")
    if not found:
        raise LedgerError("the head of the audit log was removed, so nothing can be added to it: restore the database from a backup")
    head = Head(*found[0])
    last = rows(tx, "SELECT at FROM audit WHERE seq = ?", [head.seq])
    return Chain(tx, head, max(clock(tx), last[0][0] + 1 if last else 0))


def clock(tx: sa.Connection) -> int:
    """The time of the store (µs): PostgreSQL's own, so that machines whose clocks differ write one log."""
    if tx.dialect.name != "postgresql":
        return time.time_ns() // 1000
    return int(rows(tx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")[0][0])


def head(tx: sa.Connection) -> Head:
    """The end of the chain as it is now, not held; that of an empty one where somebody removed it."""
    found = rows(tx, "SELECT seq, hash FROM audit_head WHERE id = 1")
    return Head(*found[0]) if found else Head(0, GENESIS)


def check(tx: sa.Connection, anchor: str = "", each: Callable[[Mapping[str, Any]], object] | None = None) -> Verified:
    """Walk the whole chain; see :func:`prefect_ledger.audit_chain.verify`."""
    return verify(_all(tx), *head(tx), anchor, each)


def changes(tx: sa.Connection, model_id: int | None = None, version: int | None = None, after: int = 0) -> Iterator[Change]:
    """What was changed, in order: everywhere, of one model, or of one version; from row ``after`` on, that one left out."""
    where, params = ["seq > ?"], [after]
    if model_id is not None:
        where, params = [*where, "model_id = ?"], [*params, model_id]
    if version is not None:
        where, params = [*where, "version = ?"], [*params, version]
    for row in rows(tx, f"{_LINES} WHERE {' AND '.join(where)} ORDER BY seq", params):
        yield _change(*row)


def latest(
    tx: sa.Connection,
    model_id: int | None = None,
    version: int | None = None,
    *,
    text: str = "",
    before: int | None = None,
    limit: int = 100,
) -> list[Change]:
    """What was changed last, the latest first: everywhere, of one model or of one version, whose row has ``text`` in it, in whatever case
    of plain letters, and stands before row ``before``."""
    where, params = ["seq < ?"], [(1 << 62) if before is None else before]
    asked: list[tuple[str, Any]] = [("model_id = ?", model_id), ("version = ?", version)]
    if text:
        escaped = json.dumps(text, ensure_ascii=False)[1:-1].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        asked.append(("lower(content) LIKE lower(CAST(? AS TEXT)) ESCAPE '\\'", f"%{escaped}%"))
    where += [condition for condition, value in asked if value is not None]
    params += [value for _, value in asked if value is not None]
    return [_change(*row) for row in rows(tx, f"{_LINES} WHERE {' AND '.join(where)} ORDER BY seq DESC LIMIT ?", [*params, limit])]


def lines(tx: sa.Connection, after: int = 0, limit: int = _PART) -> list[tuple[int, str, str]]:
    """Number, text and hash of rows as they are, whatever was done to them; beyond row ``after``, at most ``limit``."""
    return [(seq, text, found) for seq, text, found in rows(tx, f"{_LINES} WHERE seq > ? ORDER BY seq LIMIT ?", [after, limit])]


def unsent(tx: sa.Connection, limit: int = 100) -> list[tuple[int, str, Mapping[str, Any]]]:
    """Events that nobody has said were sent: number, name, payload; the oldest first."""
    text = "SELECT seq, name, payload FROM outbox WHERE sent IS NULL ORDER BY seq LIMIT ?"
    return [(seq, name, json.loads(payload)) for seq, name, payload in rows(tx, text, [limit])]


def mark_sent(tx: sa.Connection, numbers: list[int]) -> None:
    """Say that these events were sent."""
    for number in numbers:
        execute(tx, "UPDATE outbox SET sent = ? WHERE seq = ? AND sent IS NULL", [time.time_ns() // 1000, number])


def _all(tx: sa.Connection) -> Iterator[tuple[Any, ...]]:
    """Every row, part by part, whatever its number: one that was put in by hand too."""
    found = _bare(execute(tx, f"SELECT {_ROW} FROM audit ORDER BY seq LIMIT {_PART}"))
    while found:
        yield from found
        found = _bare(execute(tx, f"SELECT {_ROW} FROM audit WHERE seq > ? ORDER BY seq LIMIT {_PART}", [found[-1][0]]))


def _bare(found: sa.CursorResult[Any]) -> list[tuple[Any, ...]]:
    """The rows as the driver has them: there may be millions."""
    cursor: Any = found.cursor
    try:
        return list(cursor.fetchall())
    finally:
        found.close()


def _change(seq: int, content: str, found: str) -> Change:
    try:
        return _read(content, found)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise LedgerError(f"row {seq} of the audit log was changed by hand and does not read: `prefect-ledger audit verify`") from error


def _read(content: str, found: str) -> Change:
    said = json.loads(content)
    at = to_datetime(said["at"])
    assert at is not None
    return Change(
        said["seq"],
        at,
        said["action"],
        said["name"],
        said["version"],
        Identity(said["actor"], said["strength"], said["how"]),
        said["before"],
        said["after"],
        said["why"],
        said["evidence"],
        found,
        content,
    )
