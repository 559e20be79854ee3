"""What a server is sent says what the caller had, as the server reads it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from prefect_ledger.deploying.asking import ask, body
from prefect_ledger.errors import DeploymentFailed, InvalidValue
from prefect_ledger.serving.bodies import Reader
from tests.services_real.processes import free_port

FRAME = pd.DataFrame(
    {"n": [1, 2], "x": [0.1 + 0.2, float("nan")], "t": ["ä", None], "at": [pd.Timestamp("2026-01-01"), pd.NaT], "b": [True, False]}
)


@pytest.mark.parametrize("frame", [FRAME, pl.DataFrame({"n": [1, 2], "x": [0.1 + 0.2, None]})], ids=["pandas", "polars"])
def test_a_frame_is_read_as_it_was(frame: Any) -> None:
    """Names, numbers to their last digit, texts, times; what is missing is null."""
    read = Reader(None).read(body(frame), "application/json").data
    assert list(read.columns) == list(frame.columns)
    assert read["n"].tolist() == [1, 2]
    assert (read["x"][0], bool(pd.isna(read["x"][1]))) == (0.1 + 0.2, True)
    if "at" in read:
        assert read["at"][0] == "2026-01-01T00:00:00"
        assert (read["t"][0], read["b"].tolist()) == ("ä", [True, False])
        assert read[["at", "t"]].isna()[1:].to_numpy().all()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (np.array([[1, 2]], dtype="int8"), {"inputs": [[1, 2]]}),
        (np.float32(0.5), {"inputs": 0.5}),
        ([{"a": np.int64(1), "b": None}], {"dataframe_records": [{"a": 1, "b": None}]}),
        ({"a": np.array([1.5])}, {"inputs": {"a": [1.5]}}),
        ((1, "x", b"\x00"), {"inputs": [1, "x", "AA=="]}),
        (pd.Series([1.0, float("nan")]), {"inputs": [1.0, None]}),
    ],
)
def test_other_data_is_sent_by_its_own_name(data: Any, said: Any) -> None:
    """Arrays, records, columns, scalars and bytes, in the fields that the server has for them."""
    assert json.loads(body(data)) == said


@pytest.mark.parametrize("data", [float("inf"), [object()], {"a": {1, 2}}, np.array([-np.inf]), 1j])
def test_what_json_cannot_say_is_refused(data: Any) -> None:
    """Here, and not by a server that would read something else."""
    with pytest.raises(InvalidValue, match="cannot be sent"):
        body(data)


def test_data_that_holds_itself_is_refused() -> None:
    """And does not end the interpreter."""
    data: list[Any] = []
    data.append(data)
    with pytest.raises(InvalidValue, match="cannot be sent"):
        body(data)


def test_nobody_there_is_told() -> None:
    """With the address."""
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(DeploymentFailed, match=f"{url} does not answer"):
        ask(url, [1.0])
