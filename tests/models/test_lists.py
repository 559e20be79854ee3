"""Python models that take a list of values without a name: they get one, whatever the caller has, or the caller is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from prefect_ledger.errors import SignatureMismatch
from prefect_ledger.models.enforcement import Enforcer
from prefect_ledger.models.opening import open_folder
from prefect_ledger.models.predictor import Predictor
from prefect_ledger.models.saving import save_model
from prefect_ledger.models.schema import Column, DataType, Schema, Signature


def _hinted(rows: list[float]) -> list[float]:
    return [2 * one for one in rows]


def _double(rows: Any) -> Any:
    return [2 * one for one in rows]


def _saved(folder: Path, model: Any = _double, **said: Any) -> Predictor:
    save_model(model, folder, requirements=[], **said)
    return open_folder(folder, trusted=True).predictor()


@pytest.mark.parametrize(
    "said",
    [{"input_example": [1.0]}, {"signature": [1.0]}, {"signature": ([1.0], [2.0])}, {"model": _hinted}],
    ids=lambda one: next(iter(one)),
)
def test_a_frames_only_column_is_the_list(said: dict[str, Any], tmp_path: Path) -> None:
    """Of any library, from JSON too; of several columns none is chosen, and what is in no list, or missing, is refused by its place."""
    asked = _saved(tmp_path / "m", **said)
    for data in (pd.DataFrame({"a": [1.5, 2]}), pl.DataFrame({"a": [1.5, 2]}), [1.5, 2]):
        assert [asked.predict(data), asked.predict(data, json=True)] == [[3.0, 4.0]] * 2
    assert asked.predict(pd.DataFrame({"a": [1, 2]})) == [2.0, 4.0]
    assert list(asked.predict(np.array([1.5]))) == list(asked.predict(pd.Series([1.5]))) == [3.0]
    assert np.isnan(asked.predict([float("nan")])[0])
    wrong: list[tuple[Any, str]] = [
        (1.5, "the data is a float, 1.5, where a list is wanted, with a double for each row"),
        (None, "the data is None, where a list is wanted"),
        ((1.5,), "the data is a tuple"),
        ({"a": 1.5}, "the data is a dict"),
        ([None], "row 0 is missing, where a double"),
        (["x"], "row 0 is a str"),
        (pd.DataFrame({"a": [1.5], "b": [2.5]}), "a frame with 2 columns, 'a', 'b', where a double without a name is wanted"),
        (pd.DataFrame({"a": ["x"]}), "column 'a'"),
    ]
    for data, message in wrong:
        for json in (False, True):
            with pytest.raises(SignatureMismatch, match=message):
                asked.predict(data, json=json)


def test_a_list_with_gaps_may_have_gaps(tmp_path: Path) -> None:
    """Where the example had some; texts that are missing in a frame are None in the list, or refused where the example had none."""
    asked = _saved(tmp_path / "m", lambda rows: [one is None for one in rows], input_example=["a", None])
    assert asked.predict(["b", None]) == asked.predict(pd.DataFrame({"t": ["b", None]})) == [False, True]
    full = _saved(tmp_path / "full", lambda rows: [len(one) for one in rows], input_example=["a"])
    with pytest.raises(SignatureMismatch, match="row 1 is missing, where a string"):
        full.predict(pd.DataFrame({"t": ["b", None]}))


def test_a_list_of_anything_is_a_list_too(tmp_path: Path) -> None:
    """Where values have no type in common."""
    asked = _saved(tmp_path / "m", lambda rows: rows if isinstance(rows, list) else None, input_example=[1, "a"])
    assert asked.predict(pd.DataFrame({"t": [1, "b"]})) == asked.predict([1, "b"]) == [1, "b"]
    with pytest.raises(SignatureMismatch, match="the data is a str, 'x', where a list is wanted"):
        asked.predict("x")


def test_a_model_of_one_value_takes_one(tmp_path: Path) -> None:
    """And the values of a frame's column, where its example was no list."""
    asked = _saved(tmp_path / "m", lambda value: value * 2, input_example=1.5)
    assert asked.predict(2.0) == 4.0
    assert asked.predict(pd.DataFrame({"a": [1.0, 2.0]})).tolist() == [2.0, 4.0]


@pytest.mark.parametrize("kind", ["long", "integer", "boolean"])
@pytest.mark.parametrize("json", [False, True])
def test_what_has_no_missing_value_is_not_missing(kind: str, json: bool) -> None:
    """A required column of whole numbers or truths, however it is given; an optional one may lack some, and texts are None as in frames."""
    good: Any = kind == "boolean" or 1
    dtype: Any = {"long": "Int64", "integer": "Int32", "boolean": "boolean"}[kind]
    forms: list[Any] = [
        [{"a": good}, {"a": None}],
        {"a": [good, None]},
        pd.DataFrame({"a": pd.Series([good, None], dtype=object)}),
        pd.DataFrame({"a": pd.array([good, None], dtype)}),
    ]
    for data in forms:
        with pytest.raises(SignatureMismatch, match="column 'a', row 1 is missing"):
            Enforcer(Signature(Schema((Column("a", DataType(kind)),))), json=json)(data)
        Enforcer(Signature(Schema((Column("a", DataType(kind), required=False),))), json=json)(data)
        Enforcer(Signature(Schema((Column("a", DataType.string),))), json=json)([{"a": None}])
    with pytest.raises(SignatureMismatch, match="row 0 is missing"):
        Enforcer(Signature(Schema((Column("a", DataType(kind)),))), json=json, frame=True)([{"a": None}])


def test_truths_are_no_numbers() -> None:
    """And the message says what to give."""
    with pytest.raises(SignatureMismatch, match="column 'a' is a bool, where a double is wanted: true and false are no numbers here"):
        Enforcer(Signature(Schema((Column("a", DataType.double),))))(pd.DataFrame({"a": [True]}))
