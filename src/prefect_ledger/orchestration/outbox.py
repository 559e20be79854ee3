"""Floor 6. Sends the events of the registry to Prefect: after the change they tell of, at least once, in order.

An event waits in the store from the very transaction of its change until Prefect's server has said that it took it. Whoever dies in
between leaves it there for the next one: the next change, ``reconcile``, or the flow ``outbox``. One that was sent twice has the same id
both times, derived from the hash of its audit row.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from prefect_ledger.registry_events import event
from prefect_ledger.tracking.errands import Errand
from prefect_ledger.tracking.ledger import ledger

if TYPE_CHECKING:
    from prefect_ledger.database import Database

AT_ONCE = 50
_PATIENCE = 2.0  # seconds for a flow run that is just about to wait
_DECIDES = ("approved", "rejected", "closed")  # what happens to a request that somebody may wait for
_mutex = threading.Lock()  # one thread sends


def send_events() -> int:
    """Send what waits in the outbox; returns how many events Prefect took.

    Raises:
        StoreUnavailable. What Prefect's client raises when the server cannot be reached or refuses; what was taken until then is not sent
        again.

    Example:
        >>> send_events()  # doctest: +SKIP
        3
    """
    return _sent_from(ledger().database)


def _sent_from(database: Database) -> int:
    from prefect_ledger import audit_store
    from prefect_ledger.orchestration.clients import post_events

    sent = 0
    with _mutex:
        while True:
            with database.read() as tx:
                waiting = audit_store.unsent(tx, AT_ONCE)
            if not waiting:
                return sent
            post_events([event(*one) for one in waiting])
            with database.write() as tx:
                audit_store.mark_sent(tx, [number for number, *_ in waiting])
            sent += len(waiting)
            _wake(database, waiting)


def _wake(database: Database, sent: Iterable[tuple[int, str, Mapping[str, Any]]]) -> None:
    """Resume the flow runs that wait for a request which one of these events may have decided."""
    from prefect_ledger.orchestration.waking import wake

    decided = {payload["after"]["request"] for _, name, payload in sent if name.rpartition(".")[2] in _DECIDES and ".request." in name}
    with contextlib.suppress(Exception):  # the event is told; whoever still sleeps is woken by the flow outbox
        wake(database, decided, patience=_PATIENCE)


def send_soon() -> None:
    """Send in the background; the process waits for that at its end, for a few seconds. Nothing is sent where no server is named."""
    from prefect_ledger.orchestration.clients import server_is_named

    if server_is_named():
        ERRAND.soon(ledger().database)


def _send(database: Database) -> None:
    try:
        _sent_from(database)
    except Exception as error:  # what Prefect's client raises: it waits in the store for the next one
        if not type(error).__module__.startswith(("httpx", "prefect")):
            raise


ERRAND = Errand("outbox", _send)
