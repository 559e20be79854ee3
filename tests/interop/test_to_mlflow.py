"""Models saved here, opened, asked and served by MLflow."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import lightgbm
import numpy as np
import onnx
import pandas as pd
import pytest
import statsmodels.formula.api  # type: ignore[import-untyped]
import xgboost
from skl2onnx import to_onnx  # type: ignore[import-untyped]
from sklearn.datasets import load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from prefect_ledger import load_model, load_predictor
from prefect_ledger.models import examples, model_file
from prefect_ledger.models.saving import ModelWarning, save_model
from tests.interop.mlflow_side import MLflow

FRAME, Y = load_wine(return_X_y=True, as_frame=True)
FRAME.columns = [name.replace("/", " ") for name in FRAME.columns]
X = FRAME.to_numpy()


class Shifted:
    """A Python model with parameters, and a module of its own."""

    def predict(self, data: Any, params: Any) -> Any:
        """The first column, moved."""
        import of_ours_helper  # type: ignore[import-not-found]

        return [of_ours_helper.moved(row["alcohol"], params["by"]) for row in data.to_dict("records")]


def _onnx(frame: bool) -> Any:
    """A classifier of rows, with its label and probabilities; or the columns of two names added, and their difference."""
    if not frame:
        return to_onnx(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y), X[:1].astype("float32"), options={"zipmap": False})
    infos = {name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n"]) for name in ("alcohol", "hue", "sum", "rest")}
    nodes = [onnx.helper.make_node(kind, ["alcohol", "hue"], [name]) for kind, name in (("Add", "sum"), ("Sub", "rest"))]
    graph = onnx.helper.make_graph(nodes, "g", [infos["alcohol"], infos["hue"]], [infos["sum"], infos["rest"]])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)


def _ols() -> Any:
    with pd.option_context("mode.string_storage", "python"):  # MLflow's environment has no pyarrow to hold names in
        return statsmodels.formula.api.ols("hue ~ alcohol + ash", FRAME.set_axis([*map(str, FRAME)], axis=1)).fit()


def _catboost() -> Any:
    import catboost

    return catboost


SMALL = {"iterations": 3, "depth": 3, "thread_count": 1, "verbose": False, "allow_writing_files": False}


def _plain(answer: Any) -> Any:
    """As JSON has it; of a mapping, what it holds."""
    return [np.asarray(one).tolist() for one in answer.values()] if isinstance(answer, dict) else np.asarray(answer).tolist()


def _booster() -> Any:
    return xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, Y), 3)


MODELS: dict[str, tuple[Callable[[], Any], str, Any]] = {  # how it is made, the flavor asked for, its example
    "sklearn-frame": (lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, Y), "auto", FRAME),
    "sklearn-array": (lambda: RandomForestRegressor(3, random_state=0).fit(X, Y), "sklearn:skops", X),
    "sklearn-trusted": (lambda: HistGradientBoostingClassifier(max_iter=3).fit(X, Y), "auto", X),
    "sklearn-pickle": (lambda: LogisticRegression(max_iter=5000).fit(X[:, :3], Y), "sklearn:cloudpickle", X[:, :3]),
    "sklearn-scaler": (lambda: StandardScaler().fit(X), "auto", X),
    "xgboost-booster": (_booster, "auto", X),
    "xgboost-json": (lambda: xgboost.XGBRegressor(n_estimators=3, n_jobs=1).fit(FRAME, Y), "xgboost:json", FRAME),
    "xgboost-classifier": (lambda: xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(FRAME, Y), "auto", FRAME),
    "lightgbm-booster": (
        lambda: lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(X, Y), 3),
        "auto",
        X,
    ),
    "lightgbm-classifier": (lambda: lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(FRAME, Y), "auto", FRAME),
    "lightgbm-pickle": (lambda: lightgbm.LGBMRegressor(n_estimators=3, verbose=-1, n_jobs=1).fit(X, Y), "lightgbm:cloudpickle", X),
    "onnx-array": (lambda: _onnx(frame=False), "auto", X),
    "onnx-frame": (lambda: _onnx(frame=True), "auto", FRAME),
    "onnx-external": (lambda: _onnx(frame=False), "onnx:external", X),
    "catboost-classifier": (lambda: _catboost().CatBoostClassifier(**SMALL).fit(FRAME, Y), "auto", FRAME),
    "catboost-regressor": (lambda: _catboost().CatBoostRegressor(**SMALL).fit(X, Y), "auto", X),
    "statsmodels-formula": (_ols, "auto", FRAME),
    "statsmodels-small": (_ols, "statsmodels:small", FRAME),
    "python-function": (lambda: lambda data: (data["alcohol"] * 2).tolist(), "auto", FRAME),
    "python-array": (lambda: lambda data: data.sum(axis=1), "auto", X),
    "python-class": (Shifted, "python", (FRAME, {"by": 0.5})),
}
CODE = """
import sys, json, pathlib, warnings
warnings.simplefilter("ignore")
import mlflow, numpy as np
from sklearn.datasets import load_wine
sys.path.append(sys.argv[1])
frame, _ = load_wine(return_X_y=True, as_frame=True)
frame.columns = [name.replace("/", " ") for name in frame.columns]
x = frame.to_numpy()
answer = {}
def plain(found):
    return [np.asarray(one).tolist() for one in found.values()] if isinstance(found, dict) else np.asarray(found).tolist()
