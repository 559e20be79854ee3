"""Floor 5. Adds, lists and removes webhooks, tries one, and looks after what could not be delivered."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from prefect_ledger.entities import to_datetime
from prefect_ledger.errors import InvalidValue, NotFound, TransitionRefused
from prefect_ledger.hooks import PING, Delivery, Webhook, check_events, check_pattern, delivery_id
from prefect_ledger.registry.access import changing, check_text, check_webhook, looking, who
from prefect_ledger.registry.rules import policy_now
from prefect_ledger.tracking.ledger import ledger
from prefect_ledger.webhooks import secrets
from prefect_ledger.webhooks.delivering import post_event
from prefect_ledger.webhooks.destination import check_url, resolve
from prefect_ledger.webhooks.posting import Answer

if TYPE_CHECKING:
    from prefect_ledger.audit_store import Chain
    from prefect_ledger.identities import Identity

_MICROS = 1_000_000


def add_webhook(
    url: str,
    *,
    secret_env: str | None = None,
    secret_block: str | None = None,
    events: str | Sequence[str] = "*",
    model: str = "*",
    allow_private: bool = False,
    why: str = "",
    by: Identity | str | None = None,
) -> Webhook:
    """Post events of the registry to a URL from now on, signed with a secret that the store has the name of alone.

    Args:
        url: http or https. Without ``allow_private`` its host must not be of this machine or of a private network, now or at sending.
        secret_env: the environment variable that holds the secret wherever events are sent from.
        secret_block: or the Secret block of Prefect that does.
        events: names or patterns, such as ``version.moved`` and ``request.*``.
        model: of these registered models alone; with another than ``*``, nothing that is about no model.
        why, by: for the audit log.

    Raises:
        InvalidValue: the URL, a name, a pattern cannot be used. TransitionRefused: whoever may not set the policy adds no webhook.
        StoreUnavailable.

    Example:
        >>> add_webhook("https://hooks.example/ledger", secret_env="LEDGER_HOOK_SECRET", events="request.*").place
        'https://hooks.example'
    """
    from prefect_ledger import webhook_store as store

    secret = secrets.named(secret_env, secret_block)
    wish = store.Wish(check_url(url), secret, check_events(events), check_pattern(model), bool(allow_private))
    with contextlib.suppress(OSError):  # a name that is known only where events are sent from
        resolve(url, allow_private=wish.allow_private)
    said, by = check_text(why, "a reason"), who(by)
    with changing() as chain:
        _check_right(chain, by)
        return store.webhook(chain.tx, store.add(chain, wish, by, said))


def list_webhooks() -> list[Webhook]:
    """The webhooks there are, the oldest first, with how many deliveries wait and how many are dead.

    Raises:
        StoreUnavailable: also for who may not read them, as a writer's role on PostgreSQL.

    Example:
        >>> from prefect_ledger import webhooks
        >>> hook = webhooks.add_webhook("https://hooks.example/all", secret_env="LEDGER_HOOK_SECRET")
        >>> hook.id in [one.id for one in webhooks.list_webhooks()]
        True
    """
    from prefect_ledger import webhook_store as store

    with looking() as tx:
        return store.webhooks(tx)


def remove_webhook(webhook: int, *, why: str = "", by: Identity | str | None = None) -> Webhook:
    """Post nothing to a webhook any more; what waits for it is dropped. Returns it as it was.

    Raises:
        NotFound: there is none of this number, or it was removed. TransitionRefused: as for adding one. StoreUnavailable.

    Example:
        >>> from prefect_ledger import webhooks
        >>> hook = webhooks.add_webhook("https://hooks.example/old", secret_env="LEDGER_HOOK_SECRET")
        >>> webhooks.remove_webhook(hook.id, why="nobody listens").place
        'https://hooks.example'
    """
    from prefect_ledger import webhook_store as store

    number, said, by = check_webhook(webhook), check_text(why, "a reason"), who(by)
    with changing() as chain:
        _check_right(chain, by)
        one = _there(store.webhook(chain.tx, number))
        store.remove(chain, one, by, said)
    return one


def ping(webhook: int) -> Answer:
    """Post an event ``prefect-ledger.webhook.ping`` at once, once; returns what came back (status 0: nothing did, and why).

    Raises:
        NotFound: there is no such webhook. InvalidValue: its secret is not found here. StoreUnavailable.

    Example:
        >>> from prefect_ledger import webhooks
        >>> hook = webhooks.add_webhook("http://127.0.0.1:9/hook", secret_env="LEDGER_HOOK_SECRET", allow_private=True)
        >>> webhooks.ping(hook.id).status  # nobody answers there
        0
    """
    from prefect_ledger import webhook_store as store

    with looking() as tx:
        one = _there(store.webhook(tx, check_webhook(webhook)))
    if (secret := secrets.find(one.secret)) is None:
        raise InvalidValue(f"webhook {one.id} cannot be tried: {secrets.lacking(one.secret)}")
    now = time.time_ns() // 1_000
    at, delivery = to_datetime(now), delivery_id(one.id, f"ping/{uuid.uuid4()}")
    assert at is not None
    resource = {"prefect.resource.id": f"prefect-ledger.webhook.{one.id}", "prefect.resource.name": one.place}
    said = {"id": delivery, "occurred": at.isoformat(), "event": PING, "resource": resource, "related": [], "payload": {"webhook": one.id}}
    return post_event(one, secret, said, delivery, at=now // _MICROS)


def dead_letters(webhook: int | None = None, *, limit: int = 500) -> list[Delivery]:
    """Deliveries that were given up, with the last answer: of one webhook or of all, the newest event first.

    Raises:
        NotFound: there is no such webhook. InvalidValue: of the limit. StoreUnavailable.

    Example:
        >>> from prefect_ledger import webhooks
        >>> webhooks.dead_letters()
        []
    """
    from prefect_ledger import webhook_store as store
    from prefect_ledger.queries.search import check_limit

    check_limit(limit)
    with looking() as tx:
        number = None if webhook is None else store.webhook(tx, check_webhook(webhook)).id
        return store.letters(tx, "dead", number, limit)


def retry_dead(webhook: int | None = None) -> int:
    """Let dead deliveries begin anew, of one webhook or of all; returns how many. They are posted by whoever sends next.

    Raises:
        NotFound: there is no such webhook. StoreUnavailable.

    Example:
        >>> from prefect_ledger import webhooks
        >>> webhooks.retry_dead()
        0
    """
    from prefect_ledger import audit_store
    from prefect_ledger import webhook_store as store

    one = ledger()
    with one.database.write() as tx:
        number = None if webhook is None else _there(store.webhook(tx, check_webhook(webhook))).id
        return store.revive(tx, audit_store.clock(tx), number)


def troubles() -> dict[int, str]:
    """What keeps events from webhooks, a sentence for each that has any: no secret here, or dead letters.

    Example:
        >>> from prefect_ledger import webhooks
        >>> webhooks.troubles()
        {}
    """
    found = {}
    for one in list_webhooks():
        dead = f"{one.dead} of its deliveries {'is' if one.dead == 1 else 'are'} dead" if one.dead else ""
        if said := "; ".join(filter(None, (secrets.lacking(one.secret), dead))):
            found[one.id] = said
    return found


def _check_right(chain: Chain, by: Identity) -> None:
    """Raises TransitionRefused: a webhook tells the world what is decided, so whoever may not set the policy adds and removes none."""
    if refused := policy_now(chain.tx).policy.may_set(by):
        raise TransitionRefused(f"webhooks stay as they are, since they take the right to set the policy: {refused}")


def _there(one: Webhook) -> Webhook:
    if one.removed_at is not None:
        raise NotFound(f"webhook {one.id} was removed")
    return one
