"""XGBoost's and LightGBM's callbacks: the training is the same with them, and what is logged is what the framework reports."""

from __future__ import annotations

import contextlib
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV

from prefect_ledger import get_run, load_model, start_run
from prefect_ledger.autolog import CatBoostCallback, LightGBMCallback, XGBoostCallback
from prefect_ledger.autolog.writer import Writer
from prefect_ledger.errors import InvalidName, InvalidValue, NoActiveRun
from prefect_ledger.tracking.ledger import Ledger, LedgerWarning

X, Y = load_breast_cancer(return_X_y=True, as_frame=True)
X.columns = [f"c{number}" for number in range(X.shape[1])]
TRAIN, TEST = slice(0, 400), slice(400, None)
XGB: dict[str, Any] = {"objective": "binary:logistic", "eta": 0.3, "max_depth": 3, "subsample": 0.5, "seed": 3, "nthread": 1}
LGB: dict[str, Any] = {"objective": "binary", "num_leaves": 7, "verbosity": -1, "num_threads": 1, "seed": 3, "bagging_fraction": 0.5}


def boost(callbacks: list[Any], **more: Any) -> tuple[xgboost.Booster, dict[str, Any]]:
    data, held = xgboost.DMatrix(X[TRAIN], Y[TRAIN]), xgboost.DMatrix(X[TEST], Y[TEST])
    told: dict[str, Any] = {}
    params = {**XGB, "eval_metric": ["error@0.7", "logloss"]}
    booster = xgboost.train(
        params, data, 40, evals=[(data, "train"), (held, "held")], evals_result=told, verbose_eval=False, callbacks=callbacks, **more
    )
    return booster, told


def light(callbacks: list[Any], rounds: int = 40, **more: Any) -> tuple[lightgbm.Booster, dict[str, Any]]:
    data = lightgbm.Dataset(X[TRAIN], Y[TRAIN])
    told: dict[str, Any] = {}
    callbacks = [*callbacks, lightgbm.record_evaluation(told), lightgbm.early_stopping(4, verbose=False)]
    booster = lightgbm.train(
        {**LGB, **more}, data, rounds, valid_sets=[data.create_valid(X[TEST], Y[TEST])], valid_names=["held"], callbacks=callbacks
    )
    return booster, told


def test_xgboost_logs_what_it_reports_and_trains_the_same(fresh_ledger: Ledger) -> None:
    """Each round of each metric, the best round, parameters as they were given, importance, and the very booster."""
    alone, told = boost([], early_stopping_rounds=3)
    with start_run(experiment="xgb") as run:
        booster, again = boost([XGBoostCallback(name="xgb", input_example=X.head(2))], early_stopping_rounds=3)
    held = xgboost.DMatrix(X[TEST])
    np.testing.assert_array_equal(alone.predict(held), booster.predict(held))
    assert (again, booster.best_iteration) == (told, alone.best_iteration)
    shown = get_run(run.id)
    for key, values in {
        "train.error_at_0.7": told["train"]["error@0.7"],
        "train.logloss": told["train"]["logloss"],
        "held.logloss": told["held"]["logloss"],
    }.items():
        series = shown.metric(key)
        np.testing.assert_array_equal(series.values, values)
        np.testing.assert_array_equal(series.steps, range(len(values)))
    assert shown.metrics["best_iteration"] == booster.best_iteration
    assert shown.metrics["best_score"] == booster.best_score
    some = {"eta": "0.3", "max_depth": "3", "subsample": "0.5", "objective": "binary:logistic", "booster": "gbtree", "lambda": "1"}
    assert some.items() <= shown.params.items()
    assert json.loads(shown.read_artifact("importance/gain.json")) == pytest.approx(booster.get_score(importance_type="gain"))
    assert "plots/importance.gain.png" in {one.path for one in shown.artifacts}
    np.testing.assert_array_equal(load_model(f"runs:/{run.id}/xgb").predict(held), booster.predict(held))
    assert shown.models[0].details["signature"]


