"""Floor 5. Posts the events of a change right after it, behind the back of who made it: the first try; later ones are the schedule's."""

from __future__ import annotations

import atexit
import threading
from collections import deque
from typing import TYPE_CHECKING

from prefect_ledger.errors import LedgerError
from prefect_ledger.tracking.ledger import ledger

if TYPE_CHECKING:
    from prefect_ledger.database import Database

_EXIT_SECONDS = 10.0
_wanted: deque[None] = deque(maxlen=1)  # no lock in it that a fork could find taken
_thread: list[threading.Thread] = []


def deliver_soon() -> None:
    """Deliver in the background; the process waits for that at its end, for a few seconds. What is not posted then waits in the store."""
    _wanted.append(None)
    if _thread and _thread[0].is_alive():
        return
    if not _thread:
        atexit.register(finish)
    _thread[:] = [threading.Thread(target=_deliver, args=(ledger().database,), name="prefect-ledger-webhooks", daemon=True)]
    _thread[0].start()


def finish(seconds: float = _EXIT_SECONDS) -> None:
    """Wait until what is being delivered was."""
    if _thread:
        _thread[0].join(seconds)


def _deliver(database: Database) -> None:
    from prefect_ledger.webhooks.delivering import round_of

    while _wanted:
        _wanted.clear()
        try:
            round_of(database, first=True)
        except (LedgerError, OSError, RuntimeError, ValueError):  # it waits in the store for the next one
            return