for path in sorted(pathlib.Path().iterdir()):
    flavor = path.name.partition("-")[0]
    if path.name == "sklearn-scaler":
        native = mlflow.sklearn.load_model(str(path))
        answer[path.name] = {"said": native.transform(x).tolist(), "native": "sklearn.preprocessing._data.StandardScaler"}
        continue
    model = mlflow.pyfunc.load_model(str(path))
    signature = model.metadata.signature
    example = model.metadata.load_input_example(str(path))
    data = frame if (signature.inputs.has_input_names()) else x[:, : signature.inputs.inputs[0].shape[1]]
    params = {"by": 2.0} if path.name == "python-class" else None
    told = {"said": plain(model.predict(data, params=params)), "signature": signature.to_dict()}
    if isinstance(example, tuple):
        example, _ = example
    told["example"] = plain(model.predict(example, params=params))
    if flavor != "python":
        native = getattr(mlflow, flavor).load_model(str(path))
        told["native"] = f"{type(native).__module__}.{type(native).__qualname__}"
    if flavor == "catboost":
        mlflow.catboost.save_model(native, f"../of-mlflow-{path.name}", signature=signature, pip_requirements=[])
    answer[path.name] = told
"""
SERVING = """
import asyncio, json, sys
from mlflow.pyfunc import load_model
from mlflow.pyfunc.scoring_server import init
async def asked(app, method, path, body=b""):
    sent = []
    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}
    async def send(message):
        sent.append(message)
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(),
             "query_string": b"", "headers": [(b"content-type", b"application/json")], "server": ("127.0.0.1", 80), "scheme": "http",
             "root_path": "", "client": ("127.0.0.1", 1)}
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(one.get("body", b"") for one in sent[1:]).decode()
answer = {}
for name in sys.argv[1:]:
    app = init(load_model(name))
    with open(f"{name}/serving_input_example.json", "rb") as file:
        status, said = asyncio.run(asked(app, "POST", "/invocations", file.read()))
    answer[name] = [status, json.loads(said), asyncio.run(asked(app, "GET", "/ping"))[0]]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one model of every kind is saved."""
    found = tmp_path_factory.mktemp("of-ours")
    helper = found.parent / "of_ours_helper.py"
    helper.write_text("def moved(value, by):\n    return value + by\n", encoding="utf-8")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)  # statsmodels' are pickled
        patch.syspath_prepend(str(helper.parent))
        for name, (make, flavor, example) in MODELS.items():
            code = [helper] if name == "python-class" else None
            save_model(make(), found / name, flavor=flavor, input_example=example, requirements=[], code_paths=code)
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    return found


@pytest.fixture(scope="module")
def told(mlflow: MLflow, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What MLflow says of each. Its environment has no CatBoost: it is lent ours, and saves what it opened of it beside our folder."""
    lent = tmp_path_factory.mktemp("lent")
    (lent / "catboost").symlink_to(Path(_catboost().__file__).parent)
    return mlflow.ask(folder, CODE, str(lent))