def test_xgboost_in_cross_validation_and_in_its_estimators(fresh_ledger: Ledger) -> None:
    """Means and deviations of cv; validation sets of fit, also of copies that a search makes, and of linear boosters."""
    data = xgboost.DMatrix(X, Y)
    with start_run(experiment="xgb") as run:
        table = xgboost.cv(XGB, data, 4, nfold=3, seed=1, as_pandas=True, callbacks=[XGBoostCallback(prefix="cv.")])
        linear = XGBoostCallback(prefix="linear.", name=None, plots=False)
        xgboost.train({"booster": "gblinear", "nthread": 1}, data, 2, callbacks=[linear])
        estimator = xgboost.XGBClassifier(n_estimators=3, n_jobs=1, callbacks=[XGBoostCallback(prefix="fit.", plots=False)])
        estimator.fit(X[TRAIN], Y[TRAIN], eval_set=[(X[TEST], Y[TEST])], verbose=False)
        searched = xgboost.XGBClassifier(n_estimators=2, n_jobs=1, callbacks=[XGBoostCallback(prefix="s.", name=None, importance=None)])
        GridSearchCV(searched, {"n_estimators": [2]}, cv=2).fit(X, Y, eval_set=[(X, Y)], verbose=False)
    shown = get_run(run.id)
    np.testing.assert_array_equal(shown.metric("cv.test.logloss").values, table["test-logloss-mean"])
    np.testing.assert_array_equal(shown.metric("cv.test.logloss.std").values, table["test-logloss-std"])
    assert len(json.loads(shown.read_artifact("importance/linear.weight.json"))) == X.shape[1]
    told = estimator.evals_result()["validation_0"]["logloss"]
    np.testing.assert_array_equal(shown.metric("fit.validation_0.logloss").values, told)
    assert len(shown.metric("s.validation_0.logloss")) == 3 * 2
    assert [one.name for one in shown.models] == ["model"]


def test_lightgbm_logs_what_it_reports_and_trains_the_same(fresh_ledger: Ledger) -> None:
    """Each round up to the one that stops it, the best round, parameters, importance, and the very booster."""
    alone, told = light([])
    with start_run(experiment="lgb") as run, LightGBMCallback(name="lgb", input_example=X.head(2)) as callback:
        booster, again = light([callback])
    np.testing.assert_array_equal(alone.predict(X[TEST]), booster.predict(X[TEST]))
    assert (again, booster.best_iteration) == (told, alone.best_iteration)
    shown = get_run(run.id)
    series = shown.metric("held.binary_logloss")
    np.testing.assert_array_equal(series.values, told["held"]["binary_logloss"])
    np.testing.assert_array_equal(series.steps, range(len(series)))
    assert shown.metrics["best_iteration"] == booster.best_iteration
    assert shown.metrics["best_score.held.binary_logloss"] == booster.best_score["held"]["binary_logloss"]
    assert {"objective": "binary", "num_leaves": "7", "num_iterations": "40"}.items() <= shown.params.items()
    gains = dict(zip(booster.feature_name(), booster.feature_importance("gain"), strict=True))
    assert json.loads(shown.read_artifact("importance/gain.json")) == pytest.approx(gains)
    np.testing.assert_array_equal(load_model(f"runs:/{run.id}/lgb").predict(X[TEST]), booster.predict(X[TEST]))


def test_lightgbm_in_cross_validation_and_in_its_estimators(fresh_ledger: Ledger) -> None:
    """Means and deviations of cv; validation sets of fit; without a block the rounds alone, and that is told."""
    with start_run(experiment="lgb") as run:
        with LightGBMCallback(prefix="cv.") as callback:
            folds = lightgbm.cv(LGB, lightgbm.Dataset(X, Y), 3, nfold=3, seed=1, callbacks=[callback])
        estimator = lightgbm.LGBMClassifier(n_estimators=3, verbosity=-1, n_jobs=1)
        with pytest.warns(LedgerWarning, match="block"):
            estimator.fit(X[TRAIN], Y[TRAIN], eval_X=X[TEST], eval_y=Y[TEST], callbacks=[LightGBMCallback(prefix="fit.")])
    shown = get_run(run.id)
    np.testing.assert_array_equal(shown.metric("cv.valid.binary_logloss").values, folds["valid binary_logloss-mean"])
    np.testing.assert_array_equal(shown.metric("cv.valid.binary_logloss.std").values, folds["valid binary_logloss-stdv"])
    told = estimator.evals_result_["valid_0"]["binary_logloss"]
    np.testing.assert_array_equal(shown.metric("fit.valid_0.binary_logloss").values, told)
    assert shown.models == []


def test_each_training_of_one_lightgbm_block_has_its_model(fresh_ledger: Ledger) -> None:
    """The first is not lost when a second begins; one that raises leaves none."""
    with start_run(experiment="lgb") as run:
        with LightGBMCallback(plots=False) as callback:
            first, _ = light([callback], rounds=2)
            second, _ = light([callback], rounds=2, seed=4)
        with contextlib.suppress(ZeroDivisionError), LightGBMCallback(prefix="no.", name="none") as callback:
            light([callback], rounds=2)
            raise ZeroDivisionError
    logged = get_run(run.id).models
    assert [one.name for one in logged] == ["model", "model"]
    for one, booster in zip(logged, (first, second), strict=True):
        np.testing.assert_array_equal(load_model(one.uri).predict(X), booster.predict(X))


def cat(iterations: int = 12) -> catboost.CatBoostClassifier:
    return catboost.CatBoostClassifier(
        iterations=iterations, depth=3, learning_rate=0.3, random_seed=3, thread_count=1, verbose=False, allow_writing_files=False
    )


