"""Floor 5. A ledger at a glance, as its first page shows it. What this process logged is brought in first."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from prefect_ledger.entities import to_micros
from prefect_ledger.events import clean
from prefect_ledger.tracking.ledger import ledger

if TYPE_CHECKING:
    from prefect_ledger.queries.overview import Failed, Room, Running, Trend


class Work(NamedTuple):
    """How many runs are at work, how many failed, and the latest of both."""

    running_count: int
    running: list[Running]
    failed_count: int
    failed: list[Failed]


def work(since: datetime, *, limit: int = 10) -> Work:
    """What runs, and what failed or crashed since a moment.

    Raises:
        StoreUnavailable.

    Example:
        >>> from datetime import UTC, datetime, timedelta
        >>> from prefect_ledger.tracking.overview import work
        >>> work(datetime.now(UTC) - timedelta(days=1)).running
        []
    """
    from prefect_ledger.queries import overview

    one = ledger()
    one.flush()
    with one.database.read() as tx:
        return Work(*overview.running(tx, limit), *overview.failed(tx, to_micros(since), limit))


def trends(key: str | None = None, *, runs: int = 50, experiments: int = 20) -> list[Trend]:
    """How a metric went from run to run in the experiments that were at work last; where no key is given, one that most runs of each have.

    Raises:
        StoreUnavailable.

    Example:
        >>> from prefect_ledger import start_run
        >>> from prefect_ledger.tracking.overview import trends
        >>> for auc in (0.8, 0.9):
        ...     with start_run(experiment="glance") as run:
        ...         run.log_metric("auc", auc)
        >>> next([value for _, _, value in one.points] for one in trends() if one.experiment == "glance")
        [0.8, 0.9]
    """
    from prefect_ledger.queries import overview

    one = ledger()
    one.flush()
    with one.database.read() as tx:
        return overview.trends(tx, None if key is None else clean(key), runs=runs, experiments=experiments)


def metric_keys(*, experiments: int = 20) -> list[str]:
    """The metrics of the latest runs of the experiments that were at work last, those first that most of them have.

    Raises:
        StoreUnavailable.
    """
    from prefect_ledger.queries import overview

    one = ledger()
    one.flush()
    with one.database.read() as tx:
        return overview.latest_keys(tx, experiments)


def room() -> Room:
    """How many runs and artifacts there are, and the bytes of store and artifacts.

    Raises:
        StoreUnavailable.
    """
    from prefect_ledger.queries import overview

    with ledger().database.read() as tx:
        return overview.room(tx)
