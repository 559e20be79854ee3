"""Fitted estimators of scikit-learn: what is logged is what scikit-learn itself says, and what is wrong is told at once."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn import metrics
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from prefect_ledger import get_run, load_model, search_runs, start_run
from prefect_ledger.autolog import log_cross_validation, log_search, log_sklearn
from prefect_ledger.entities import Run
from prefect_ledger.errors import InvalidName, InvalidValue, NoActiveRun
from prefect_ledger.tracking.ledger import Ledger, LedgerWarning

Split = tuple[Any, Any, Any, Any]


@pytest.fixture(scope="module")
def cancer() -> Split:
    data, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return tuple(train_test_split(data, y, random_state=0))


@pytest.fixture(scope="module")
def fitted(cancer: Split) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.5)).fit(cancer[0], cancer[2])


def last(run: Run, key: str) -> float:
    return run.metrics[key]


def test_a_classifier_is_logged_with_what_scikit_learn_says_of_it(fresh_ledger: Ledger, fitted: Any, cancer: Split) -> None:
    """Metrics of both parts of the data, parameters under their own names, figures, and a model with the data's signature."""
    data, held, y, y_test = cancer
    with start_run(experiment="sk") as run:
        logged = log_sklearn(fitted, data, y, held, y_test, name="cancer")
    shown = get_run(run.id)
    sure, said = fitted.predict_proba(held), fitted.predict(held)
    expected = {
        "accuracy": metrics.accuracy_score(y_test, said),
        "balanced_accuracy": metrics.balanced_accuracy_score(y_test, said),
        "f1": metrics.f1_score(y_test, said),
        "precision": metrics.precision_score(y_test, said),
        "recall": metrics.recall_score(y_test, said),
        "log_loss": metrics.log_loss(y_test, sure),
        "roc_auc": metrics.roc_auc_score(y_test, sure[:, 1]),
        "average_precision": metrics.average_precision_score(y_test, sure[:, 1]),
    }
    assert {f"test.{name}" for name in expected} | {f"train.{name}" for name in expected} == set(shown.metrics)
    assert {name: last(shown, f"test.{name}") for name in expected} == pytest.approx(expected)
    assert last(shown, "train.accuracy") == fitted.score(data, y)
    some = {"estimator": "Pipeline", "logisticregression": "LogisticRegression", "logisticregression__C": "0.5", "memory": "None"}
    assert some.items() <= shown.params.items()
    assert shown.params["steps"] == "['standardscaler', 'logisticregression']"
    assert {"plots/test.confusion_matrix.png", "plots/test.roc.png", "plots/test.precision_recall.png"} <= {
        one.path for one in shown.artifacts
    }
    assert logged is not None
    assert [one["name"] for one in json.loads(logged.details["signature"]["inputs"])] == list(data.columns)
    np.testing.assert_array_equal(load_model(f"runs:/{run.id}/cancer").predict(held), said)


def test_several_classes_and_decisions_without_probabilities(fresh_ledger: Ledger) -> None:
    """Text labels of three classes have means over the classes; decisions alone have no log loss."""
    data, y = load_iris(return_X_y=True)
    names = np.array(["one", "two", "three"])[y]
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(data, names)
    two = y < 2
    ridge = RidgeClassifier().fit(data[two], names[two])
    with start_run(experiment="sk") as run:
        log_sklearn(tree, data, names)
        log_sklearn(ridge, data[two], names[two], prefix="ridge.", name=None)
    shown = get_run(run.id)
    assert last(shown, "train.f1_macro") == pytest.approx(metrics.f1_score(names, tree.predict(data), average="macro"))
    area = metrics.roc_auc_score(names, tree.predict_proba(data), multi_class="ovr")
    assert last(shown, "train.roc_auc_ovr") == pytest.approx(area)
    assert last(shown, "ridge.train.roc_auc") == 1.0
    assert "ridge.train.log_loss" not in shown.metrics
    assert (shown.params["estimator"], shown.params["ridge.estimator"]) == ("DecisionTreeClassifier", "RidgeClassifier")
    assert "plots/ridge.train.roc.png" in {one.path for one in shown.artifacts}
    assert [one.name for one in shown.models] == ["model"]


