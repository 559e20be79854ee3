"""Autologging inside tracked tasks."""

from __future__ import annotations

import numpy as np
import optuna
import xgboost
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

from prefect_ledger import get_run, search_runs, tracked_flow, tracked_task
from prefect_ledger.autolog import OptunaCallback, XGBoostCallback, log_sklearn
from prefect_ledger.tracking.ledger import Ledger


def test_callbacks_and_fits_in_a_task_log_into_its_run(ledger: Ledger) -> None:
    """Metrics, parameters and models are those of the flow's run, the models of the task; trials of threads are runs below it."""
    data, labels = load_iris(return_X_y=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    @tracked_task
    def train() -> None:
        log_sklearn(DecisionTreeClassifier(max_depth=2).fit(data, labels), data, labels, name="tree", plots=False)
        matrix = xgboost.DMatrix(data, labels)
        callback = XGBoostCallback(prefix="xgb.", name="boosted", plots=False)
        xgboost.train({"nthread": 1}, matrix, 3, evals=[(matrix, "train")], verbose_eval=False, callbacks=[callback])
        with OptunaCallback() as trials:
            study = optuna.create_study()
            study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=4, n_jobs=2, callbacks=[trials])

    @tracked_flow(experiment="autologged")
    def pipeline() -> str:
        train()
        return "done"

    pipeline()
    run = get_run(next(one.id for one in search_runs("autologged") if one.parent_id is None))
    assert run.params["max_depth"] == "2"
    assert run.metrics["train.accuracy"] > 0.9
    np.testing.assert_array_equal(run.metric("xgb.train.rmse").steps, [0, 1, 2])
    assert sorted(one.name for one in run.models) == ["boosted", "tree"]
    assert all(one.task_run_id for one in run.models)
    assert sorted(one.name for one in search_runs("autologged") if one.parent_id == run.id) == [f"trial {number}" for number in range(4)]
