"""Floor 5. The results of scikit-learn's cross-validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect_ledger.autolog.writer import Writer, where_recorded
from prefect_ledger.errors import InvalidValue

if TYPE_CHECKING:
    from prefect_ledger.tracking.runs import ActiveRun

_WHO = "log_cross_validation"
_NOT_NUMBERS = ("estimator", "indices")  # what cross_validate gives back beside scores when it is asked to


@where_recorded
def log_cross_validation(results: Any, *, prefix: str = "cv.", run: ActiveRun | None = None) -> None:
    """Log what ``cross_validate`` or ``cross_val_score`` gave: each score with the folds as steps, its ``.mean`` and its ``.std``.

    Raises:
        InvalidValue: not such results. NoActiveRun: no run is open.

    Example:
        >>> from prefect_ledger import start_run
        >>> with start_run(experiment="docs") as run:
        ...     log_cross_validation({"test_score": [0.8, 0.9], "fit_time": [0.1, 0.1]})
        >>> print(run.metric("cv.test_score").values)
        [0.8 0.9]
    """
    import numpy as np

    given = results if isinstance(results, Mapping) else {"test_score": results}
    folds: dict[str, Any] = {}
    for name, values in given.items():
        if name in _NOT_NUMBERS:
            continue
        try:
            folds[name] = np.asarray(values, float)
        except (TypeError, ValueError):
            raise InvalidValue(f"{_WHO}: {name!r} holds no numbers; it takes what cross_validate or cross_val_score gave") from None
        if folds[name].ndim != 1 or not len(folds[name]):
            raise InvalidValue(f"{_WHO}: {name!r} is one number for each fold, not of shape {folds[name].shape}")
    writer = Writer(run, prefix, _WHO)
    for name, values in folds.items():
        with writer.attempt(f"the scores {name!r}"):
            writer.series(name, values)
            writer.metrics({f"{name}.mean": values.mean(), f"{name}.std": values.std()})
