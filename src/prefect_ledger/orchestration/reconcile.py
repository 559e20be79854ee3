"""Floor 6. Brings runs whose end nobody could write to the end they had: asked of Prefect, else told by lock and lease.

A killed process writes nothing, a suspended run that is never resumed has no process at all, and a worker may die with its runs. Prefect
knows of most of these, the journal's lock and the lease of the rest. What is learnt goes the same way as what runs say themselves, so
reconciling twice, or on several machines at once, is as good as once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from prefect_ledger import open_runs, run_store
from prefect_ledger.errors import InvalidValue
from prefect_ledger.leases import SILENCE, give_up_silent
from prefect_ledger.masking import mask_text
from prefect_ledger.open_runs import CANCELLING, Change, Told
from prefect_ledger.recovery import Recovered, recover
from prefect_ledger.tracking.ledger import ledger

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

    from prefect_ledger.database import Database

PAGE = 200  # what Prefect's server gives at most
AT_ONCE = 4  # pages
_DAY = 86_400_000_000  # µs
_GUESSED_DAYS = 30  # a guess that Prefect did not settle in this time is left as it is
_WAITING = ("PAUSED", "SCHEDULED")  # states in which a run has no process that could be heard of


@dataclass(frozen=True)
class Reconciled:
    """What a reconciliation found. ``asked``: runs that Prefect was asked about; ``unknown``: those it does not know."""

    asked: int = 0
    unknown: int = 0
    changes: list[Change] = field(default_factory=list)
    recovered: Recovered = field(default_factory=Recovered)
    trouble: str = ""  # why Prefect could not be asked; locks and leases were looked at all the same
    dry_run: bool = False


def reconcile(*, dry_run: bool = False, silence: float = SILENCE) -> Reconciled:
    """Bring every run without a known end to the state it is in: journals of dead processes, then Prefect, then leases.

    Safe to call at any time, twice, and from several machines at once; from a coroutine too, which waits for it. A final state that a
    run's own process wrote stays. What locks and leases tell is provisional: later news of the run opens it again.

    Args:
        dry_run: Change nothing, only say what would be changed. Journals of dead processes are then left where they are.
        silence: Seconds without a sign of life after which a run is taken for lost.

    Raises:
        InvalidValue: ``silence`` is below 0. StoreUnavailable: the store cannot be asked or written now.

    Example:
        >>> from prefect_ledger import reconcile
        >>> [change.after for change in reconcile().changes]
        []
    """
    if not 0 <= silence < math.inf:
        raise InvalidValue(f"silence is a number of seconds from 0 on, not {silence!r}")
    mine = ledger()
    database, folder = mine.database, mine.settings.journal_folder
    mine.flush()
    recovered = Recovered() if dry_run else recover(folder, database)
    with database.read() as tx:
        found = open_runs.find_open(tx, guessed_since=time.time_ns() // 1000 - _GUESSED_DAYS * _DAY)
    asked = [run.id for run in found if run.kind in ("flow", "")]
    told, trouble = _ask(asked)
    changes = _tell(database, told, dry_run=dry_run)
    settled = {one.run for one in told if one.status in (*_WAITING, *run_store.FINAL)}
    silent = [run for run in found if run.status in ("RUNNING", "SCHEDULED") and run.id not in settled]
    changes += give_up_silent(database, folder, silent, silence=silence, dry_run=dry_run)
    if not dry_run:  # those just given up that somebody had asked to end
        changes += _tell(database, [one for one in told if one.status == CANCELLING], dry_run=False)
    return Reconciled(len(asked), 0 if trouble else len(asked) - len(told), _once(changes), recovered, trouble, dry_run)


def _ask(runs: Sequence[str]) -> tuple[list[Told], str]:
    """What Prefect says of these runs, and why it could not be asked about all of them."""
    from prefect.client.orchestration import get_client

    told: list[Told] = []
    if not runs:
        return told, ""
    pages = [runs[low : low + PAGE] for low in range(0, len(runs), PAGE)]
    try:
        with get_client(sync_client=True) as client, ThreadPoolExecutor(AT_ONCE, "prefect-ledger-reconcile") as pool:
            for page in pool.map(lambda page: _read(client, page), pages):
                told += page
    except Exception as error:  # noqa: BLE001  # whatever keeps Prefect from answering, locks and leases still tell
        return told, mask_text(f"{type(error).__name__}: {error}".strip())
    return told, ""


def _read(client: SyncPrefectClient, runs: Sequence[str]) -> list[Told]:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    wanted = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(run) for run in runs]))
    return [one for found in client.read_flow_runs(flow_run_filter=wanted, limit=PAGE) if (one := _told(found)) is not None]


def _told(flow_run: FlowRun) -> Told | None:
    state = flow_run.state
    if state is None or state.timestamp is None:
        return None
    status = "SCHEDULED" if state.type.value == "PENDING" else state.type.value
    return Told(
        str(flow_run.id),
        status,
        _micros(state.timestamp),
        reason="" if status == "COMPLETED" else mask_text(state.message or state.name or ""),
        name=flow_run.name,
        count=flow_run.run_count,
        started=_micros(flow_run.start_time) if flow_run.start_time is not None else None,
    )


def _micros(when: datetime) -> int:
    return int(when.timestamp() * 1_000_000)


def _tell(database: Database, told: Sequence[Told], *, dry_run: bool) -> list[Change]:
    """Bring it into the store, page by page: no transaction is long."""
    changes: list[Change] = []
    for low in range(0, len(told), PAGE):
        with database.read() if dry_run else database.write() as tx:
            changes += open_runs.tell(tx, told[low : low + PAGE], dry_run=dry_run)
    return changes


def _once(changes: Sequence[Change]) -> list[Change]:
    """Each run's change from first to last."""
    first: dict[str, Change] = {}
    for one in changes:
        before = first[one.run].before if one.run in first else one.before
        first[one.run] = Change(one.run, before, one.after, one.reason)
    return list(first.values())
