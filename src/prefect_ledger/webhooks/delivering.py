"""Floor 5. Posts what waits: each event to each webhook that wants it, at least once, and in the usual case once.

Deliveries are made of the outbox, taken by a conditional update with a lease, and posted outside of any transaction.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.events import clean
from prefect_ledger.hooks import Delivery, Webhook
from prefect_ledger.masking import mask_text
from prefect_ledger.registry_events import event
from prefect_ledger.tracking.ledger import ledger
from prefect_ledger.webhooks import secrets
from prefect_ledger.webhooks.hiding import without
from prefect_ledger.webhooks.posting import SECONDS, Answer, post
from prefect_ledger.webhooks.signing import DELIVERY_HEADER, EVENT_HEADER, HEADER, signature
from prefect_ledger.webhooks.trying import outcome

if TYPE_CHECKING:
    from prefect_ledger.database import Database

_LEASE = 60_000_000  # µs: six times what a try may take
_SHOWN = 500  # characters of an answer that are kept
_MICROS = 1_000_000


class Delivered(NamedTuple):
    """How many deliveries a round ended well, will try again, gave up."""

    done: int = 0
    waiting: int = 0
    dead: int = 0


def deliver(*, now: int | None = None) -> Delivered:
    """Post all that is due. Any number of processes may do so at once.

    Args:
        now: the time in µs since 1970; the store's if not said.

    Raises:
        StoreUnavailable: what was not posted waits.

    Example:
        >>> deliver()
        Delivered(done=0, waiting=0, dead=0)
    """
    one = ledger()
    one.flush()
    return round_of(one.database, now=now)


def round_of(database: Database, *, first: bool = False, now: int | None = None) -> Delivered:
    """Post what is due from this store; with ``first`` only what nobody has tried yet."""
    from prefect_ledger import webhook_store as store

    _plan(database, now)
    with database.read() as tx:
        hooks = store.webhooks(tx)
    done = Counter(state for hook in hooks for state in _to_one(database, hook, first=first, now=now))
    return Delivered(done["done"], done["waiting"], done["dead"])


def post_event(hook: Webhook, secret: str, said: dict[str, Any], delivery: str, *, at: int) -> Answer:
    """Post one event, signed; ``at`` are seconds since 1970. What comes back has no secret in it and at most 500 characters."""
    body = json.dumps(said, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "prefect-ledger",
        HEADER: signature(body, secret, at),
        EVENT_HEADER: said["event"],
        DELIVERY_HEADER: delivery,
    }
    answer = post(hook.url, body, headers, allow_private=hook.allow_private, seconds=SECONDS)
    return answer._replace(text=clean(mask_text(without(answer.text, hook.url, secret)))[:_SHOWN])


def _plan(database: Database, now: int | None) -> None:
    """Make deliveries of all events so far."""
    from prefect_ledger import audit_store
    from prefect_ledger import webhook_store as store

    with database.read() as tx:
        wanted = store.behind(tx)
    while wanted:
        with database.write() as tx:
            wanted = store.plan(tx, audit_store.clock(tx) if now is None else now) > 0


def _to_one(database: Database, hook: Webhook, *, first: bool, now: int | None) -> Iterator[str]:
    """What came of each delivery to a webhook that is due. Where nobody answers, the others are not tried in this round."""
    from prefect_ledger import audit_store
    from prefect_ledger import webhook_store as store

    if not hook.waiting or (secret := secrets.find(hook.secret)) is None:
        return
    while True:
        with database.read() as tx:
            found = store.due(tx, hook.id, audit_store.clock(tx) if now is None else now, first=first)
        if not found:
            return
        for one in found:
            tried = _tried(database, hook, secret, one, now)
            if tried is not None:
                yield tried.state
                if not tried.status:
                    return


def _tried(database: Database, hook: Webhook, secret: str, one: Delivery, now: int | None) -> Delivery | None:
    """The delivery after a try; None where somebody else has it."""
    from prefect_ledger import audit_store
    from prefect_ledger import webhook_store as store

    with database.write() as tx:
        at = audit_store.clock(tx) if now is None else now
        if not store.claim(tx, one, at + _LEASE):
            return None
        said = event(one.seq, one.event, store.payload(tx, one.seq))
    started = time.monotonic_ns()
    answer = post_event(hook, secret, said, one.id, at=at // _MICROS)
    at += (time.monotonic_ns() - started) // 1_000 if now is None else 0
    what = outcome(answer, one.tries + 1, one.id)
    after = replace(one, state=what.state, tries=one.tries + 1, status=answer.status, answer=answer.text)
    after = replace(after, due=at + int(what.wait * _MICROS))
    with database.write() as tx:
        store.settle(tx, after, at)
    return after
