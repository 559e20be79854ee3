"""The environment of a model saved here, as MLflow reads it."""

from __future__ import annotations

import json
import platform
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from prefect_ledger.models.saving import save_model
from tests.interop.mlflow_side import MLflow

CODE = """
import sys, yaml
import mlflow, mlflow.sklearn
from mlflow.utils.environment import _PythonEnv
from mlflow.utils.requirements_utils import _check_requirement_satisfied
from sklearn.linear_model import LinearRegression
ours, own = sys.argv[1:]
mlflow.sklearn.save_model(LinearRegression().fit([[1.0]], [1.0]), own, pip_requirements=["scikit-learn"])
def of(folder):
    with open(f"{folder}/conda.yaml") as file:
        conda = yaml.safe_load(file)
    lines = [line for line in open(mlflow.pyfunc.get_model_dependencies(folder)).read().splitlines() if line]
    wrong = [str(told) for told in map(_check_requirement_satisfied, lines) if told]
    return {"python": _PythonEnv.from_yaml(f"{folder}/python_env.yaml").to_dict(), "conda": conda, "lines": lines, "wrong": wrong}
answer = {"ours": of(ours), "own": of(own)}
"""


@pytest.fixture(scope="module")
def told(mlflow: MLflow, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What MLflow reads of a model saved here, and of one that it saved."""
    folder = tmp_path_factory.mktemp("environment")
    save_model(LinearRegression().fit(np.ones((2, 1)), [1.0, 1.0]), folder / "ours")
    return mlflow.ask(folder, CODE, str(folder / "ours"), str(folder / "own"))


def test_mlflow_finds_the_requirements_and_meets_them(told: Any) -> None:
    """Every line is one that MLflow parses, and finds right in an environment that has these packages."""
    assert {line.partition("==")[0] for line in told["ours"]["lines"]} == {"numpy", "scikit-learn", "skops"}
    assert told["ours"]["wrong"] == []


def test_the_files_have_the_form_of_mlflows_own(told: Any) -> None:
    """``python_env.yaml`` and ``conda.yaml`` say the same things in the same places; only the packages and their versions differ."""
    ours, own = told["ours"], told["own"]
    assert _form(ours["python"]) == _form(own["python"])
    assert ours["python"]["python"] == platform.python_version()
    assert _form(ours["conda"]) == _form(own["conda"])
    assert ours["conda"]["dependencies"][-1] == {"pip": ours["lines"]}


def _form(value: Any) -> str:
    """The value without versions, and without the list of packages."""
    plain = json.loads(json.dumps(value))
    for part in plain.get("dependencies", []):
        if isinstance(part, dict):
            part["pip"] = []
    lines = plain.get("build_dependencies", []) + plain["dependencies"]
    texts = [line.replace("<=", "==").partition("==")[0].partition("=")[0] for line in lines if isinstance(line, str)]
    return json.dumps(
        [sorted(plain), texts, [line for line in lines if not isinstance(line, str)], plain.get("name"), plain.get("channels")]
    )
