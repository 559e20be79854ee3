"""Floor 6. Resumes the flow runs that wait for a request of the registry, once that is decided.

Which runs wait is in the ledger: a promotion's run has its request in the tag ``promotion.request``. Whoever gives the last vote resumes
them, where Prefect can be reached from there; the flow ``outbox`` does it for all the others.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from prefect_ledger import registry
from prefect_ledger.entities import Run
from prefect_ledger.errors import LedgerError, RequestNotFound
from prefect_ledger.promotion.promoter import lacking
from prefect_ledger.tracking.reading import search_runs

TAG = "promotion.request"
_PATIENCE = 5.0  # seconds for a run that is just going to sleep
_LOOK = 0.5
_MOST = 1_000


def wake(requests: Iterable[int] | None = None, *, patience: float = 0.0) -> list[str]:
    """Resume the flow runs that wait for these requests, for all where none are named, if they are decided; returns the runs' ids.

    With ``patience`` a run that is not waiting yet is looked at again for so many seconds.

    Raises:
        StoreUnavailable. What Prefect's client raises when the server cannot be reached.
    """
    wanted = None if requests is None else {str(one) for one in requests}
    if wanted is not None and not wanted:
        return []
    found = [one for one in _waiting() if wanted is None or one.tags[TAG] in wanted]
    return [one.id for one in found if _decided(one.tags[TAG]) and _woken(one.id, patience)]


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


def _waiting() -> list[Run]:
    """Runs of promotions that have not ended."""
    text = f"tags.`{TAG}` is not null and status in ('RUNNING', 'PAUSED')"
    return list(search_runs(filter=text, limit=_MOST))


def _decided(request: str) -> bool:
    try:
        one = registry.get_request(int(request))
    except (ValueError, RequestNotFound):
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
