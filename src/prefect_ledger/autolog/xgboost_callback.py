"""Floor 5. XGBoost's own callback: what it evaluates each round, and at the end the parameters, the importance and the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from prefect_ledger.autolog.boosting import Boosting
from prefect_ledger.autolog.writer import where_written
from prefect_ledger.errors import MissingExtra

try:
    import xgboost
except ImportError as error:
    raise MissingExtra("xgboost", "xgboost", need="XGBoostCallback") from error


# Of what a booster knows of itself: what it found out or counts, and no choice of whoever trains.
_NOT_CHOSEN = frozenset({"num_trees", "num_parallel_tree_", "boost_from_average", "process_type", "num_deleted", "size_leaf_vector"})


class XGBoostCallback(Boosting, xgboost.callback.TrainingCallback):
    """Log a training into the run: ``xgboost.train(..., callbacks=[XGBoostCallback()])``, in ``xgboost.cv`` and in its estimators too.

    Each evaluation is a series such as ``validation_0.logloss``, with rounds as steps; after ``cv`` also its ``.std``. The booster's
    parameters are logged with their defaults after the first round, and at the end ``best_iteration`` and ``best_score`` (where it stops
    early), the importance of features, and the booster as the model ``name`` (None logs none). List it after an ``EarlyStopping`` that has
    ``save_best``, so that the model it sees is the one you get. Of several workers that train together, the first one logs.

    The run is the one that is open where the callback is made, or ``run``. ``prefix`` stands before every key, for a second training in one
    run. ``input_example`` is a row or a few, for the model's signature. The training's result is the same with and without it.

    Raises:
        InvalidValue, InvalidName: an argument that cannot be. NoActiveRun: no run is open. MissingExtra: XGBoost is not installed.

    Example:
        >>> import numpy, xgboost
        >>> from prefect_ledger import start_run
        >>> from prefect_ledger.autolog import XGBoostCallback
        >>> data = xgboost.DMatrix(numpy.arange(20.0).reshape(-1, 1), label=numpy.arange(20) > 9)
        >>> with start_run(experiment="docs") as run:
        ...     told = {"evals": [(data, "train")], "verbose_eval": False, "callbacks": [XGBoostCallback(plots=False)]}
        ...     booster = xgboost.train({"eta": 0.5}, data, 3, **told)
        >>> len(run.metric("train.rmse"))
        3
    """

    kinds: ClassVar[tuple[str, ...]] = ("gain", "weight", "cover", "total_gain", "total_cover")
    _described = False

    def before_training(self, model: Any) -> Any:
        self._described = False
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Any]]) -> bool:
        if _first_worker():
            self._round(model, epoch, evals_log)
        return False

    @where_written
    def _round(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Any]]) -> None:
        if not self._described:
            self._described = True
            with self._writer.attempt("parameters"):
                self._writer.params(dict(_params(model)))
        with self._writer.attempt("metrics"):
            for data, metrics in evals_log.items():
                for metric, values in metrics.items():
                    self._point(f"{data}.{metric}", values[-1], epoch)

    def after_training(self, model: Any) -> Any:
        if _first_worker():
            self._end(model)
        return model

    def _point(self, name: str, value: Any, epoch: int) -> None:
        if isinstance(value, tuple):  # of cross-validation: mean and standard deviation
            value, spread = value
            self._writer.metric(f"{name}.std", spread, epoch)
        self._writer.metric(name, value, epoch)

    @where_written
    def _end(self, booster: Any) -> None:
        if hasattr(booster, "cvfolds"):
            return
        with self._writer.attempt("the best iteration"):
            found = booster.attributes()
            self._writer.metrics({name: found[name] for name in ("best_iteration", "best_score") if name in found})
        self._log_importance(lambda kind: _scores(booster, kind))
        self._log_model(booster)
        self._writer.settle()


def _first_worker() -> bool:
    return bool(xgboost.collective.get_rank() == 0)


def _config(model: Any) -> Any:
    booster = model.cvfolds[0].bst if hasattr(model, "cvfolds") else model
    return json.loads(booster.save_config())["learner"]


def _scores(booster: Any, kind: str) -> tuple[Mapping[str, Any], str]:
    kind = "weight" if _kind(booster) == "gblinear" else kind  # it has no other
    return booster.get_score(importance_type=kind), kind


def _kind(model: Any) -> str:
    return str(_config(model)["gradient_booster"]["name"])


def _params(model: Any) -> Iterator[tuple[str, Any]]:
    """Every parameter that the booster trains with, defaults too, under XGBoost's own name."""
    learner = _config(model)
    yield "eval_metric", [one["name"] for one in learner.get("metrics", ())]
    yield from learner["learner_train_param"].items()
    parts = [learner["gradient_booster"], learner.get("generic_param", {}), learner.get("objective", {})]
    while parts:
        for name, value in parts.pop(0).items():
            if isinstance(value, dict) and not name.endswith("_model_param") and name != "specified_updater":
                parts.append(value)
            elif isinstance(value, str) and name != "name" and name not in _NOT_CHOSEN:
                yield name, _text(value)


def _text(value: str) -> str:
    """A number as it was given: XGBoost keeps 0.3 in four bytes and says 0.300000012."""
    import numpy as np

    try:
        return value if value.lstrip("-").isdigit() else str(np.float32(value))
    except ValueError:
        return value
