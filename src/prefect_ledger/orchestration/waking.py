"""Floor 6. Resumes the flow runs that wait for a request of the registry, once that is decided.

Which runs wait is in the ledger: a promotion's run has its request in the tag ``promotion.request``. Whoever gives the last vote resumes
them, where Prefect can be reached from there; the flow ``outbox`` does it for all the others.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect_ledger.errors import LedgerError, RequestNotFound
from prefect_ledger.promotion.promoter import lacking
from prefect_ledger.queries.reader import Reader

if TYPE_CHECKING:
    from prefect_ledger.database import Database

TAG = "promotion.request"
_LOOK = 0.5  # seconds
_MOST = 1_000


def wake(database: Database, requests: Iterable[int] | None = None, *, patience: float = 0.0) -> list[str]:
    """Resume the flow runs that wait for these requests, for all where none are named, if they are decided; returns the runs' ids.

    With ``patience`` a run that is not waiting yet, since it is just about to, is looked at again for so many seconds.

    Raises:
        StoreUnavailable. What Prefect's client raises when the server cannot be reached.
    """
    wanted = None if requests is None else {one for one in requests if _decided(database, one)}
    if wanted is not None and not wanted:
        return []
    found = [(run, request) for run, request in _waiting(database) if wanted is None or request in wanted]
    return [run for run, request in found if (wanted is not None or _decided(database, request)) and _woken(run, patience)]


def resume(flow_run_id: Any) -> bool:
    """Resume one flow run, if it is paused or suspended; whether it was.

    Raises:
        What Prefect's client raises when the server cannot be reached or knows no such run.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.responses import SetStateStatus

    with get_client(sync_client=True) as client:
        answer = client.resume_flow_run(UUID(str(flow_run_id)), run_input={"decision": "look again"})
    return answer.status is SetStateStatus.ACCEPT


def _waiting(database: Database) -> list[tuple[str, int]]:
    """Runs of promotions that have not ended, and the request that each has."""
    text = f"tags.`{TAG}` is not null and status in ('RUNNING', 'PAUSED')"
    runs = Reader(database).search_runs(None, text, (), _MOST, None)
    return [(one.id, int(said)) for one in runs if (said := one.tags[TAG]).isdecimal()]


def _decided(database: Database, request: int) -> bool:
    from prefect_ledger import request_store as store

    try:
        with database.read() as tx:
            one = store.request(tx, request)
    except RequestNotFound:
        return False
    return one.state != "open" or not lacking(one)


def _woken(flow_run_id: str, patience: float) -> bool:
    until = time.monotonic() + patience
    while True:
        with contextlib.suppress(LedgerError, RuntimeError):
            if resume(flow_run_id):
                return True
        if time.monotonic() >= until:
            return False
        time.sleep(_LOOK)
