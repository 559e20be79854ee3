"""Models that MLflow saved, opened here, where MLflow is not installed."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

from prefect_ledger import load_model, load_predictor
from prefect_ledger.errors import InvalidValue, UntrustedModel
from prefect_ledger.models import examples, model_file
from tests.interop.mlflow_side import MLflow

CODE = '''
import sys, json, pathlib, warnings
warnings.simplefilter("ignore")
import mlflow, mlflow.sklearn, mlflow.xgboost, mlflow.lightgbm, mlflow.onnx, mlflow.statsmodels
import numpy as np, xgboost, lightgbm, onnx, statsmodels.api
from mlflow.models import infer_signature
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
frame, y = load_wine(return_X_y=True, as_frame=True)
x = frame.to_numpy()
none = {"pip_requirements": []}

class Scaled(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.factor = self.number(context, "factor")
    def number(self, context, name):
        return float(pathlib.Path(context.artifacts[name]).read_text())
    def predict(self, context, model_input, params=None):
        shift = self.number(context, "shift") + context.model_config["more"]
        return (model_input.iloc[:, 0] * self.factor + shift + (params or {}).get("by", 0)).tolist()

class Plain(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[dict[str, float]]) -> list[float]:
        return [sum(one.values()) for one in model_input]

def shout(model_input: list[str]) -> list[str]:
    return [one.upper() for one in model_input]

for name, text in (("factor", "2.5"), ("shift", "10")):
    pathlib.Path(name + ".txt").write_text(text)
pathlib.Path("of_mlflow_helper.py").write_text("def twice(x):\\n    return 2 * x\\n")
pathlib.Path("of_mlflow_loader.py").write_text("""
import json
class Model:
    def __init__(self, path):
        with open(path) as file:
            self.by = json.load(file)["by"]
    def predict(self, data, params=None):
        from of_mlflow_helper import twice
        return (twice(data.iloc[:, 0]) * self.by).tolist()
def _load_pyfunc(path):
    return Model(path)
