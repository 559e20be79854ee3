"""Which models of scikit-learn are saved so that opening them runs no code: every estimator there is, and what people build of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, SplineTransformer, StandardScaler, TargetEncoder
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import all_estimators
from skops import io

from prefect_ledger.models.flavors import skops_format
from prefect_ledger.models.flavors.sklearn import TRUSTED, ScikitLearn

X, Y = make_classification(60, 6, random_state=0)
POSITIVE, NUMBERS = np.abs(X), np.abs(X[:, 0]) + 1
FRAME = pd.DataFrame(X, columns=list("abcdef")).assign(g=["u", "v", "w"] * 20)
TEXTS = ["good day", "bad night", "so so"] * 20
_COLUMNS = ColumnTransformer([("n", StandardScaler(), list("abc")), ("c", OneHotEncoder(), ["g"])])
BUILT: list[tuple[Any, Any, Any]] = [
    *[(HistGradientBoostingRegressor(loss=loss, max_iter=2, quantile=0.5), X, NUMBERS) for loss in ("gamma", "poisson", "quantile")],
    (HistGradientBoostingClassifier(max_iter=2, categorical_features=[0]), POSITIVE.round(), Y),
    (HistGradientBoostingClassifier(max_iter=2, categorical_features="from_dtype"), FRAME.astype({"g": "category"}), Y),
    *[(GradientBoostingRegressor(loss=loss, n_estimators=2), X, NUMBERS) for loss in ("huber", "quantile")],
    *[(SGDClassifier(loss=loss), X, Y) for loss in ("hinge", "modified_huber", "log_loss")],
    *[(KNeighborsClassifier(metric=metric, algorithm="ball_tree"), X, Y) for metric in ("manhattan", "chebyshev")],
    (make_pipeline(_COLUMNS, LogisticRegression()), FRAME, Y),
    (make_pipeline(TfidfVectorizer(), LogisticRegression()), TEXTS, Y),
    (make_pipeline(SplineTransformer(), LogisticRegression()), X, Y),
    (make_pipeline(TargetEncoder(), LogisticRegression()), POSITIVE, Y),
    (make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()), POSITIVE, Y),
    (TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp), X, NUMBERS),
    (FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler())]), X, Y),
    (GridSearchCV(Ridge(), {"alpha": [0.1, 1]}, scoring=["r2", "neg_mean_squared_error"], refit="r2", cv=2), X, NUMBERS),
    (RandomizedSearchCV(RandomForestClassifier(2), {"max_depth": [2, 3]}, n_iter=2, cv=KFold(2)), X, Y),
    (StackingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier())], cv=2), X, Y),
    (VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier())]), X, Y),
    (CalibratedClassifierCV(LogisticRegression(), method="isotonic", cv=2), X, Y),
    (GaussianProcessRegressor(ConstantKernel() * RBF() + DotProduct() ** 2 + WhiteKernel()), X, NUMBERS),
]
PICKLED = {"Birch: UnsupportedTypeException: Objects of type Birch are not supported yet."}


def _fitted() -> Iterator[Any]:
    """One of each class of estimators that can be fitted to plain data, and what is built of them."""
    for model, data, target in BUILT:
        yield model.fit(data, target)
    for _, kind in all_estimators():
        for make in (kind, lambda kind=kind: kind(LogisticRegression()), lambda kind=kind: kind(Ridge())):
            try:
                model = make()
            except TypeError:
                continue
            if _fit(model):
                yield model
                break


def _fit(model: Any) -> bool:
    quick = {"n_estimators": 2, "max_iter": 5, "n_init": 1, "cv": 2, "n_jobs": None}
    known = model.get_params(deep=False)
    model.set_params(**{key: value for key, value in quick.items() if key in known and known[key] != "warn"})
    for data, target in ((X, Y), (POSITIVE, Y), (X, X[:, :2]), (X[:, 0], NUMBERS), (TEXTS, Y)):
        try:
            model.fit(data, target)
        except Exception:  # noqa: BLE001  # one that takes other data
            continue
        return True
    return False


@pytest.fixture(scope="module")
def fitted() -> list[Any]:
    """Of every class."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(_fitted())


@pytest.mark.long
def test_estimators_are_saved_so_that_opening_runs_no_code(fitted: list[Any], tmp_path: Path) -> None:
    """All but those that are named here; the types that are to be trusted are those that skops says, and all of them are reviewed."""
    assert len(fitted) > 170
    pickled = set()
    flavor = ScikitLearn()
    for model in fitted:
        found = skops_format.dump(model, tmp_path / "m.skops", TRUSTED, "sklearn", "scikit-learn")
        if isinstance(found, str):
            pickled.add(f"{type(model).__name__}: {found}")
            continue
        assert found == set(io.get_untrusted_types(file=tmp_path / "m.skops")), model
        entry = {"pickled_model": "m.skops", "serialization_format": "skops", "skops_trusted_types": sorted(found)}
        assert flavor.danger(tmp_path, entry) == ""
    assert pickled == PICKLED
