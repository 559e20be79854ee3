"""Floor 5. Clearing away, as users ask for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from prefect_ledger.errors import InvalidValue
from prefect_ledger.tracking.ledger import ledger

if TYPE_CHECKING:
    from prefect_ledger.garbage import Garbage

RETENTION_DAYS = 30.0
GRACE_DAYS = 7.0
CACHES_DAYS = 30.0
_MOST_DAYS = 1e6


def collect_garbage(
    *,
    dry_run: bool = True,
    retention_days: float = RETENTION_DAYS,
    retention: Mapping[str, float] | None = None,
    grace_days: float = GRACE_DAYS,
    caches_days: float = CACHES_DAYS,
    unknown_runs: bool = False,
    step: Callable[[str], object] | None = None,
) -> Garbage:
    """What nobody can want any more, with sizes; taken away for good when ``dry_run`` is False.

    - Runs deleted more than ``retention_days`` ago with all they logged, and deleted experiments that have no runs then.
      ``retention`` says other days by experiment's name, as does an experiment's tag ``retention_days``.
    - Bytes below the artifact root that no run logged, and uploads that were never finished, older than ``grace_days``. A run that is
      open, or was heard of within that time, is left alone. Let it be longer than a machine of yours is ever offline: what waits in a
      journal there is not in the store yet.
    - Journals of dead processes on this machine (brought in first), and temporary folders that they left.
    - What is kept below the ledger's home on this machine to be there the next time, and was not used for ``caches_days``: environments
      and repositories of projects, and data that ``dataset`` got. Nothing that a living process uses, builds or fetches.

    Bytes of runs that this store has never heard of are counted; ``unknown_runs=True`` takes them too. Not where several ledgers share
    an artifact root.

    Raises:
        InvalidValue: days below 0. ExperimentNotFound: a name in ``retention``. StoreUnavailable, ArtifactsUnavailable.

    Example:
        >>> found = collect_garbage()
        >>> found.dry_run, found.size
        (True, 0)
    """
    from prefect_ledger import garbage, removal_store
    from prefect_ledger.queries import experiments
    from prefect_ledger.tracking import caches

    for days in (retention_days, grace_days, caches_days, *(retention or {}).values()):
        if not 0 <= days < _MOST_DAYS:
            raise InvalidValue(f"days are a number from 0 on, not {days!r}")
    one = ledger()
    with contextlib.suppress(OSError):
        one.flush()
    now = garbage.microseconds()
    with one.database.read() as tx:
        own = removal_store.own_retention(tx)
        own |= {experiments.find(tx, name): days for name, days in (retention or {}).items()}
    rules = garbage.Rules(
        deleted_by=now - int(retention_days * garbage.DAY),
        older_than=now - int(grace_days * garbage.DAY),
        own={number: now - int(days * garbage.DAY) for number, days in own.items()},
        unknown_runs=unknown_runs,
    )
    folder = one.settings.journal_folder
    found = garbage.collect(one.database, one.artifacts, folder, rules, dry_run=dry_run, step=step or str)
    (step or str)("environments, repositories and data that are kept")
    caches.trim(found, one.settings.home, now - int(caches_days * garbage.DAY))
    return found
