"""Flavors: each saves its models so that they come back the same, and in a form that runs no code where there is one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.datasets import load_wine
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from prefect_ledger.errors import InvalidValue, UntrustedModel
from prefect_ledger.models import flavors, model_file
from prefect_ledger.models.opening import open_folder
from prefect_ledger.models.saving import ModelWarning, save_model

X, Y = load_wine(return_X_y=True)
SCIKIT_LEARN: list[Any] = [
    LogisticRegression(max_iter=20),
    RandomForestClassifier(5),
    GradientBoostingClassifier(n_estimators=3),
    HistGradientBoostingClassifier(max_iter=3),
    KNeighborsClassifier(),
    SVC(),
    MLPClassifier(max_iter=5),
    make_pipeline(StandardScaler(), LogisticRegression()),
]


def _xgboost_booster() -> Any:
    return xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, Y), 3)


def _lightgbm_booster() -> Any:
    return lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(X, Y), 3)


BOOSTED: dict[str, tuple[str, Callable[[], Any]]] = {
    "XGBClassifier": ("xgboost", lambda: xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(X, Y)),
    "XGBRegressor": ("xgboost", lambda: xgboost.XGBRegressor(n_estimators=3, n_jobs=1).fit(X, Y)),
    "xgboost.Booster": ("xgboost", _xgboost_booster),
    "LGBMClassifier": ("lightgbm", lambda: lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(X, Y)),
    "LGBMRegressor": ("lightgbm", lambda: lightgbm.LGBMRegressor(n_estimators=3, verbose=-1, n_jobs=1).fit(X, Y)),
    "lightgbm.Booster": ("lightgbm", _lightgbm_booster),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("model", SCIKIT_LEARN, ids=lambda one: type(one).__name__)
def test_estimators_of_scikit_learn_come_back_without_running_code(model: Any, tmp_path: Path) -> None:
    """By skops, from a folder that nobody answers for, with the same predictions."""
    model.fit(X, Y)
    saved = save_model(model, tmp_path / "m")
    assert saved.flavors["sklearn"]["serialization_format"] == "skops"
    opened = open_folder(tmp_path / "m")
    np.testing.assert_array_equal(opened.model.predict(X), model.predict(X))
    np.testing.assert_array_equal(opened.predictor().predict(X), model.predict(X))


@pytest.mark.parametrize("kind", BOOSTED)
def test_boosted_trees_come_back_without_running_code(kind: str, tmp_path: Path) -> None:
    """Boosters and estimators, in their framework's own format or by skops."""
    name, make = BOOSTED[kind]
    model = make()
    saved = save_model(model, tmp_path / "m")
    assert sorted(saved.flavors) == sorted([name, "python_function"])
    opened = open_folder(tmp_path / "m")
    assert type(opened.model) is type(model)
    data = xgboost.DMatrix(X) if kind == "xgboost.Booster" else X
    np.testing.assert_array_equal(opened.predictor().predict(X), model.predict(data))


def test_a_pickle_is_written_when_it_is_asked_for(tmp_path: Path) -> None:
    """And is then opened only on somebody's word."""
    model = LogisticRegression(max_iter=5000).fit(X, Y)
    save_model(model, tmp_path / "m", flavor="sklearn:cloudpickle")
    with pytest.raises(UntrustedModel, match=r"a pickle \(model\.pkl\)"):
        open_folder(tmp_path / "m")
    np.testing.assert_array_equal(open_folder(tmp_path / "m", trusted=True).model.predict(X), model.predict(X))


def _shifted(data: Any) -> Any:
    return data + 1


def test_what_skops_cannot_promise_is_pickled_and_said(tmp_path: Path) -> None:
    """A pipeline with a function of the user's; asked for by name it is refused."""
    model = make_pipeline(FunctionTransformer(_shifted), LogisticRegression(max_iter=5000)).fit(X, Y)
    with pytest.warns(ModelWarning, match=r"it holds .*_shifted, which is not scikit-learn's, so it is pickled: opening it runs code"):
        saved = save_model(model, tmp_path / "m")
    assert saved.flavors["sklearn"]["serialization_format"] == "cloudpickle"
    assert not (tmp_path / "m" / "model.skops").exists()
    np.testing.assert_array_equal(open_folder(tmp_path / "m", trusted=True).model.predict(X), model.predict(X))
    with pytest.raises(InvalidValue, match="cannot be saved by skops"):
        save_model(model, tmp_path / "other", flavor="sklearn:skops")
    assert not (tmp_path / "other").exists()