def test_frames_of_one_column_and_estimators_of_others(fresh_ledger: Ledger) -> None:
    """Labels as pandas keeps them, nullable and in a frame; XGBoost's and LightGBM's estimators as models of their own flavors."""
    data, y = load_iris(return_X_y=True, as_frame=True)
    frame = y.astype("Int64").to_frame()
    boosted = xgboost.XGBClassifier(n_estimators=2, n_jobs=1).fit(data, y)
    light = lightgbm.LGBMRegressor(n_estimators=2, n_jobs=1, verbosity=-1).fit(data, y)
    with start_run(experiment="sk") as run:
        first = log_sklearn(boosted, data, frame, plots=False)
        second = log_sklearn(light, data, frame["target"], prefix="light.", plots=False)
    shown = get_run(run.id)
    assert last(shown, "train.accuracy") == boosted.score(data, y)
    assert last(shown, "light.train.r2") == pytest.approx(light.score(data, y))
    assert first is not None
    assert second is not None
    assert (first.flavor, second.flavor) == ("xgboost", "lightgbm")


def test_regression_and_clustering_have_metrics_of_their_own(fresh_ledger: Ledger) -> None:
    """Errors and R2 of a regressor; the silhouette of clusters, noise left out, also behind a scaler."""
    data, y = load_diabetes(return_X_y=True)
    ridge = Ridge().fit(data[:300], y[:300])
    blobs = np.concatenate([np.random.default_rng(0).normal(place, 0.1, (30, 2)) for place in (0, 3)] + [[[50.0, 50.0]]])
    clusters = make_pipeline(StandardScaler(), KMeans(2, n_init=1, random_state=0)).fit(blobs)
    noisy = DBSCAN(eps=0.5).fit(blobs)
    with start_run(experiment="sk") as run:
        log_sklearn(ridge, data[:300], y[:300], data[300:], y[300:])
        log_sklearn(clusters, blobs, name=None, prefix="k.")
        log_sklearn(noisy, blobs, name=None, prefix="d.")
    shown = get_run(run.id)
    said = ridge.predict(data[300:])
    assert last(shown, "test.rmse") == pytest.approx(metrics.root_mean_squared_error(y[300:], said))
    assert last(shown, "test.mae") == pytest.approx(metrics.mean_absolute_error(y[300:], said))
    assert last(shown, "test.r2") == pytest.approx(ridge.score(data[300:], y[300:]))
    assert "plots/test.residuals.png" in {one.path for one in shown.artifacts}
    scaled = clusters[0].transform(blobs)
    assert last(shown, "k.train.silhouette") == pytest.approx(metrics.silhouette_score(scaled, clusters[-1].labels_))
    inside = noisy.labels_ != -1
    assert last(shown, "d.train.n_clusters") == 2
    assert last(shown, "d.train.silhouette") == pytest.approx(metrics.silhouette_score(blobs[inside], noisy.labels_[inside]))


def test_a_search_is_a_table_series_and_children(fresh_ledger: Ledger, cancer: Split) -> None:
    """Each candidate is a row, a step and, asked for, a run that can be searched; the best is said and its estimator logged."""
    data, held, y, _ = cancer
    grid = {"max_depth": [1, 3], "class_weight": [None, {0: 2, 1: 1}]}
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), grid, cv=3, return_train_score=True).fit(data, y)
    with start_run(experiment="sk") as run:
        log_sklearn(search, data, y, name="tree", children=True, plots=False)
    shown, found = get_run(run.id), search.cv_results_
    np.testing.assert_array_equal(shown.metric("search.mean_test_score").values, found["mean_test_score"])
    assert last(shown, "search.best_score") == search.best_score_
    folds = [found[f"split{fold}_test_score"][search.best_index_] for fold in range(3)]
    np.testing.assert_array_equal(shown.metric("search.best.test_score").values, folds)
    assert shown.params["search.best.max_depth"] == str(search.best_params_["max_depth"])
    assert shown.params["max_depth"] == str(search.best_params_["max_depth"])
    rows = list(csv.DictReader(shown.read_artifact("search/candidates.csv").decode().splitlines()))
    assert [float(row["mean_test_score"]) for row in rows] == list(found["mean_test_score"])
    assert [row["param_max_depth"] for row in rows] == [str(one["max_depth"]) for one in found["params"]]
    found_runs = search_runs("sk", order_by=["metrics.mean_test_score desc"], filter="params.max_depth = 3")
    children = [one for one in found_runs if one.parent_id == run.id]
    assert len(children) == 2
    assert children[0].metrics["mean_test_score"] == search.best_score_
    np.testing.assert_array_equal(load_model(f"runs:/{run.id}/tree").predict(held), search.predict(held))


