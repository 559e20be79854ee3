"""What tests beside a real MLflow may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.mlflow_side import PYTHON, READY, MLflow, started


@pytest.fixture(scope="session")
def mlflow_python() -> Path:
    """The Python of the environment that MLflow is installed in, for processes of one's own; see ``mlflow_side.environment``."""
    if not READY.is_file():
        pytest.skip("MLflow's environment is not set up: make .venv-mlflow/.ok")
    return PYTHON


@pytest.fixture(scope="session")
def mlflow(mlflow_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLflow]:
    """A process with MLflow that runs code for the tests of a session: ``mlflow.ask(folder, "import mlflow; answer = ...")``."""
    with started(mlflow_python, tmp_path_factory.mktemp("mlflow")) as process:
        yield process
