"""Models that are served: small ones with columns, with an array, with parameters, and one that fails when told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from prefect_ledger.models.saving import save_model
from prefect_ledger.serving.app import App, Limits
from prefect_ledger.serving.following import Followed
from tests.serving.asking import Client

FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.5, 0.0, 4.0]})


def weighing() -> Callable[..., Any]:
    """A model that travels whole: twice what it is given, or as often as asked; raises at 13, and waits at numbers above a thousand."""

    def weigh(data: Any, params: Any) -> Any:
        import time

        import numpy as np

        numbers = np.asarray(data, dtype=float)
        if (numbers == 13).any():
            raise RuntimeError("thirteen, and secret=hunter2")
        if (numbers > 1000).any():
            time.sleep(min(float(numbers.max()) / 1000, 3))
        return numbers * params.get("times", 2.0)

    return weigh


def centring() -> Callable[..., Any]:
    """One whose answer to a row depends on the rows beside it, that starts a loop of its own, and waits at numbers above a thousand."""

    def centre(data: Any) -> Any:
        import asyncio

        import numpy as np

        numbers = np.asarray(data, dtype=float)
        asyncio.run(asyncio.sleep(0.3 if (numbers > 1000).any() else 0))
        return numbers - numbers.mean()

    return centre


def telling() -> Callable[..., Any]:
    """Another: a row in words."""
    return lambda data: [f"{row['name']} {row['count']} {row['at']:%Y}" for _, row in data.iterrows()]


@pytest.fixture(scope="session")
def columns_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "columns"
    save_model(LinearRegression().fit(FRAME, [1.0, 2.0, 3.0]), path, input_example=FRAME)
    return path


@pytest.fixture(scope="session")
def array_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "array"
    save_model(weighing(), path, input_example=(np.array([[1.0, 2.0]]), {"times": 2.0}))
    return path


@pytest.fixture(scope="session")
def centring_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "centring"
    save_model(centring(), path, input_example=np.array([[1.0]]))
    return path


@pytest.fixture(scope="session")
def mixed_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eats a text, a whole number and a time, and answers in words."""
    path = tmp_path_factory.mktemp("served") / "mixed"
    frame = pd.DataFrame({"name": ["x"], "count": [1], "at": [pd.Timestamp("2026-01-01")]})
    save_model(telling(), path, input_example=frame)
    return path


@pytest.fixture
def client() -> Iterator[Callable[..., Client]]:
    """Makes a client of a server in this process, for the model in a folder."""
    made: list[App] = []

    def make(folder: Path, **limits: Any) -> Client:
        app = App(Followed(str(folder), trust=True), Limits(**limits))
        made.append(app)
        return Client(app)

    yield make
    for app in made:
        app.close()