def test_types_that_a_file_asks_to_trust_need_somebodys_word(tmp_path: Path) -> None:
    """What an MLmodel file lists is what its maker wants to be trusted, not a reason to."""
    save_model(LogisticRegression(max_iter=5000).fit(X, Y), tmp_path / "m")
    file = tmp_path / "m" / "MLmodel"
    text = file.read_text()
    assert "skops_trusted_types: null" in text
    file.write_text(text.replace("skops_trusted_types: null", "skops_trusted_types: [os.system]"))
    with pytest.raises(UntrustedModel, match=r"types that are not scikit-learn's \(os\.system\)"):
        open_folder(tmp_path / "m")


@pytest.mark.parametrize(
    ("model", "params", "expected"),
    [
        (lambda data: [x + 1 for x in data], None, [2, 3]),
        (lambda data, params: [x + params["by"] for x in data], {"by": 5}, [6, 7]),
        (lambda data, by=1: [x + by for x in data], {"by": 5, "other": 1}, [6, 7]),
        (lambda data, **params: [x + params["by"] for x in data], {"by": 5}, [6, 7]),
        (lambda context, model_input: list(model_input), None, [1, 2]),
    ],
)
def test_a_function_is_given_what_it_has_names_for(model: Any, params: Any, expected: Any, tmp_path: Path) -> None:
    """Data, and parameters as a mapping or by name; what it has no name for is left out."""
    save_model(model, tmp_path / "m")
    assert open_folder(tmp_path / "m", trusted=True).predictor().predict([1, 2], params) == expected


@pytest.mark.parametrize(
    ("model", "message"),
    [(dict, "dict is a class: give an object"), (Lock(), "a lock cannot be pickled"), (None, "None is no model")],
)
def test_what_cannot_be_a_model_is_refused(model: Any, message: str, tmp_path: Path) -> None:
    """And leaves no folder."""
    with pytest.raises(InvalidValue, match=message):
        save_model(model, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_weights_are_kept_though_they_cannot_be_asked(tmp_path: Path) -> None:
    """What has no predict and is no function comes back as it was; a predictor of it is refused by name."""
    save_model({"w": [1.0, 2.0]}, tmp_path / "m")
    opened = open_folder(tmp_path / "m", trusted=True)
    assert opened.model == {"w": [1.0, 2.0]}
    with pytest.raises(InvalidValue, match="a dict can be loaded but not asked"):
        opened.predictor()


def test_a_flavor_is_told_by_the_type_and_imports_nothing() -> None:
    """Choosing for a plain object does not import a framework that is not loaded."""
    assert flavors.choose(LogisticRegression()).name == "sklearn"
    assert flavors.choose(xgboost.XGBClassifier()).name == "xgboost"
    assert flavors.choose(lambda data: data).name == "python_function"
    assert "torch" not in sys.modules


@pytest.mark.parametrize("asked", ["", "tensorfoo", "sklearn:json", "sklearn:skops:x", "xgboost", 3])
def test_a_flavor_that_is_not_there_is_refused(asked: Any, tmp_path: Path) -> None:
    """By name, with those there are; and one that is another framework's."""
    with pytest.raises(InvalidValue):
        save_model(KNeighborsClassifier().fit(X, Y), tmp_path / "m", flavor=asked)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        "flavors: 3",
        "flavors: {a: 1}",
        "a: [",
        "flavors: {}",
        "x" * 100,
        "\0",
        "flavors: {sklearn: {pickled_model: ../../etc/passwd, serialization_format: skops}}",
    ],
)
def test_an_mlmodel_file_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    """And a file outside of the model's folder is not opened."""
    (tmp_path / model_file.NAME).write_text(text)
    with pytest.raises(InvalidValue):
        open_folder(tmp_path, trusted=True)
