"""Floor 5. A LightGBM callback: what it evaluates each round, and at the end of its block the importance and the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from prefect_ledger.autolog.boosting import Boosting
from prefect_ledger.autolog.parameters import plain_value
from prefect_ledger.autolog.writer import warn, where_written

if TYPE_CHECKING:
    from types import TracebackType


_WHO = "LightGBMCallback"


class LightGBMCallback(Boosting):
    """Log a training into the run, in ``lightgbm.train``, ``lightgbm.cv`` or the ``fit`` of its estimators, all inside its block.

    Each evaluation is a series such as ``valid_0.l2``, with rounds as steps; after ``cv`` also its ``.std``; the parameters are logged in
    the first round. At the end of the ``with`` block come ``best_iteration`` and ``best_score.…`` (where it stops early), the importance of
    features, and the booster as the model ``name`` (None logs none). The block is needed because LightGBM tells its callbacks nothing when
    it stops; without one, the rounds and parameters alone are logged.

    The run is the one that is open where the callback is made, or ``run``. ``prefix`` stands before every key, for a second training in one
    run. ``input_example`` is a row or a few, for the model's signature. The training's result is the same with and without it.

    Raises:
        InvalidValue, InvalidName: an argument that cannot be. NoActiveRun: no run is open.

    Example:
        >>> import lightgbm, numpy
        >>> from prefect_ledger import start_run
        >>> from prefect_ledger.autolog import LightGBMCallback
        >>> data = lightgbm.Dataset(numpy.arange(60.0).reshape(-1, 1), label=numpy.arange(60.0))
        >>> params = {"verbosity": -1, "num_threads": 1}
        >>> with start_run(experiment="docs") as run, LightGBMCallback(plots=False) as callback:
        ...     booster = lightgbm.train(params, data, 3, valid_sets=[data], callbacks=[callback])
        >>> len(run.metric("training.l2"))
        3
    """

    kinds: ClassVar[tuple[str, ...]] = ("gain", "split")
    # After LightGBM's own that record, before its early stopping (30), which leaves the round by an exception.
    order = 25
    before_iteration = False

    _inside = _hinted = False
    _booster: Any = None

    def __enter__(self) -> Self:
        self._inside = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._inside = False
        if error is None:
            self._finish()
        self._booster = None

    @where_written
    def __call__(self, env: Any) -> None:
        if env.iteration == env.begin_iteration:
            with self._writer.attempt("parameters"):
                self._begin(env)
            if self._booster is not None and self._booster is not env.model:  # a second training in one block
                self._finish()
        if self._inside:
            self._booster = env.model
        elif self._name is not None and not self._hinted:
            self._hinted = True
            warn(f"{_WHO} logs the model at the end of its block: 'with {_WHO}() as callback:' around the training; name=None logs none")
        with self._writer.attempt("metrics"):
            for result in env.evaluation_result_list or ():
                self._point(tuple(result), env.iteration)
        if env.iteration == env.end_iteration - 1:
            self._writer.settle()

    def _begin(self, env: Any) -> None:
        plain = {name: plain_value(value) for name, value in env.params.items()}
        self._writer.params({name: value for name, (kept, value) in plain.items() if kept})
        self._writer.params({"num_iterations": env.end_iteration - env.begin_iteration})

    def _point(self, result: tuple[Any, ...], round_: int) -> None:
        data, metric, value = result[:3]
        self._writer.metric(f"{data}.{metric}", value, round_)
        if len(result) > 4 and result[4] is not None:
            self._writer.metric(f"{data}.{metric}.std", result[4], round_)

    @where_written
    def _finish(self) -> None:
        booster, self._booster = self._booster, None
        if booster is not None and not hasattr(booster, "boosters"):  # those of cross-validation are no model
            self._end(booster)

    def _end(self, booster: Any) -> None:
        with self._writer.attempt("the best iteration"):
            if booster.best_iteration > 0:
                self._writer.metric("best_iteration", booster.best_iteration)
                for data, scores in booster.best_score.items():
                    self._writer.metrics({f"best_score.{data}.{metric}": value for metric, value in scores.items()})
        self._log_importance(lambda kind: (dict(zip(booster.feature_name(), booster.feature_importance(kind), strict=True)), kind))
        self._log_model(booster)