def test_searches_that_decide_nothing_are_logged_without_a_best(fresh_ledger: Ledger) -> None:
    """Several scores and no refit: candidates, and no model."""
    data, y = load_iris(return_X_y=True)
    search = GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2, refit=False, scoring=["accuracy", "f1_macro"]).fit(data, y)
    with start_run(experiment="sk") as run:
        assert log_sklearn(search, data, y) is None
        log_search(search, prefix="again.")
    shown = get_run(run.id)
    np.testing.assert_array_equal(shown.metric("search.mean_test_f1_macro").values, search.cv_results_["mean_test_f1_macro"])
    assert "search.best_score" not in shown.metrics
    assert "search/again.candidates.csv" in {one.path for one in shown.artifacts}


def test_cross_validation_is_folds_mean_and_spread(fresh_ledger: Ledger) -> None:
    """What cross_validate gave, with the folds as steps; estimators that came with it are no numbers; an array of scores too."""
    data, y = load_iris(return_X_y=True)
    given = cross_validate(DecisionTreeClassifier(random_state=0), data, y, cv=4, return_estimator=True, scoring=["accuracy"])
    alone = cross_val_score(DecisionTreeClassifier(random_state=0), data, y, cv=4)
    with start_run(experiment="sk") as run:
        log_cross_validation(given)
        log_cross_validation(alone, prefix="alone.")
    shown = get_run(run.id)
    np.testing.assert_array_equal(shown.metric("cv.test_accuracy").values, given["test_accuracy"])
    assert last(shown, "cv.test_accuracy.mean") == given["test_accuracy"].mean()
    assert last(shown, "cv.test_accuracy.std") == given["test_accuracy"].std()
    np.testing.assert_array_equal(shown.metric("alone.test_score").values, alone)


def test_wrong_arguments_are_told_at_once(fresh_ledger: Ledger, fitted: Any, cancer: Split) -> None:
    """Before anything is logged, by a message that names them."""
    data, held, y, y_test = cancer
    with pytest.raises(NoActiveRun):
        log_sklearn(fitted, data, y)
    with start_run(experiment="sk") as run:
        cases: list[tuple[Callable[[], object], str]] = [
            (lambda: log_sklearn(Ridge(), data, y), "not fitted"),
            (lambda: log_sklearn(Ridge, data, y), "fitted estimator"),
            (lambda: log_sklearn("ridge", data, y), "fitted estimator"),
            (lambda: log_sklearn(fitted, data, y[:5]), "y has 5"),
            (lambda: log_sklearn(fitted, data, y, held), "without y_test"),
            (lambda: log_sklearn(fitted, data, y, y_test=y_test), "without X_test"),
            (lambda: log_sklearn(fitted, data, y, register="churn", name=None), "without a model"),
            (lambda: log_sklearn(fitted, data, y, run=run.id), "handle"),  # type: ignore[arg-type]
            (lambda: log_search(fitted), "search"),
            (lambda: log_cross_validation({"test_score": ["a"]}), "no numbers"),
        ]
        for wrong, said in cases:
            with pytest.raises(InvalidValue, match=said):
                wrong()
        with pytest.raises(InvalidName):
            log_sklearn(fitted, data, y, name="a/b")
        with pytest.raises(InvalidName):
            log_sklearn(fitted, data, y, prefix="é|")
    shown = get_run(run.id)
    assert (shown.metrics, shown.params) == ({}, {})


class Moody(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose probabilities cannot be had."""

    def fit(self, data: Any, y: Any) -> Moody:
        self.classes_ = np.unique(y)
        return self

    def predict(self, data: Any) -> Any:
        return np.zeros(len(data), int)

    def predict_proba(self, data: Any) -> Any:
        raise RuntimeError("not today")


def test_trouble_is_one_warning_and_the_rest_is_logged(fresh_ledger: Ledger, fitted: Any, cancer: Split) -> None:
    """An estimator that raises, and a parameter that the run knows otherwise; never an exception, also where warnings are errors."""
    data, _, y, _ = cancer
    with start_run(experiment="sk") as run:
        with pytest.warns(LedgerWarning, match="not today") as told:
            log_sklearn(Moody().fit(data, y), data, y, name=None)
        assert len(told) == 1
        with pytest.warns(LedgerWarning, match="estimator"):
            log_sklearn(fitted, data, y, name=None, plots=False)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            log_sklearn(fitted, data, y, name=None, plots=False)
    shown = get_run(run.id)
    assert shown.params["estimator"] == "Moody"
    assert last(shown, "train.accuracy") == fitted.score(data, y)
