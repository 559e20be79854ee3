"""Floor 6. Resumes the flow runs that wait for a request of the registry, once that is decided.

Which runs wait is in the ledger: a promotion's run has its request in the tag ``promotion.request``. Whoever gives the last vote resumes
them, where Prefect can be reached from there; the flow ``outbox`` does it for all the others.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect_ledger.errors import InvalidValue, RequestNotFound
from prefect_ledger.orchestration.clients import own_client
from prefect_ledger.promotion.promoter import lacking
from prefect_ledger.queries.reader import Reader

if TYPE_CHECKING:
    from prefect_ledger.database import Database

TAG, UNTIL = "promotion.request", "promotion.until"
_LOOK = 0.5  # seconds
_MOST = 1_000
_DIGITS = 15  # of a time: anybody may write tags


def wake(database: Database, requests: Iterable[int] | None = None, *, patience: float = 0.0) -> list[str]:
    """Resume the flow runs that wait for these requests, if they are decided; for all where none are named, and then also those whose time
    to wait is over. Returns the runs' ids.

    With ``patience`` a run that is not waiting yet, since it is just about to, is looked at again for so many seconds.

    Raises:
        StoreUnavailable. What Prefect's client raises when the server cannot be reached.
    """
    wanted = None if requests is None else {one for one in requests if _decided(database, one)}
    if wanted is not None and not wanted:
        return []
    found = [run for run, request, late in _waiting(database) if (late and wanted is None) or _is_due(database, request, wanted)]
    return [run for run in found if _woken(run, patience)]


def waits_until(tags: Mapping[str, str]) -> float | None:
    """The time (seconds since 1970) that a run waits until, as its tags say; None where it waits as long as its request is open."""
    said = tags.get(UNTIL, "")
    return float(said) if said.isdecimal() and said.isascii() and len(said) <= _DIGITS else None


def _is_due(database: Database, request: str, wanted: set[int] | None) -> bool:
    return _decided(database, request) if wanted is None else request in map(str, wanted)


def resume(flow_run_id: Any) -> bool:
    """Resume one flow run, if it is paused or suspended; whether it was.

    Raises:
        What Prefect's client raises when the server cannot be reached or knows no such run.
    """
    from prefect.client.schemas.responses import SetStateStatus

    with own_client() as client:  # perhaps in the background of a flow that has ended
        answer = client.resume_flow_run(UUID(str(flow_run_id)), run_input={"decision": "look again"})
    return answer.status is SetStateStatus.ACCEPT


def _waiting(database: Database) -> list[tuple[str, str, bool]]:
    """Runs of promotions that have not ended, the request that each has, and whether it has waited as long as it was to."""
    text = f"tags.`{TAG}` is not null and status in ('RUNNING', 'PAUSED')"
    runs = Reader(database).search_runs(None, text, (), _MOST, None)
    now = time.time()
    found = [(one.id, one.tags[TAG], waits_until(one.tags)) for one in runs]
    return [(run, said, until is not None and until < now) for run, said, until in found]


def _decided(database: Database, request: int | str) -> bool:
    from prefect_ledger import request_store as store
    from prefect_ledger.registry.access import check_request

    try:
        with database.read() as tx:
            one = store.request(tx, check_request(request))
    except (RequestNotFound, InvalidValue):
        return False
    return one.state != "open" or not lacking(one)


def _woken(flow_run_id: str, patience: float) -> bool:
    until = time.monotonic() + patience
    while True:
        with contextlib.suppress(Exception):  # Prefect does not know this run, or is away: that is not to hold up the others
            if resume(flow_run_id):
                return True
        if time.monotonic() >= until:
            return False
        time.sleep(_LOOK)
