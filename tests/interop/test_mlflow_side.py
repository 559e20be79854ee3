"""The environment that MLflow lives in."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from tests.interop.mlflow_side import MLflow

CODE = """
import sys
from importlib.metadata import version
import mlflow
from mlflow.telemetry import get_telemetry_client
answer = {"mlflow": mlflow.__version__, "silent": get_telemetry_client() is None}
answer |= {name: version(name) for name in sys.argv[1:]}
"""

LEAVING = """
import sys
sys.path.insert(0, sys.argv[1])
import inside_model
answer = [inside_model.said, sys.argv[1:], "kept" in vars()]
kept = 1
"""


def test_mlflow_runs_silently_beside_the_same_frameworks(mlflow: MLflow, tmp_path: Path) -> None:
    """MLflow 3.17 starts without telemetry, and its scikit-learn, XGBoost and LightGBM are those that our models are made with."""
    frameworks = ["scikit-learn", "skops", "xgboost-cpu", "lightgbm"]
    told = mlflow.ask(tmp_path, CODE, *frameworks)
    assert told.pop("mlflow").startswith("3.17.")
    assert told.pop("silent")
    assert told == {name: version(name) for name in frameworks}


def test_what_one_test_asks_does_not_reach_the_next(mlflow: MLflow, tmp_path: Path) -> None:
    """Names, arguments and modules from a model's folder are gone for the next piece of code; a failure tells its traceback and no more."""
    for text in ("first", "second"):
        (tmp_path / text).mkdir()
        (tmp_path / text / "inside_model.py").write_text(f"said = {text!r}", encoding="utf-8")
        assert mlflow.ask(tmp_path, LEAVING, text) == [text, [text], False]
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        mlflow.ask(tmp_path, "1 / 0")
    assert mlflow.ask(tmp_path, "import os; print('no reply'); answer = os.getcwd()") == str(tmp_path)
