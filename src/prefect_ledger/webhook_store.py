"""Floor 3. Webhooks and their deliveries: which events of the outbox are still to be posted, to whom, and when.

Each webhook has a mark: up to which event deliveries were made for it. An event and its deliveries are so told apart from whether
Prefect took it, and nothing is lost or made twice by who dies in between. A delivery is taken by who changes it from what was seen.
Functions take an open transaction and never commit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.audit_store import Chain, head
from prefect_ledger.database import execute, rows
from prefect_ledger.entities import to_datetime
from prefect_ledger.errors import NotFound
from prefect_ledger.hooks import Delivery, State, Webhook

if TYPE_CHECKING:
    import sqlalchemy as sa

    from prefect_ledger.identities import Identity

_PART = 500
_HOOK = """SELECT id, url, secret, events, model, allow_private, author, created, removed,
 (SELECT COUNT(*) FROM deliveries d WHERE d.webhook_id = w.id AND d.state = 'waiting'),
 (SELECT COUNT(*) FROM deliveries d WHERE d.webhook_id = w.id AND d.state = 'dead') FROM webhooks w"""
_DELIVERY = """SELECT d.webhook_id, d.seq, o.name, d.state, d.tries, d.due, d.status, d.answer, d.ended
 FROM deliveries d JOIN outbox o ON o.seq = d.seq"""

_ENDED = "WHERE state <> 'waiting' AND ended < ?"


class Wish(NamedTuple):
    """A webhook that is to be."""

    url: str
    secret: str
    events: tuple[str, ...]
    model: str
    allow_private: bool


# --- webhooks ------------------------------------------------------------------------------------------------------------


def add(chain: Chain, wish: Wish, by: Identity, why: str = "") -> int:
    """Keep a webhook, for events from now on; returns its number. The log has neither its whole URL nor where its secret is."""
    text = """INSERT INTO webhooks (url, secret, events, model, allow_private, author, created, planned)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"""
    values = [wish.url, wish.secret, ",".join(wish.events), wish.model, int(wish.allow_private), by.name, chain.now, chain.head.seq + 1]
    number = int(rows(chain.tx, text, values)[0][0])
    chain.append("webhook.added", by, after=_told(webhook(chain.tx, number)), why=why)
    return number


def remove(chain: Chain, one: Webhook, by: Identity, why: str = "") -> None:
    """Post nothing to a webhook any more, also not what waits."""
    execute(chain.tx, "UPDATE webhooks SET removed = ? WHERE id = ?", [chain.now, one.id])
    text = "UPDATE deliveries SET state = 'dropped', ended = ? WHERE webhook_id = ? AND state = 'waiting'"
    execute(chain.tx, text, [chain.now, one.id])
    chain.append("webhook.removed", by, before=_told(one), after={"webhook": one.id}, why=why)


def webhooks(tx: sa.Connection) -> list[Webhook]:
    """Those that were not removed, the oldest first."""
    return [_webhook(row) for row in rows(tx, f"{_HOOK} WHERE removed IS NULL ORDER BY id")]


def webhook(tx: sa.Connection, number: int) -> Webhook:
    """The webhook of this number, removed ones too.

    Raises:
        NotFound.
    """
    found = rows(tx, f"{_HOOK} WHERE id = ?", [number])
    if not found:
        raise NotFound(f"there is no webhook {number}: prefect-ledger webhooks list")
    return _webhook(found[0])


# --- deliveries ----------------------------------------------------------------------------------------------------------


def behind(tx: sa.Connection) -> bool:
    """Whether there are events that deliveries were not made of."""
    return bool(rows(tx, "SELECT 1 FROM webhooks WHERE removed IS NULL AND planned < ? LIMIT 1", [head(tx).seq]))


def plan(tx: sa.Connection, now: int) -> int:
    """Make deliveries of the next events, due at once; returns how many events were looked at, the most that any webhook lacked."""
    found = 0
    for number, planned in rows(tx, "SELECT id, planned FROM webhooks WHERE removed IS NULL ORDER BY id"):
        hook = webhook(tx, number)
        new = rows(tx, f"SELECT seq, name, payload FROM outbox WHERE seq > ? ORDER BY seq LIMIT {_PART}", [planned])
        for seq, name, payload in new:
            if hook.wants(name, json.loads(payload)["name"]):
                text = "INSERT INTO deliveries (webhook_id, seq, state, tries, due) VALUES (?, ?, 'waiting', 0, ?) ON CONFLICT DO NOTHING"
                execute(tx, text, [number, seq, now])
        if new:
            execute(tx, "UPDATE webhooks SET planned = ? WHERE id = ? AND planned < ?", [new[-1][0], number, new[-1][0]])
        found = max(found, len(new))
    return found


def due(tx: sa.Connection, number: int, now: int, *, first: bool = False, limit: int = _PART) -> list[Delivery]:
    """Deliveries to a webhook whose time has come, the longest due first; with ``first`` those alone that nobody has tried."""
    fresh = " AND d.tries = 0" if first else ""
    text = f"{_DELIVERY} WHERE d.webhook_id = ? AND d.state = 'waiting' AND d.due <= ?{fresh} ORDER BY d.due, d.seq LIMIT ?"
    return [_delivery(row) for row in rows(tx, text, [number, now, limit])]


def claim(tx: sa.Connection, one: Delivery, until: int) -> bool:
    """Take a delivery to try it, until that time; False where somebody else has it, or it is at an end.

    That counts as a try, also of who dies meanwhile: what kills its sender is not tried for ever.
    """
    text = """UPDATE deliveries SET tries = tries + 1, due = ?
     WHERE webhook_id = ? AND seq = ? AND state = 'waiting' AND tries = ? AND due = ?"""
    return execute(tx, text, [until, one.webhook, one.seq, one.tries, one.due]).rowcount == 1


def settle(tx: sa.Connection, one: Delivery, now: int) -> None:
    """Write what came of a try of a claimed delivery. Who comes late, when somebody else has tried it since, only says that it is done."""
    ended = None if one.state == "waiting" else now
    text = """UPDATE deliveries SET state = ?, due = ?, status = ?, answer = ?, ended = ?
     WHERE webhook_id = ? AND seq = ? AND state = 'waiting' AND (tries = ? OR ? = 'done')"""
    execute(tx, text, [one.state, one.due, one.status, one.answer, ended, one.webhook, one.seq, one.tries, one.state])


def letters(tx: sa.Connection, state: State, number: int | None = None, limit: int = _PART) -> list[Delivery]:
    """Deliveries in a state, to one webhook or to all, the newest event first."""
    where, params = ("d.state = ?", [state]) if number is None else ("d.state = ? AND d.webhook_id = ?", [state, number])
    return [_delivery(row) for row in rows(tx, f"{_DELIVERY} WHERE {where} ORDER BY d.seq DESC, d.webhook_id LIMIT ?", [*params, limit])]


def revive(tx: sa.Connection, now: int, number: int | None = None) -> int:
    """Let dead deliveries begin anew, of webhooks that are there still; returns how many."""
    where, params = ("", [now]) if number is None else (" AND webhook_id = ?", [now, number])
    text = f"""UPDATE deliveries SET state = 'waiting', tries = 0, due = ?, ended = NULL
     WHERE state = 'dead' AND webhook_id IN (SELECT id FROM webhooks WHERE removed IS NULL){where}"""
    return execute(tx, text, params).rowcount


def ended(tx: sa.Connection, before: int) -> int:
    """How many deliveries came to their end before this time: taken, dead, or dropped with their webhook."""
    return int(rows(tx, f"SELECT COUNT(*) FROM deliveries {_ENDED}", [before])[0][0])


def forget(tx: sa.Connection, before: int, limit: int = 20 * _PART) -> int:
    """Erase some of those that :func:`ended` counts; returns how many. They are not made again: each webhook has its mark."""
    text = f"DELETE FROM deliveries WHERE (webhook_id, seq) IN (SELECT webhook_id, seq FROM deliveries {_ENDED} LIMIT ?)"
    return execute(tx, text, [before, limit]).rowcount


def payload(tx: sa.Connection, seq: int) -> Mapping[str, Any]:
    """What the event of this number says."""
    found: Mapping[str, Any] = json.loads(rows(tx, "SELECT payload FROM outbox WHERE seq = ?", [seq])[0][0])
    return found


def _told(one: Webhook) -> dict[str, Any]:
    """What everybody may read of a webhook, who reads the log."""
    return {
        "webhook": one.id,
        "place": one.place,
        "events": list(one.events),
        "model": one.model,
        "allow_private": one.allow_private,
    }


def _webhook(row: tuple[Any, ...]) -> Webhook:
    number, url, secret, events, model, private, author, created, removed, waiting, dead = row
    times = (to_datetime(created), to_datetime(removed))
    return Webhook(number, url, secret, tuple(events.split(",")), model, bool(private), author, *times, waiting, dead)


def _delivery(row: tuple[Any, ...]) -> Delivery:
    number, seq, event, state, tries, when, status, answer, ended = row
    return Delivery(number, seq, event, state, tries, when, status or 0, answer, to_datetime(ended))