""")
pathlib.Path("weights.json").write_text(json.dumps({"by": 3}))
sys.path.insert(0, ".")
import of_mlflow_helper

class Helped(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return of_mlflow_helper.twice(model_input.iloc[:, 0]).tolist()

linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, y)
forest = RandomForestClassifier(3, random_state=0).fit(x, y)
sign, sign_x = infer_signature(frame, y.to_numpy()), infer_signature(x, y.to_numpy())
S, P = mlflow.sklearn.save_model, mlflow.pyfunc.save_model
S(linear, "sklearn-frame", signature=sign, input_example=frame.head(3), **none)
S(forest, "sklearn-skops", signature=sign_x, input_example=x[:3], serialization_format="skops",
  skops_trusted_types=["sklearn.tree._tree.Tree", "numpy.dtype"], **none)
S(forest, "sklearn-cloudpickle", signature=sign_x, input_example=x[:3], serialization_format="cloudpickle", **none)
S(forest, "sklearn-pickle", serialization_format="pickle", **none)
S(linear, "sklearn-bare", **none)
S(linear, "sklearn-probabilities", pyfunc_predict_fn="predict_proba", **none)
booster = xgboost.train({"max_depth": 2}, xgboost.DMatrix(x, y), 3)
classifier = xgboost.XGBClassifier(n_estimators=3).fit(frame, y)
mlflow.xgboost.save_model(booster, "xgboost-booster", signature=infer_signature(x, booster.predict(xgboost.DMatrix(x))), **none)
mlflow.xgboost.save_model(booster, "xgboost-json", model_format="json", **none)
mlflow.xgboost.save_model(classifier, "xgboost-classifier", signature=sign, input_example=frame.head(3), **none)
trees = lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(x, y), 3)
mlflow.lightgbm.save_model(trees, "lightgbm-booster", signature=infer_signature(x, trees.predict(x)), **none)
mlflow.lightgbm.save_model(lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(frame, y), "lightgbm-classifier",
  signature=sign, input_example=frame.head(3), **none)
mlflow.lightgbm.save_model(lightgbm.LGBMRegressor(n_estimators=3, verbose=-1, n_jobs=1).fit(x, y), "lightgbm-regressor", **none)
def graph(node, inputs, output, *weights):
    infos = [onnx.helper.make_tensor_value_info(name, 1, shape) for name, shape in (*inputs.items(), *output.items())]
    made = onnx.helper.make_graph([node], "g", infos[:-1], infos[-1:], list(weights))
    return onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)

weights = onnx.numpy_helper.from_array(np.linspace(-1, 1, 13 * 100, dtype="float32").reshape(13, 100), "w")
product = graph(onnx.helper.make_node("MatMul", ["x", "w"], ["y"]), {"x": ["n", 13]}, {"y": ["n", 100]}, weights)
added = graph(onnx.helper.make_node("Add", ["alcohol", "hue"], ["sum"]), {"alcohol": ["n"], "hue": ["n"]}, {"sum": ["n"]})
options = {"intra_op_num_threads": 1, "execution_mode": "sequential", "graph_optimization_level": 99}
mlflow.onnx.save_model(product, "onnx-external", signature=infer_signature(x), onnx_session_options=options, **none)
mlflow.onnx.save_model(onnx.load("onnx-external/model.onnx"), "onnx-array", save_as_external_data=False,
  onnx_execution_providers=["CPUExecutionProvider"], **none)
mlflow.onnx.save_model(added, "onnx-columns", signature=infer_signature(frame), input_example=frame.head(3), **none)
fitted = statsmodels.api.OLS(y.to_numpy(), x).fit()
mlflow.statsmodels.save_model(fitted, "statsmodels-array", **none)
mlflow.statsmodels.save_model(statsmodels.api.GLM(y.to_numpy(), x).fit(), "statsmodels-regressor", signature=infer_signature(x), **none)
series = statsmodels.tsa.api.AutoReg(x[:, 0], 2).fit()
mlflow.statsmodels.save_model(series, "statsmodels-series", remove_data=False, **none)
artifacts = {"factor": "factor.txt", "shift": "shift.txt"}
P("python-class", python_model=Scaled(), artifacts=artifacts, model_config={"more": 0.5},
  signature=infer_signature(frame, [1.0], {"by": 1.0}), **none)
P("python-hints", python_model=Plain(), input_example=[{"a": 1.0, "b": 2.0}], **none)
P("python-function", python_model=shout, input_example=["a"], **none)
P("python-code", python_model=Helped(), code_paths=["of_mlflow_helper.py"], **none)
P("python-loader", loader_module="of_mlflow_loader", data_path="weights.json",
  code_paths=["of_mlflow_helper.py", "of_mlflow_loader.py"], **none)
for module in ("of_mlflow_helper", "of_mlflow_loader"):
    sys.modules.pop(module, None)
sys.path.remove(".")
import pandas as pd
asked = {"python-hints": [{"a": 1.0, "b": 2.0}], "python-function": ["a", "b"],
  "statsmodels-series": pd.DataFrame({"start": [170], "end": [180]})}
given = {"python-class": {"by": 3.0}}
arrays = ("skops", "cloudpickle", "pickle", "booster", "json", "regressor", "external", "array")
answer = {}
def plain(found):
    return [np.asarray(one).tolist() for one in found.values()] if isinstance(found, dict) else np.asarray(found).tolist()
for path in sorted(pathlib.Path().iterdir()):
    if (path / "MLmodel").is_file():
        model = mlflow.pyfunc.load_model(str(path))
        data = asked.get(path.name, x if path.name.endswith(arrays) else frame)
        params = given.get(path.name)
        found = model.predict(data, params=params) if params else model.predict(data)
        signature = model.metadata.signature
        answer[path.name] = {"said": plain(found), "signature": signature and signature.to_dict()}
'''
FRAME, _ = load_wine(return_X_y=True, as_frame=True)
DATA: dict[str, Any] = {
    "python-hints": [{"a": 1.0, "b": 2.0}],
    "python-function": ["a", "b"],
    "statsmodels-series": pd.DataFrame({"start": [170], "end": [180]}),
}
PARAMS = {"python-class": {"by": 3.0}}
ARRAYS = ("skops", "cloudpickle", "pickle", "booster", "json", "regressor", "external", "array")
SAFE = {
    "sklearn-frame": "sklearn.pipeline.Pipeline",
    "sklearn-bare": "sklearn.pipeline.Pipeline",
    "sklearn-probabilities": "sklearn.pipeline.Pipeline",
    "sklearn-skops": "sklearn.ensemble._forest.RandomForestClassifier",
    "xgboost-booster": "xgboost.core.Booster",
    "xgboost-json": "xgboost.core.Booster",
    "xgboost-classifier": "xgboost.sklearn.XGBClassifier",
    "lightgbm-booster": "lightgbm.basic.Booster",
    "lightgbm-classifier": "lightgbm.sklearn.LGBMClassifier",
    "lightgbm-regressor": "lightgbm.sklearn.LGBMRegressor",
    "onnx-external": "onnx.onnx_ml_pb2.ModelProto",
    "onnx-array": "onnx.onnx_ml_pb2.ModelProto",
    "onnx-columns": "onnx.onnx_ml_pb2.ModelProto",
}
RUNS_CODE = {
    "statsmodels-array": r"a pickle \(model.statsmodels\)",
    "statsmodels-regressor": r"a pickle \(model.statsmodels\)",
    "statsmodels-series": r"a pickle \(model.statsmodels\)",
    "sklearn-cloudpickle": r"a pickle \(model.pkl\)",
    "sklearn-pickle": r"a pickle \(model.pkl\)",
    "python-class": r"a pickle \(python_model.pkl\)",
    "python-hints": r"a pickle \(python_model.pkl\)",
    "python-function": r"a pickle \(python_model.pkl\)",
    "python-code": r"a pickle \(python_model.pkl\) and code that came with it \(code/\)",
    "python-loader": r"a loader of its own \(of_mlflow_loader\) and code that came with it \(code/\)",
}


@pytest.fixture(scope="module")
def saved(mlflow: MLflow, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder of MLflow's models, and what they answer there."""
    folder = tmp_path_factory.mktemp("of-mlflow")
    return folder, mlflow.ask(folder, CODE)


