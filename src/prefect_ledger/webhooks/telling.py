"""Floor 5. Tells of alerts: each by each way that the settings name, at least once, and in the usual case once.

An alert waits in the store from the moment it is there. It is taken by a conditional update with a lease, told outside of any
transaction, and tried again where a way fails; after a day it is no news any more.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prefect_ledger import sources
from prefect_ledger.events import clean
from prefect_ledger.hooks import Webhook, delivery_id, shown_way
from prefect_ledger.masking import mask_text
from prefect_ledger.settings import Settings
from prefect_ledger.tracking.alerts import at_least
from prefect_ledger.tracking.ledger import ledger
from prefect_ledger.webhooks import secrets
from prefect_ledger.webhooks.delivering import Delivered, post_event
from prefect_ledger.webhooks.posting import Answer
from prefect_ledger.webhooks.trying import outcome

if TYPE_CHECKING:
    from prefect_ledger.alert_store import Waiting
    from prefect_ledger.database import Database
    from prefect_ledger.entities import Alert

ALERT = "prefect-ledger.run.alert"
PREFECT = "prefect"  # the way of Prefect's own events
_BLOCK = "block:"
_NEWS = 86_400_000_000  # µs, after which an alert is no news
_LEASE = 60_000_000  # µs: more than all ways of one alert may take
_SHOWN = 500  # characters of an answer that are kept
_MICROS = 1_000_000


def tell_alerts(*, now: int | None = None) -> Delivered:
    """Tell of all alerts whose time has come, by the ways of this process's settings. Any number of processes may do so at once.

    Args:
        now: the time in µs since 1970; the clock's if not said.

    Raises:
        StoreUnavailable: what was not told waits.

    Example:
        >>> tell_alerts()
        Delivered(done=0, waiting=0, dead=0)
    """
    one = ledger()
    one.flush()
    return _round(one.database, one.settings, now)


def ways(settings: Settings) -> tuple[str, ...]:
    """The ways that alerts are told from this process: ``prefect`` where a server of it is named, then what the settings say."""
    here = sources.courier is not None and sources.courier.here()
    return (*((PREFECT,) if here else ()), *settings.alert_to)


def _round(database: Database, settings: Settings, now: int | None) -> Delivered:
    known = ways(settings)
    levels = at_least(settings.alert_level)
    done = Counter(_told(database, settings, known, levels, now)) if known else Counter[str]()
    return Delivered(done["done"], done["waiting"], done["dead"])


def _told(database: Database, settings: Settings, known: tuple[str, ...], levels: tuple[str, ...], now: int | None) -> Iterator[str]:
    """What came of each alert that is due."""
    from prefect_ledger import alert_store as store

    while True:
        at = now if now is not None else time.time_ns() // 1_000
        with database.read() as tx:
            found = store.due(tx, at, at - _NEWS, levels)
        for one in found:
            with database.write() as tx:
                taken = store.claim(tx, one, at + _LEASE)
            if not taken:
                continue
            told, answer = _tried(one, settings, known, at)
            missing = [way for way in known if shown_way(way) not in told]
            after = outcome(answer, one.tries + 1, one.id) if missing else None
            due = at + int(after.wait * _MICROS) if after is not None and after.state == "waiting" else None
            with database.write() as tx:
                store.settle(tx, one, told, due, answer.text if missing else "")
            yield "done" if after is None else after.state
        if not found:
            return


def _tried(one: Waiting, settings: Settings, known: tuple[str, ...], at: int) -> tuple[list[str], Answer]:
    """All ways the alert was told by now, and the answer of the last one that failed."""
    told, failed = list(one.alert.told), Answer(200)
    for way in known:
        if shown_way(way) in told:
            continue
        answer = _by(way, one, settings, at)
        if answer.taken:
            told.append(shown_way(way))
        else:
            failed = answer._replace(text=f"{shown_way(way)}: {answer.status or ''} {clean(mask_text(answer.text))}"[:_SHOWN])
    return told, failed


def _by(way: str, one: Waiting, settings: Settings, at: int) -> Answer:
    if "://" in way:
        key = secrets.find(settings.alert_secret) if settings.alert_secret else ""
        if key is None:
            return Answer(0, secrets.lacking(settings.alert_secret))
        # Who sets where alerts of this process go is trusted with where it posts, so a host of this network is none to refuse.
        hook = Webhook(0, way, settings.alert_secret, allow_private=True)
        return post_event(hook, key, _event(one), delivery_id(0, f"{one.id}/{shown_way(way)}"), at=at // _MICROS)
    if sources.courier is None:
        return Answer(0, "nobody here knows of blocks")
    try:
        if way == PREFECT:
            sources.courier.event(_event(one))
        else:
            sources.courier.notify(way.removeprefix(_BLOCK), _title(one.alert), _text(one))
    except Exception as error:  # noqa: BLE001  # a server or a block of anybody's: said, and tried again
        return Answer(0, f"{type(error).__name__}: {error}")
    return Answer(200)


def _event(one: Waiting) -> dict[str, Any]:
    """The alert as Prefect's API takes it."""
    alert = one.alert
    assert alert.logged_at is not None
    return {
        "id": delivery_id(0, one.id),
        "occurred": alert.logged_at.isoformat(),
        "event": ALERT,
        "resource": {
            "prefect.resource.id": f"prefect-ledger.run.{alert.run_id}",
            "prefect.resource.name": one.run_name or alert.run_id[:8],
            "prefect-ledger.level": alert.level,
            "prefect-ledger.experiment": one.experiment,
        },
        "related": [],
        "payload": {
            "title": alert.title,
            "text": alert.text,
            "level": alert.level,
            "run_id": alert.run_id,
            "run_name": one.run_name,
            "experiment": one.experiment,
            "attempt": alert.attempt,
            "task_run_id": alert.task_run_id,
        },
    }


def _title(alert: Alert) -> str:
    return f"{alert.level}: {alert.title}"


def _text(one: Waiting) -> str:
    about = f"run {one.run_name or one.alert.run_id[:8]} ({one.alert.run_id}) of experiment {one.experiment}"
    return f"{one.alert.text}\n\n{about}" if one.alert.text else about


def tell_where_there_is_a_way() -> None:
    """As :func:`tell_alerts`, but where nobody is named nothing is asked."""
    if ways(ledger().settings):
        tell_alerts()