def test_catboost_logs_what_it_reports_and_trains_the_same(fresh_ledger: Ledger) -> None:
    """Each round of each metric, with the callback or only its block; the best round, all parameters, importance, and the very model."""
    held = (X[TEST], Y[TEST])
    alone = cat().fit(X[TRAIN], Y[TRAIN], eval_set=held)
    for watched in (True, False):
        model = cat()
        with start_run(experiment="cat") as run, CatBoostCallback(model, name="cat", input_example=X.head(2)) as callback:
            model.fit(X[TRAIN], Y[TRAIN], eval_set=held, **({"callbacks": [callback]} if watched else {}))
        np.testing.assert_array_equal(alone.predict_proba(X[TEST]), model.predict_proba(X[TEST]))
        shown = get_run(run.id)
        for data, metrics in alone.get_evals_result().items():
            for metric, values in metrics.items():
                series = shown.metric(f"{data}.{metric}")
                np.testing.assert_array_equal(series.values, values)
                np.testing.assert_array_equal(series.steps, range(len(values)))
        assert shown.metrics["best_iteration"] == alone.best_iteration_
        assert shown.metrics["best_score.validation.Logloss"] == alone.best_score_["validation"]["Logloss"]
        assert {"depth": "3", "iterations": "12", "random_seed": "3"}.items() <= shown.params.items()
        scores = json.loads(shown.read_artifact("importance/PredictionValuesChange.json"))
        assert scores == pytest.approx(dict(zip(X.columns, alone.get_feature_importance(), strict=True)))
        np.testing.assert_array_equal(load_model(f"runs:/{run.id}/cat").predict(X[TEST]), alone.predict(X[TEST]))


def test_a_catboost_block_in_which_nothing_was_trained_logs_no_model(fresh_ledger: Ledger) -> None:
    """An error in the block, and a model that was fitted before it, are not taken for a training."""
    model = cat(2).fit(X[TRAIN], Y[TRAIN])
    with start_run(experiment="cat") as run:
        with CatBoostCallback(model):
            pass
        with contextlib.suppress(ZeroDivisionError), CatBoostCallback(model) as callback:
            model.fit(X[TRAIN], Y[TRAIN], callbacks=[callback])
            raise ZeroDivisionError
    assert get_run(run.id).models == []
    with start_run(experiment="cat"), pytest.raises(InvalidValue, match="model is what is fitted"):
        CatBoostCallback(XGB)


@pytest.mark.parametrize("kind", [XGBoostCallback, LightGBMCallback])
def test_wrong_arguments_are_told_where_the_callback_is_made(fresh_ledger: Ledger, kind: Callable[..., Any]) -> None:
    """And not after an hour of training."""
    with pytest.raises(NoActiveRun):
        kind()
    with start_run(experiment="boost"):
        with pytest.raises(InvalidName):
            kind(name="a/b")
        for wrong in ({"importance": "luck"}, {"prefix": 3}, {"run": "abc"}, {"register": 5}):
            with pytest.raises(InvalidValue):
                kind(**wrong)


def test_trouble_in_logging_ends_no_training(fresh_ledger: Ledger) -> None:
    """A run that takes no more values is told once, and the models are as they would have been."""
    run = start_run(experiment="boost")
    heavy, small = XGBoostCallback(run=run), LightGBMCallback(run=run)
    run.finish()
    with pytest.warns(LedgerWarning, match="is finished") as told:
        booster, _ = boost([heavy])
    assert len(told) == 1
    with pytest.warns(LedgerWarning, match="is finished") as told, small:
        light([small])
    assert len(told) == 1
    np.testing.assert_array_equal(boost([])[0].predict(xgboost.DMatrix(X)), booster.predict(xgboost.DMatrix(X)))


def test_a_callback_that_was_sent_finds_its_run(fresh_ledger: Ledger) -> None:
    """Copies that scikit-learn makes, and what joblib sends to its workers: a callback as bytes knows its run by the id."""
    with start_run(experiment="boost") as run:
        light([pickle.loads(pickle.dumps(LightGBMCallback(name=None)))], rounds=2)
        boost([pickle.loads(pickle.dumps(XGBoostCallback(name=None, plots=False, prefix="xgb.")))])
    shown = get_run(run.id)
    assert (len(shown.metric("held.binary_logloss")), len(shown.metric("xgb.held.logloss"))) == (2, 40)


def test_what_another_process_trained_is_there_when_it_is_done(fresh_ledger: Ledger) -> None:
    """Also when the process ends without a word, as a worker that is killed does."""
    code = "import os, pickle, sys; it = pickle.load(sys.stdin.buffer); it.metric('loss', 0.5, 3); it.settle(); os._exit(0)"
    with start_run(experiment="boost") as run:
        sent = pickle.dumps(Writer(run, "far.", "test"))
        subprocess.run([sys.executable, "-c", code], input=sent, timeout=120, check=True)
    np.testing.assert_array_equal(get_run(run.id).metric("far.loss").steps, [3])
