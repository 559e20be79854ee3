"""What tests beside a real MLflow may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.mlflow_side import PYTHON


@pytest.fixture(scope="session")
def mlflow_python() -> Path:
    """The Python of the environment that MLflow is installed in; ``tests.interop.mlflow_side`` runs code there."""
    if not PYTHON.parents[1].joinpath(".ok").is_file():
        pytest.skip("MLflow's environment is not set up: make .venv-mlflow/.ok")
    return PYTHON
