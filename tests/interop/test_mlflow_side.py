"""The environment that MLflow lives in."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from tests.interop.mlflow_side import ask

CODE = """
import sys
from importlib.metadata import version
import mlflow
from mlflow.telemetry import get_telemetry_client
answer = {"mlflow": mlflow.__version__, "silent": get_telemetry_client() is None}
answer |= {name: version(name) for name in sys.argv[1:]}
"""


def test_mlflow_runs_silently_beside_the_same_frameworks(mlflow_python: Path, tmp_path: Path) -> None:
    """MLflow 3.17 starts without telemetry, and its scikit-learn, XGBoost and LightGBM are those that our models are made with."""
    frameworks = ["scikit-learn", "skops", "xgboost-cpu", "lightgbm"]
    told = ask(mlflow_python, tmp_path, CODE, *frameworks)
    assert told.pop("mlflow").startswith("3.17.")
    assert told.pop("silent")
    assert told == {name: version(name) for name in frameworks}
