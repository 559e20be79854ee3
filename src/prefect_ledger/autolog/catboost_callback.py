"""Floor 5. A CatBoost callback: what it evaluates each round, and at the end of its block the parameters, the importance and the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, Unpack

from prefect_ledger.autolog.boosting import Boosting, Options
from prefect_ledger.autolog.writer import where_written
from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.flavors.base import made_by

if TYPE_CHECKING:
    from types import TracebackType


class CatBoostCallback(Boosting):
    """Log the training of ``model`` into the run, where it is fitted in the block: ``model.fit(..., callbacks=[callback])``.

    Each evaluation is a series such as ``validation.Logloss``, with rounds as steps. At the end of the ``with`` block come all parameters
    it was trained with, ``best_iteration`` and ``best_score.…`` (where something was held out), the importance of features, and the model
    as ``name`` (None logs none). CatBoost takes no callbacks on a GPU: leave it out of ``fit`` there, and the series come at the end too.

    Args:
        model: What is fitted in the block: a ``CatBoost``, ``CatBoostClassifier``, ``CatBoostRegressor`` or ``CatBoostRanker``.
        name, input_example, register: As in ``log_model``.
        prefix: Before every key and artifact.
        importance: ``"PredictionValuesChange"``, or None for none.
        plots: Also draw it.
        run: The run to log into; the open one when left out.

    Raises:
        InvalidValue, InvalidName: an argument that cannot be. NoActiveRun: no run is open.

    Example:
        >>> import catboost, numpy
        >>> from prefect_ledger import start_run
        >>> from prefect_ledger.autolog import CatBoostCallback
        >>> model = catboost.CatBoostRegressor(iterations=3, verbose=False, allow_writing_files=False)
        >>> with start_run(experiment="docs") as run, CatBoostCallback(model, plots=False) as callback:
        ...     model = model.fit(numpy.arange(20.0).reshape(-1, 1), numpy.arange(20.0), callbacks=[callback])
        >>> len(run.metric("learn.RMSE"))
        3
    """

    kinds: ClassVar[tuple[str, ...]] = ("PredictionValuesChange",)

    def __init__(self, model: Any, **options: Unpack[Options]) -> None:
        if not made_by(model, "catboost.core.CatBoost"):
            raise InvalidValue(f"CatBoostCallback: model is what is fitted in the block, such as CatBoostClassifier(), not {model!r:.80}")
        super().__init__(**options)
        self._model = model
        self._counts: dict[tuple[str, str], int] = {}  # points of each series that were logged
        self._before: Any = None

    def __enter__(self) -> Self:
        self._counts = {}
        self._remember()
        return self

    @where_written
    def _remember(self) -> None:
        self._before = _state(self._model)

    @where_written
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None and (self._counts or _state(self._model) != self._before):
            self._end()

    def after_iteration(self, info: Any) -> bool:
        """CatBoost calls this after each round; always to be gone on."""
        self._round(info)
        return True

    @where_written
    def _round(self, info: Any) -> None:
        with self._writer.attempt("metrics"):
            for data, metrics in info.metrics.items():
                for metric, values in metrics.items():
                    if len(values) > self._counts.get((data, metric), 0):  # not every metric is evaluated in every round
                        self._counts[data, metric] = len(values)
                        self._writer.metric(f"{data}.{metric}", values[-1], info.iteration - 1)  # it counts from 1

    def _end(self) -> None:
        model = self._model
        with self._writer.attempt("parameters"):
            self._writer.params(model.get_all_params())
        if not self._counts:
            with self._writer.attempt("metrics"):
                for data, metrics in model.get_evals_result().items():
                    for metric, values in metrics.items():
                        self._writer.series(f"{data}.{metric}", values)
        with self._writer.attempt("the best iteration"):
            if model.best_iteration_ is not None:
                self._writer.metric("best_iteration", model.best_iteration_)
                for data, scores in model.best_score_.items():
                    self._writer.metrics({f"best_score.{data}.{metric}": value for metric, value in scores.items()})
        self._log_importance(self._scores)
        self._log_model(model)
        self._writer.settle()

    def _scores(self, kind: str) -> tuple[Mapping[str, Any], str]:
        return dict(zip(self._model.feature_names_, self._model.get_feature_importance(type=kind).tolist(), strict=True)), kind


def _state(model: Any) -> Any:
    """Something else after the model was fitted."""
    return (model.tree_count_, model.random_seed_, model.get_evals_result()) if model.is_fitted() else None