def _predicted(folder: Path, name: str) -> Any:
    predictor = load_predictor(folder / name, trust=True)
    data, params = examples.split(MODELS[name][2])
    return predictor.predict(data, {"by": 2.0} if params else None)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "sklearn-scaler"])
def test_mlflow_opens_what_is_saved_here_and_it_answers_the_same(name: str, folder: Path, told: Any) -> None:
    """By its ``pyfunc``, with the same predictions for the same data and for the example it finds, and with the same signature."""
    ours = _predicted(folder, name)
    assert told[name]["said"] == _plain(ours)
    rows = {key: one[: examples.ROWS] for key, one in ours.items()} if isinstance(ours, dict) else ours[: examples.ROWS]
    assert told[name]["example"] == _plain(rows)
    signature = load_predictor(folder / name, trust=True).signature
    assert signature is not None
    assert told[name]["signature"] == signature.to_mlmodel()


@pytest.mark.parametrize("name", [name for name in MODELS if not name.startswith("python")])
def test_mlflow_opens_a_frameworks_model_as_its_own_object(name: str, folder: Path, told: Any) -> None:
    """Of the class that it has here."""
    kind = type(load_model(folder / name, trust=True))
    assert told[name]["native"] == f"{kind.__module__}.{kind.__qualname__}"


@pytest.mark.parametrize("name", ["catboost-classifier", "catboost-regressor"])
def test_what_mlflow_saves_of_catboost_opens_here(name: str, folder: Path, told: Any) -> None:
    """As its own object, with the same predictions, without anybody's word; and their entries say the same."""
    other = folder.parent / f"of-mlflow-{name}"
    assert model_file.read(other).flavors["catboost"] == model_file.read(folder / name).flavors["catboost"]
    assert type(load_model(other)) is type(load_model(folder / name))
    np.testing.assert_array_equal(load_predictor(other).predict(MODELS[name][2]), _predicted(folder, name))


def test_a_transformer_is_opened_by_mlflow_as_its_own(folder: Path, told: Any) -> None:
    """MLflow knows no way to ask one by ``pyfunc``, and is told none; here it is asked by ``transform``."""
    np.testing.assert_array_equal(np.asarray(told["sklearn-scaler"]["said"]), _predicted(folder, "sklearn-scaler"))


def test_mlflow_serves_what_is_saved_here(folder: Path, mlflow: MLflow) -> None:
    """Its server answers a request with the example that we keep for one, with the predictions of ours."""
    names = [
        "sklearn-frame",
        "sklearn-array",
        "xgboost-classifier",
        "lightgbm-booster",
        "onnx-frame",
        "statsmodels-formula",
        "python-class",
    ]
    for name, (status, body, ping) in mlflow.ask(folder, SERVING, *names).items():
        assert (status, ping) == (200, 200), body
        sent = json.loads((folder / name / examples.SERVING).read_text())
        data, _ = examples.split(MODELS[name][2])
        ours = load_predictor(folder / name, trust=True).predict(data[: examples.ROWS], sent.get("params"))
        said = [list(one.values()) if isinstance(one, dict) else one for one in body["predictions"]]
        np.testing.assert_allclose(np.asarray(said, dtype=float).reshape(np.shape(ours)), np.asarray(ours, dtype=float), rtol=1e-6)