def _data(name: str) -> Any:
    return DATA.get(name, FRAME.to_numpy() if name.endswith(ARRAYS) else FRAME)


@pytest.mark.long
def test_mlflow_is_not_here(saved: tuple[Path, Any]) -> None:
    """So nothing that follows is opened by its help, and all that it saved is looked at."""
    assert importlib.util.find_spec("mlflow") is None
    assert set(saved[1]) == set(SAFE) | set(RUNS_CODE)


@pytest.mark.parametrize("name", [*SAFE, *RUNS_CODE])
@pytest.mark.long
def test_a_model_of_mlflows_answers_the_same_here(name: str, saved: tuple[Path, Any]) -> None:
    """With frames or arrays, parameters, files, configuration and code of its own; the signature is the one that MLflow reads."""
    folder, told = saved
    predictor = load_predictor(folder / name, trust=name in RUNS_CODE)
    answer = predictor.predict(_data(name), PARAMS.get(name))
    if isinstance(answer, dict):
        answer = list(answer.values())
    np.testing.assert_array_equal(np.asarray(answer), np.asarray(told[name]["said"]))
    ours = predictor.signature.to_mlmodel() if predictor.signature is not None else None
    assert ours == told[name]["signature"]


@pytest.mark.parametrize("name", SAFE)
@pytest.mark.long
def test_a_format_that_only_holds_data_is_opened_without_anybodys_word(name: str, saved: tuple[Path, Any]) -> None:
    """As its framework's own object."""
    kind = type(load_model(saved[0] / name))
    assert f"{kind.__module__}.{kind.__qualname__}" == SAFE[name]


@pytest.mark.parametrize("name", RUNS_CODE)
def test_what_runs_code_says_what_it_is(name: str, saved: tuple[Path, Any]) -> None:
    """And is not opened until somebody answers for it."""
    with pytest.raises(UntrustedModel, match=RUNS_CODE[name]):
        load_model(saved[0] / name)


@pytest.mark.parametrize("name", ["sklearn-frame", "sklearn-skops", "python-function", "python-hints", "lightgbm-classifier"])
def test_an_input_example_of_mlflows_is_read(name: str, saved: tuple[Path, Any]) -> None:
    """In the form it was given in, so that the model can be asked with it."""
    folder, told = saved
    data, params = examples.read(folder / name, model_file.read(folder / name).example)
    assert params is None
    assert isinstance(data, pd.DataFrame | np.ndarray | list)
    answer = load_predictor(folder / name, trust=True).predict(data)
    np.testing.assert_array_equal(np.asarray(answer), np.asarray(told[name]["said"][: len(data)]))


def test_a_file_of_the_model_that_is_gone_is_named(saved: tuple[Path, Any], tmp_path: Path) -> None:
    """An artifact of a Python model that was not copied along is what the refusal speaks of."""
    shutil.copytree(saved[0] / "python-class", tmp_path / "m")
    (tmp_path / "m" / "artifacts" / "shift.txt").unlink()
    with pytest.raises(InvalidValue, match=r"lacks its file 'artifacts/shift\.txt'"):
        load_predictor(tmp_path / "m", trust=True)


def test_the_serving_example_is_the_one_that_mlflow_would_send(saved: tuple[Path, Any]) -> None:
    """What MLflow keeps to be sent to a server names the same rows."""
    folder = saved[0] / "sklearn-frame"
    body = json.loads((folder / examples.SERVING).read_text())
    data, _ = examples.read(folder, model_file.read(folder).example)
    assert body["dataframe_split"]["columns"] == list(data.columns)
    assert body["dataframe_split"]["data"] == data.to_numpy().tolist()
