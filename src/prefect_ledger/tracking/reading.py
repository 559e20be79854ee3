"""Floor 5. Looking at runs: one by id, or many by experiment, filter and order. What this process logged is brought in first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from prefect_ledger.tracking.ledger import ledger

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from prefect_ledger.entities import Run
    from prefect_ledger.queries import Page

Experiments = str | int | Sequence[str | int] | None
Lifecycle = Literal["active", "deleted", "all"]


def get_run(run_id: str) -> Run:
    """The run of this id: 36 characters, 32 hex digits, or its first 8 and more where no other run has them. Also a deleted one.

    Raises:
        RunNotFound: no such run, or several. InvalidName: not the beginning of a run id. StoreUnavailable.

    Example:
        >>> from prefect_ledger import get_run, start_run
        >>> with start_run(experiment="docs") as run:
        ...     run.log_metric("auc", 0.91)
        >>> get_run(run.id).metrics["auc"]
        0.91
    """
    one = ledger()
    one.flush()
    return one.reader.run(run_id)


@overload
def search_runs(
    experiment: Experiments = ...,
    filter: str = ...,
    order_by: Sequence[str] | str | None = ...,
    limit: int = ...,
    page: str | None = ...,
    as_: Literal["list"] = ...,
    lifecycle: Lifecycle = ...,
) -> Page: ...
@overload
def search_runs(
    experiment: Experiments = ...,
    filter: str = ...,
    order_by: Sequence[str] | str | None = ...,
    limit: int = ...,
    page: str | None = ...,
    *,
    as_: Literal["pandas"],
    lifecycle: Lifecycle = ...,
) -> pd.DataFrame: ...
@overload
def search_runs(
    experiment: Experiments = ...,
    filter: str = ...,
    order_by: Sequence[str] | str | None = ...,
    limit: int = ...,
    page: str | None = ...,
    *,
    as_: Literal["arrow"],
    lifecycle: Lifecycle = ...,
) -> pa.Table: ...
def search_runs(
    experiment: Experiments = None,
    filter: str = "",  # noqa: A002 - the name that MLflow's users know
    order_by: Sequence[str] | str | None = (),
    limit: int = 1000,
    page: str | None = None,
    as_: Literal["list", "pandas", "arrow"] = "list",
    lifecycle: Lifecycle = "active",
) -> Any:
    """Runs that match ``filter``, in order: a list with ``next_page``, a DataFrame or an arrow table.

    ``experiment`` is a name or an id, or several; None asks all. ``filter`` is MLflow's language and more
    (``metrics.auc > 0.9 and params.model in ('xgb', 'lgbm')``, ``min(metrics.loss) < 0.1 or tags.team ilike '%risk%'``): a run that
    lacks what is compared does not match, with ``!=`` neither. ``order_by`` has one key or several, as in
    ``["metrics.auc desc", "params.model"]``: numbers come first in both directions, then NaN, then runs without the key; of equals the
    latest start first, then by id. ``limit`` is at most 50,000; ``page`` takes the ``next_page`` of the same search.

    Tables have the columns run_id, name, experiment, status, started_at, ended_at and more, then one for each ``params.x`` (text),
    ``metrics.y`` (float64, the last value) and ``tags.z`` (text). They carry ``next_page`` too: ``frame.attrs["next_page"]``, and the
    metadata of an arrow schema.

    Raises:
        InvalidFilter: filter or order do not parse; the message points at the place. ExperimentNotFound: with near names.
        InvalidValue: limit, lifecycle, as_, or a page of another search. MissingExtra: no pandas or pyarrow. StoreUnavailable.

    Example:
        >>> from prefect_ledger import search_runs, start_run
        >>> with start_run(experiment="docs") as run:
        ...     run.log_metric("loss", 0.25)
        >>> [found.id == run.id for found in search_runs("docs", "metrics.loss <= 0.25", limit=1)]
        [True]
    """
    one = ledger()
    one.flush()
    return one.reader.search_runs(experiment, filter, order_by, limit, page, as_=as_, lifecycle=lifecycle)
