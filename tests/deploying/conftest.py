"""Models that are deployed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prefect_ledger.models.saving import save_model


def times(factor: float) -> Callable[..., Any]:
    """A model that travels whole, as a pickle: so many times what it is given; raises at 13."""

    def weigh(data: Any, params: Any) -> Any:
        import numpy as np

        numbers = np.asarray(data, dtype=float)
        if (numbers == 13).any():
            raise RuntimeError("thirteen")
        return numbers * params.get("times", factor)

    return weigh


@pytest.fixture(scope="session")
def doubling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that doubles; opening it runs code."""
    path = tmp_path_factory.mktemp("deployed") / "doubling"
    save_model(times(2.0), path, input_example=(np.array([[1.0, 2.0]]), {"times": 2.0}))
    return path


@pytest.fixture(scope="session")
def tripling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another, that triples."""
    path = tmp_path_factory.mktemp("deployed") / "tripling"
    save_model(times(3.0), path, input_example=(np.array([[1.0, 2.0]]), {"times": 3.0}))
    return path
