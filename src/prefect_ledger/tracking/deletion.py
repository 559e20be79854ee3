"""Floor 5. Runs that nobody wants any more, and those that somebody wants back. Nothing is erased here: gc does that, later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect_ledger.names import run_id_prefix
from prefect_ledger.tracking.ledger import Ledger, ledger
from prefect_ledger.tracking.runs import now

if TYPE_CHECKING:
    from collections.abc import Sequence

_WHOLE = 36  # characters of a run id


def delete_runs(*runs: str) -> list[str]:
    """Mark runs as deleted: searches do not show them, and gc erases them once they were so for its retention.

    ``runs`` are ids, or their first 8 characters and more. All are marked or none. Runs below them stay as they are. Returns the ids of
    those that were active; a run that is open goes on logging.

    Raises:
        RunNotFound: no such run, or several. InvalidName: not a run id. StoreUnavailable.

    Example:
        >>> from prefect_ledger import get_run, start_run
        >>> with start_run(experiment="docs") as run:
        ...     run.log_metric("auc", 0.5)
        >>> delete_runs(run.id) == [run.id], get_run(run.id).lifecycle
        (True, 'deleted')
    """
    from prefect_ledger import removal_store

    one = ledger()
    wanted = whole_ids(one, runs)
    with one.database.write() as tx:
        changed = set(removal_store.delete(tx, wanted, now()))
    return [run for run in wanted if run in changed]


def restore_runs(*runs: str) -> list[str]:
    """Take the deletion of runs back. Returns the ids of those that were deleted; where their experiment was, it is active again too.

    Raises:
        RunNotFound: no such run, or several. InvalidName: not a run id. InvalidValue: gc has begun to erase one. StoreUnavailable.

    Example:
        >>> from prefect_ledger import get_run, start_run
        >>> with start_run(experiment="docs") as run:
        ...     run.log_metric("auc", 0.5)
        >>> delete_runs(run.id) == restore_runs(run.id), get_run(run.id).lifecycle
        (True, 'active')
    """
    from prefect_ledger import removal_store

    one = ledger()
    wanted = whole_ids(one, runs)
    with one.database.write() as tx:
        changed = set(removal_store.restore(tx, wanted, now()))
    return [run for run in wanted if run in changed]


def whole_ids(one: Ledger, runs: Sequence[str]) -> list[str]:
    """Whole ids, each once, in the order given; what was logged until now is brought in first. A whole id is not looked for.

    Raises:
        RunNotFound: no run begins so, or several do. InvalidName: not the beginning of a run id.
    """
    prefixes = [run_id_prefix(run) for run in runs]
    one.flush()
    return list(dict.fromkeys(prefix if len(prefix) == _WHOLE else one.reader.run(prefix).id for prefix in prefixes))
