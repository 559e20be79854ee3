"""What is saved with a model is what it takes when it is asked by others; what cannot be so is said, and the model is kept."""

from __future__ import annotations

import json
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from prefect_ledger.errors import InvalidValue, SignatureMismatch
from prefect_ledger.models.opening import open_folder
from prefect_ledger.models.saving import ModelWarning, save_model

ROWS: list[dict[str, Any]] = [{"a": 1.0, "b": "x"}, {"a": 2.0, "b": "y"}, {"a": 3.0, "b": "x", "c": 1.0}]


@pytest.mark.filterwarnings("error::prefect_ledger.models.saving.ModelWarning")
def test_a_pipeline_of_mappings_is_asked_with_mappings(tmp_path: Path) -> None:
    """Rows, a frame, columns by name or one row: all become mappings, of which optional ones lack what a frame has as missing."""
    model = make_pipeline(DictVectorizer(), LogisticRegression()).fit(ROWS, [0, 1, 0])
    save_model(model, tmp_path / "m", input_example=ROWS, requirements=[])
    asked = open_folder(tmp_path / "m", trusted=True).predictor()
    wanted = model.predict(ROWS).tolist()
    for data in (ROWS, pd.DataFrame(ROWS), pd.DataFrame(ROWS).to_dict("list")):
        assert asked.predict(data).tolist() == asked.predict(data, json=True).tolist() == wanted
    assert asked.predict({"a": 1, "b": "x"}).tolist() == wanted[:1]
    with pytest.raises(SignatureMismatch, match="lacks the column 'b'"):
        asked.predict([{"a": 1.0}])


def test_a_model_that_insists_on_categories_is_noted(tmp_path: Path) -> None:
    """A column of one category, which LightGBM's file does not name: data from a file would be refused, a frame is not."""
    frame = pd.DataFrame({"a": np.arange(20.0), "c": pd.Categorical(["u"] * 20)})
    model = lightgbm.LGBMClassifier(n_estimators=2, verbosity=-1, min_child_samples=1, n_jobs=1).fit(frame, [0, 1] * 10)
    with pytest.warns(ModelWarning, match="does not take its input example as that comes from a file.*ValueError"):
        save_model(model, tmp_path / "m", input_example=frame.head(2), requirements=[])
    asked = open_folder(tmp_path / "m", trusted=True).predictor()
    np.testing.assert_array_equal(asked.predict(frame), model.predict(frame))


def _trained(kind: str, frame: pd.DataFrame, wanted: Any) -> Any:
    if kind == "booster":
        return xgboost.train({"nthread": 1}, xgboost.DMatrix(frame, wanted, enable_categorical=True), 30)
    return xgboost.XGBRegressor(n_estimators=30, n_jobs=1, enable_categorical=True).fit(frame, wanted)


@pytest.mark.parametrize("kind", ["booster", "estimator"])
@pytest.mark.filterwarnings("error::prefect_ledger.models.saving.ModelWarning")
def test_xgboost_finds_the_categories_of_its_training_again(kind: str, tmp_path: Path) -> None:
    """In texts and numbers of a file or a request, a few of them, and in categories in another order; by value, never by position.

    XGBoost's boosters take plain numbers for codes, and it answers to "northern" as to "south": here what is unknown is refused.
    """
    places, sizes = np.array(["north", "south", "east", "west"] * 25), np.array([3, 2, 1, 0] * 10 + [0, 2, 1, 3] * 15)
    frame = pd.DataFrame({"place": pd.Categorical(places), "size": pd.Categorical(sizes, [3, 2, 1, 0]), "x": np.linspace(0, 1, 100)})
    wanted = pd.Series(places).map({"north": 0.0, "south": 100.0, "east": 200.0, "west": 300.0}).to_numpy() + 10.0 * sizes
    save_model(_trained(kind, frame, wanted), tmp_path / "m", input_example=frame.head(2), requirements=[])
    asked = open_folder(tmp_path / "m").predictor()
    plain = pd.DataFrame({"place": places, "size": sizes, "x": frame["x"]})
    other = frame.assign(place=pd.Categorical(places, ["west", "up", "south", "north", "east"]), size=pd.Categorical(sizes))
    for data in (frame, plain, plain.tail(3), plain.head(1), other, plain.to_dict("records")):
        np.testing.assert_allclose(asked.predict(data), wanted[-len(data) :] if len(data) == 3 else wanted[: len(data)], atol=1)
    np.testing.assert_allclose(asked.predict(plain.to_dict("list"), json=True), wanted, atol=1)
    assert np.isfinite(asked.predict(plain.head(1).assign(place=None))).all()
    np.testing.assert_allclose(asked.predict(plain.astype({"size": "int32"})), wanted, atol=1)
    for name, odd in (("place", "up"), ("place", "northern"), ("size", 7), ("size", -1)):
        with pytest.raises(SignatureMismatch, match=rf"column '{name}' has .*{odd}.*none of the 4 categories"):
            asked.predict(plain.head(2).assign(**{name: odd}))


