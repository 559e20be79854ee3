"""Keras: models of its plain layers come back without running code; what else a file of Keras's may hold needs somebody's word."""

from __future__ import annotations

import importlib.util
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from prefect_ledger.errors import ArtifactCorrupt, InvalidValue, UntrustedModel
from prefect_ledger.models import digests
from prefect_ledger.models.opening import open_folder
from prefect_ledger.models.saving import ModelWarning, save_model

if importlib.util.find_spec("keras") is None:
    pytest.skip("Keras is in none of our locks: make test-torch", allow_module_level=True)

os.environ["KERAS_BACKEND"] = "torch"
import keras

from tests.interop.conftest import mlflow, mlflow_python  # noqa: F401  # fixtures
from tests.interop.mlflow_side import MLflow

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning:keras", "ignore:.*NumPy:UserWarning")
ROWS = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
IMAGES = np.random.default_rng(1).normal(size=(2, 6, 6, 3)).astype("float32")


def _sequential() -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(4, "relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(2),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    return model


def _functional() -> Any:
    start = keras.Input((6, 6, 3))
    seen = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3, padding="same")(start))
    return keras.Model(start, keras.layers.Dense(3, "softmax")(seen * 2))


MODELS: dict[str, tuple[Callable[[], Any], Any]] = {"sequential": (_sequential, ROWS), "functional": (_functional, IMAGES)}


@pytest.mark.parametrize("name", MODELS)
def test_plain_layers_come_back_without_running_code(name: str, tmp_path: Path) -> None:
    """With the same predictions; nobody has to answer for them."""
    make, data = MODELS[name]
    model = make()
    saved = save_model(model, tmp_path / "m", input_example=data)
    assert saved.flavors["keras"]["keras_backend"] == "torch"
    assert {"keras", "torch"} <= {line.partition("==")[0] for line in (tmp_path / "m" / "requirements.txt").read_text().split()}
    opened = open_folder(tmp_path / "m")
    assert type(opened.model) is type(model)
    np.testing.assert_allclose(opened.predictor().predict(data), model.predict(data, verbose=0), rtol=1e-6)


def test_a_frame_is_answered_with_a_frame(tmp_path: Path) -> None:
    """With its index, as by MLflow."""
    save_model(model := _sequential(), tmp_path / "m", requirements=[])
    answer = open_folder(tmp_path / "m").predictor().predict(pd.DataFrame(ROWS, index=range(10, 16)))
    assert list(answer.index) == list(range(10, 16))
    np.testing.assert_allclose(answer, model.predict(ROWS, verbose=0), rtol=1e-6)


def test_what_is_not_plain_needs_somebodys_word(tmp_path: Path) -> None:
    """A layer with code in it."""
    model = keras.Sequential([keras.Input((8,)), keras.layers.Lambda(lambda rows: rows * 2), keras.layers.Dense(1)])
    with pytest.warns(ModelWarning, match=r"it holds .*Lambda, which is not one of Keras's plain layers: opening it runs code"):
        save_model(model, tmp_path / "m", requirements=[])
    with pytest.raises(UntrustedModel, match=r"what is not Keras's plain layers \(.*keras\.layers\.Lambda\)"):
        open_folder(tmp_path / "m")
    opened = open_folder(tmp_path / "m", trusted=True)
    np.testing.assert_allclose(opened.predictor().predict(ROWS), model.predict(ROWS, verbose=0), rtol=1e-6)


