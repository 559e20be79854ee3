"""Floor 5. Posts the events of a change right after it, behind the back of who made it: the first try; later ones are the schedule's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect_ledger.tracking.errands import Errand
from prefect_ledger.tracking.ledger import ledger

if TYPE_CHECKING:
    from prefect_ledger.database import Database


def deliver_soon() -> None:
    """Deliver in the background; the process waits for that at its end, for a few seconds. What is not posted then waits in the store."""
    _ERRAND.soon(ledger().database)


def finish(seconds: float = 10.0) -> None:
    """Wait until what is being delivered was."""
    _ERRAND.finish(seconds)


def _deliver(database: Database) -> None:
    from prefect_ledger.webhooks.delivering import round_of

    round_of(database, first=True)


_ERRAND = Errand("webhooks", _deliver)