@pytest.mark.parametrize("kind", ["booster", "estimator"])
@pytest.mark.filterwarnings("error::prefect_ledger.models.saving.ModelWarning")
def test_lightgbm_finds_the_categories_of_its_training_again(kind: str, tmp_path: Path) -> None:
    """In texts and numbers of a file or a request, by value; what it was not fitted to is missing, as LightGBM has it."""
    places, sizes = np.array(["north", "south", "east", "west"] * 25), np.array([3, 2, 1, 0] * 10 + [0, 2, 1, 3] * 15)
    frame = pd.DataFrame({"x": np.linspace(0, 1, 100), "place": pd.Categorical(places), "size": pd.Categorical(sizes, [3, 2, 1, 0])})
    wanted = pd.Series(places).map({"north": 0.0, "south": 100.0, "east": 200.0, "west": 300.0}).to_numpy() + 10.0 * sizes
    words: dict[str, Any] = {
        "min_data_in_leaf": 1,
        "min_data_per_group": 1,
        "cat_smooth": 0.0,
        "verbose": -1,
        "num_threads": 1,
        "learning_rate": 0.5,
    }
    if kind == "booster":
        model = lightgbm.train(words, lightgbm.Dataset(frame, wanted), 30)
    else:
        model = lightgbm.LGBMRegressor(n_estimators=30, **words).fit(frame, wanted)
    save_model(model, tmp_path / "m", input_example=frame.head(2), requirements=[])
    asked = open_folder(tmp_path / "m").predictor()
    plain = pd.DataFrame({"x": frame["x"], "place": places, "size": sizes})
    expected = model.predict(frame)
    np.testing.assert_allclose(expected, wanted, atol=15)  # it learned which is which
    other = frame.assign(place=pd.Categorical(places, ["west", "up", "south", "north", "east"]), size=pd.Categorical(sizes))
    for data in (frame, plain, plain.head(3), other, plain.to_dict("records"), plain.astype({"size": "int32"})):
        np.testing.assert_allclose(asked.predict(data), expected[: len(data)])
    np.testing.assert_allclose(asked.predict(plain.to_dict("list"), json=True), expected)
    unknown, missing = (asked.predict(plain.head(2).assign(place=value)) for value in ("northern", None))
    np.testing.assert_allclose(unknown, missing)


async def _later(data: Any) -> Any:
    return data


class _Later:
    async def predict(self, data: Any) -> Any:
        return data


class _Called:
    async def __call__(self, data: Any) -> Any:
        return data


@pytest.mark.parametrize("model", [_later, _Later(), _Called()])
def test_what_nobody_would_await_is_refused(model: Any, tmp_path: Path) -> None:
    """An async function, method or object, before it is asked."""
    with pytest.raises(InvalidValue, match="is async"):
        save_model(model, tmp_path / "m", input_example=[1.0])


def test_what_is_missing_is_null_and_what_no_json_says_is_a_note(tmp_path: Path) -> None:
    """In an example that is a frame; the model and its signature are kept either way."""
    frame = pd.DataFrame(
        {"i": pd.array([1, None], "Int64"), "t": pd.to_datetime(pd.Series(["2020-01-01", None])), "s": pd.array(["a", None], "string")}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", ModelWarning)
        save_model(lambda data: data["i"], tmp_path / "m", input_example=frame, requirements=[])
    kept = json.loads((tmp_path / "m" / "input_example.json").read_text())
    assert kept["data"][1] == [None, None, None]
    for name, odd in (("decimal", Decimal("1.5")), ("period", pd.Period("2020-01"))):
        with pytest.warns(ModelWarning, match=f"its input example is not kept: .*{type(odd).__name__}"):
            save_model(lambda data: data["a"], tmp_path / name, input_example=pd.DataFrame({"a": [odd]}), requirements=[])
        assert not (tmp_path / name / "input_example.json").exists()
        assert open_folder(tmp_path / name, trusted=True).file.signature is not None