def _repacked(file: Path, change: Callable[[dict[str, bytes]], Any]) -> None:
    with zipfile.ZipFile(file) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    change(parts)
    with zipfile.ZipFile(file, "w") as packed:
        for name, data in parts.items():
            packed.writestr(name, data)


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "os", "class_name": "system", "config": "true", "registered_name": None},
        {"module": "keras.utils", "class_name": "get_file", "config": {}, "registered_name": None},
        {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {}, "registered_name": None},
        {"module": "keras", "class_name": "saving.load_model", "config": {}, "registered_name": None},
        {"module": "keras", "class_name": "config", "config": {}, "registered_name": None},
        {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"},
        {"module": "builtins", "class_name": "exec", "config": "1", "registered_name": None},
        {"module": "keras.layers", "class_name": "Dense", "config": {}, "registered_name": "ours>Dense"},
        {"class_name": "__lambda__", "config": {"value": "x"}},
        {"module": ["os"], "class_name": "Dense"},
        {"class_name": "Lambda"},
    ],
)
def test_a_forged_description_is_not_opened(layer: dict[str, Any], tmp_path: Path) -> None:
    """Whatever it names beside plain layers, wherever in it."""
    save_model(_sequential(), tmp_path / "m", requirements=[])
    file = tmp_path / "m" / "data" / "model.keras"

    def forged(parts: dict[str, bytes]) -> None:
        told = json.loads(parts["config.json"])
        told["config"]["layers"][1]["config"]["kernel_initializer"] = layer
        parts["config.json"] = json.dumps(told).encode()

    _repacked(file, forged)
    _forget(tmp_path / "m")
    with pytest.raises(UntrustedModel):
        open_folder(tmp_path / "m")


def _forget(folder: Path, **change: Any) -> None:
    """Take the digests out of the MLmodel file, as in one of MLflow's."""
    told = yaml.safe_load((folder / "MLmodel").read_text())
    told["flavors"]["keras"].update(change)
    told.pop(digests.KEY, None)
    (folder / "MLmodel").write_text(yaml.safe_dump(told))


def test_damage_is_named(tmp_path: Path) -> None:
    """By the digest; and a file that is cut, packs more, or is in TensorFlow's format."""
    save_model(_sequential(), tmp_path / "m", requirements=[])
    file = tmp_path / "m" / "data" / "model.keras"
    good = file.read_bytes()
    file.write_bytes(good + b"\0")
    with pytest.raises(ArtifactCorrupt, match=r"model\.keras"):
        open_folder(tmp_path / "m")
    _forget(tmp_path / "m")
    for data in (b"", good[:100], good[:-1]):
        file.write_bytes(data)
        with pytest.raises(InvalidValue, match=r"model\.keras does not open as a Keras model"):
            open_folder(tmp_path / "m", trusted=True)
    file.write_bytes(good)
    _repacked(file, lambda parts: parts.update({"assets/x": b""}))
    with pytest.raises(UntrustedModel, match="the file 'assets/x'"):
        open_folder(tmp_path / "m")
    _forget(tmp_path / "m", save_exported_model=True)
    with pytest.raises(InvalidValue, match="TensorFlow's format"):
        open_folder(tmp_path / "m", trusted=True)


CODE = """
import os, sys
os.environ["KERAS_BACKEND"] = "torch"
sys.path.append(sys.argv[1])
import numpy as np, keras, mlflow, mlflow.keras
from mlflow.models import infer_signature
rows = np.load("rows.npy")
answer = [mlflow.pyfunc.load_model("ours").predict(rows).tolist(), type(mlflow.keras.load_model("ours")).__name__]
model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3, "tanh")])
said = model.predict(rows, verbose=0)
mlflow.keras.save_model(model, "theirs", signature=infer_signature(rows, said), pip_requirements=[])
answer.append(said.tolist())
"""


def test_mlflow_and_we_open_each_others(mlflow: MLflow, tmp_path: Path) -> None:  # noqa: F811  # the fixture
    """MLflow, lent our Keras, answers the same as we do; and its model opens here, without anybody's word."""
    np.save(tmp_path / "rows.npy", ROWS)
    model = _sequential()
    save_model(model, tmp_path / "ours", input_example=ROWS, requirements=[])
    said, kind, theirs = mlflow.ask(tmp_path, CODE, str(Path(keras.__file__).parent.parent))
    assert kind == "Sequential"
    np.testing.assert_allclose(said, model.predict(ROWS, verbose=0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(open_folder(tmp_path / "theirs").predictor().predict(ROWS), theirs, rtol=1e-5, atol=1e-7)
