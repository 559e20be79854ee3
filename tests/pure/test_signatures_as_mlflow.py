"""Signatures of models: the JSON that MLflow 3.17.2 writes for the same data, to the letter."""

from __future__ import annotations

import doctest
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pydantic
import pytest
from scipy import sparse  # type: ignore[import-untyped]

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.enforcement import enforce
from prefect_ledger.models.inference import from_hints, infer
from prefect_ledger.models.schema import Column, DataType, Param, Schema, Signature

WIDTHS = "int8 int16 int32 int64 uint8 uint16 uint32 float16 float32 float64"


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns)


def objects(*values: Any) -> Any:
    return pd.Series(values, dtype=object)


def column(kind: str, *, required: bool = True, name: str = "a") -> str:
    """A schema of one plain column, as MLflow writes it."""
    return json.dumps([{"type": kind, "name": name, "required": required}])


def tensor(dtype: str, *shape: int) -> str:
    """A schema of one tensor without a name, as MLflow writes it."""
    return json.dumps([{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": [-1, *shape]}}])


# What MLflow 3.17.2 wrote for each, with pandas 3.1.1 and numpy 2.4.6.
RECORDED: dict[str, tuple[Callable[[], Any], str]] = {
    "numbers of all widths": (
        lambda: frame(**{name: np.array([1, 2], dtype=name) for name in WIDTHS.split()}),
        (
            '[{"type": "integer", "name": "int8", "required": true}, {"type": "integer", "name": "int16", "required": true}, '
            '{"type": "integer", "name": "int32", "required": true}, {"type": "long", "name": "int64", "required": true}, '
            '{"type": "integer", "name": "uint8", "required": true}, {"type": "integer", "name": "uint16", "required": true}, '
            '{"type": "long", "name": "uint32", "required": true}, {"type": "float", "name": "float16", "required": true}, '
            '{"type": "float", "name": "float32", "required": true}, {"type": "double", "name": "float64", "required": true}]'
        ),
    ),
    "names that are numbers": (
        lambda: pd.DataFrame(np.zeros((2, 2))),
        '[{"type": "double", "name": 0, "required": true}, {"type": "double", "name": 1, "required": true}]',
    ),
    "a name of odd letters": (lambda: frame(**{'é"\\\n': [1]}), '[{"type": "long", "name": "\\u00e9\\"\\\\\\n", "required": true}]'),
    "whole numbers with one missing": (lambda: frame(a=[1, None]), column("double", required=False)),
    "objects: whole numbers with one missing": (lambda: frame(a=objects(1, None)), column("double", required=False)),
    "objects: texts with one missing": (lambda: frame(a=objects("x", None)), column("string", required=False)),
    "objects: truths with one missing": (lambda: frame(a=objects(True, None)), column("boolean", required=False)),
    "objects: nothing": (lambda: frame(a=objects(None, None)), column("any", required=False)),
    "texts: nothing": (lambda: frame(a=pd.Series([None, None], dtype="str")), column("any", required=False)),
    "floats: nothing": (lambda: frame(a=[np.nan, np.nan]), column("double", required=False)),
    "nullable truths": (lambda: frame(a=pd.Series([True, None], dtype="boolean")), column("boolean", required=False)),
    "nullable floats": (lambda: frame(a=pd.Series([1.5, None], dtype="Float64")), column("double", required=False)),
    "nullable texts": (lambda: frame(a=pd.Series(["x", None], dtype="string")), column("string", required=False)),
    "nullable whole numbers, none missing": (lambda: frame(a=pd.Series([1, 2], dtype="Int64")), column("long")),
    "arrow's numbers": (lambda: frame(a=pd.Series([1, 2], dtype="int64[pyarrow]")), column("long")),
    "times": (lambda: frame(a=pd.to_datetime(["2020-01-01"])), column("datetime")),
    "times of a zone": (lambda: frame(a=pd.to_datetime(["2020-01-01"]).tz_localize("UTC")), column("datetime")),
    "times with one missing": (lambda: frame(a=pd.to_datetime(pd.Series(["2020-01-01", None]))), column("datetime", required=False)),
    "days": (lambda: frame(a=[date(2020, 1, 1)]), column("datetime")),
    "categories of texts": (lambda: frame(a=pd.Categorical(["x", "y"])), column("string")),
    "categories of numbers": (lambda: frame(a=pd.Categorical([1, 2])), column("long")),
    "bytes": (lambda: frame(a=[b"x", b"yy"]), column("binary")),
    "lists in cells": (
        lambda: frame(a=[[1, 2], None]),
        '[{"type": "array", "items": {"type": "long"}, "name": "a", "required": false}]',
    ),
    "arrays in cells": (
        lambda: frame(a=[np.array([1.0, 2.0]), np.array([3.0])]),
        '[{"type": "array", "items": {"type": "double"}, "name": "a", "required": true}]',
    ),
    "mappings in cells": (
        lambda: frame(a=[{"x": [{"z": 1.5}]}, {"x": [{"z": 2.5, "w": None}]}]),
        (
            '[{"type": "object", "properties": {"x": {"type": "array", "items": {"type": "object", "properties": {"w": {"type": "any", '
            '"required": false}, "z": {"type": "double", "required": true}}}, "required": true}}, "name": "a", "required": true}]'
        ),
    ),
    "a series": (lambda: pd.Series([1, 2], name="a"), column("long")),
    "a series without a name": (lambda: pd.Series([1.5]), '[{"type": "double", "required": true}]'),
    "an array": (lambda: np.zeros((5, 20)), tensor("float64", 20)),
    "an array of the other byte order": (lambda: np.zeros((5, 2), dtype=">f8"), tensor("float64", 2)),
    "pictures": (lambda: np.zeros((2, 28, 28, 3), dtype="uint8"), tensor("uint8", 28, 28, 3)),
    "an array of texts": (lambda: np.array(["a", "bcd"]), tensor("str")),
    "an array of bytes": (lambda: np.array([b"a"]), tensor("bytes")),
    "an array of objects": (lambda: np.array(["a", None], dtype=object), tensor("object")),
    "an array of times": (lambda: np.array(["2020-01-01"], dtype="datetime64[ns]"), tensor("datetime64[ns]")),
    "a sparse matrix of rows": (lambda: sparse.csr_matrix(np.eye(3)), tensor("float64", 3)),
    "a sparse matrix of columns": (lambda: sparse.csc_matrix(np.eye(3, dtype="float32")), tensor("float32", 3)),
    "arrays with names": (
        lambda: {"x": np.zeros((2, 3)), "y": np.zeros(2, dtype="int64")},
        (
            '[{"name": "x", "type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 3]}}, '
            '{"name": "y", "type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
        ),
    ),
    "a mapping of values": (
        lambda: {"a": 1, "b": "x", "c": 1.5, "d": True, "e": b"x", "f": None, "g": [], "h": [[1.5], []], "i": np.int32(1)},
        (
            '[{"type": "long", "name": "a", "required": true}, {"type": "string", "name": "b", "required": true}, '
            '{"type": "double", "name": "c", "required": true}, {"type": "boolean", "name": "d", "required": true}, '
            '{"type": "binary", "name": "e", "required": true}, {"type": "any", "name": "f", "required": false}, '
            '{"type": "any", "name": "g", "required": true}, {"type": "array", "items": {"type": "array", "items": {"type": "double"}}, '
            '"name": "h", "required": true}, {"type": "integer", "name": "i", "required": true}]'
        ),
    ),
    "messages": (
        lambda: {"m": [{"role": "user", "content": "hi"}, {"role": "user", "content": None}]},
        (
            '[{"type": "array", "items": {"type": "object", "properties": {"content": {"type": "string", "required": false}, '
            '"role": {"type": "string", "required": true}}}, "name": "m", "required": true}]'
        ),
    ),
    "rows of several keys": (
        lambda: [{"a": 1}, {"a": 2, "b": "y"}, {"b": None}],
        '[{"type": "long", "name": "a", "required": false}, {"type": "string", "name": "b", "required": false}]',
    ),
    "texts": (lambda: ["a", None], '[{"type": "string", "required": true}]'),
    "lists": (lambda: [[1, 2], [3]], '[{"type": "array", "items": {"type": "long"}, "required": true}]'),
    "an empty list": (list, '[{"type": "string", "required": true}]'),
    "an empty mapping": (dict, '[{"type": "any", "required": true}]'),
    "values of several types": (lambda: [1, "a"], '[{"type": "any", "required": true}]'),
    "a text": (lambda: "x", '[{"type": "string", "required": true}]'),
    "a number": (lambda: 1.5, '[{"type": "double", "required": true}]'),
    "a time": (lambda: datetime(2020, 1, 1, tzinfo=UTC), '[{"type": "datetime", "required": true}]'),
}
PARAMS: list[tuple[dict[str, Any], str]] = [
    ({"a": 1}, '[{"name": "a", "default": 1, "shape": null, "type": "long"}]'),
    ({"a": np.int32(3)}, '[{"name": "a", "default": 3, "shape": null, "type": "integer"}]'),
    ({"a": float("inf")}, '[{"name": "a", "default": Infinity, "shape": null, "type": "double"}]'),
    ({"a": float("nan")}, '[{"name": "a", "default": NaN, "shape": null, "type": "double"}]'),
    ({"a": ["x", "y"]}, '[{"name": "a", "default": ["x", "y"], "shape": [-1], "type": "string"}]'),
    ({"a": [1, 2.5]}, '[{"name": "a", "default": [1.0, 2.5], "shape": [-1], "type": "double"}]'),
    ({"a": np.array([1, 2])}, '[{"name": "a", "default": [1, 2], "shape": [-1], "type": "long"}]'),
    ({"a": datetime(2020, 1, 1, 3)}, '[{"name": "a", "default": "2020-01-01T03:00:00", "shape": null, "type": "datetime"}]'),  # noqa: DTZ001
    (
        {"a": {"b": {"c": "x"}}},
        (
            '[{"name": "a", "default": {"b": {"c": "x"}}, "shape": null, "type": "object", "properties": {"b": {"type": "object", '
            '"properties": {"c": {"type": "string", "required": true}}, "required": true}}}]'
        ),
    ),
]


@pytest.mark.parametrize("what", RECORDED)
def test_data_has_the_signature_that_mlflow_finds(what: str) -> None:
    """The schema of data, as an MLmodel file has it, is MLflow's."""
    data, recorded = RECORDED[what]
    assert infer(data()).to_mlmodel() == {"inputs": recorded, "outputs": None, "params": None}
    assert Signature.from_mlmodel({"inputs": recorded}).to_mlmodel()["inputs"] == recorded


@pytest.mark.parametrize(("params", "recorded"), PARAMS)
def test_parameters_are_written_as_mlflow_writes_them(params: dict[str, Any], recorded: str) -> None:
    """A parameter with its default, as an MLmodel file has it, is MLflow's."""
    assert infer("x", None, params).to_mlmodel()["params"] == recorded
    assert Signature.from_mlmodel({"inputs": None, "params": recorded}).to_mlmodel()["params"] == recorded


def test_what_older_releases_wrote_is_read() -> None:
    """Columns without "required" are required, parameters may say "dtype", and keys of other releases are passed over."""
    found = Signature.from_mlmodel(
        {
            "inputs": '[{"type": "double", "name": "a", "more": 1}]',
            "params": '[{"name": "p", "dtype": "long", "default": 1, "shape": null}]',
        }
    )
    assert found == Signature(Schema((Column("a", DataType.double),)), None, (Param("p", DataType.long, 1),))


def test_a_spark_vector_is_read_and_written() -> None:
    """MLflow's type of Spark's vectors survives."""
    text = '[{"type": "sparkml_vector", "name": "a", "required": true}]'
    assert Signature.from_mlmodel({"inputs": text}).to_mlmodel()["inputs"] == text


def test_a_table_of_arrow_has_the_signature_of_its_frame() -> None:
    """The library that holds a table does not count."""
    table = pa.table({"a": [1, 2], "b": ["x", "y"], "c": [[1.5], []]})
    assert infer(table) == infer(table.to_pandas())


def test_a_frame_of_polars_has_the_signature_of_its_columns() -> None:
    """The same for polars, where it is installed."""
    polars = pytest.importorskip("polars")
    assert str(infer(polars.DataFrame({"a": [1, 2], "b": ["x", "y"]})).inputs) == "a: long\nb: string"


@pytest.mark.parametrize("params", [{"a": None}, {"a": b"x"}, {"a": [[1]]}, {"a": object()}, {"a": ["x", 1]}])
def test_what_is_no_parameter_is_refused_by_name(params: dict[str, Any]) -> None:
    """A default that MLflow cannot write is refused, and the message has the parameter's name."""
    with pytest.raises(InvalidValue, match="parameter 'a'"):
        infer("x", None, params)


# --- type hints -------------------------------------------------------------------------------------------------------------


class Message(pydantic.BaseModel):
    role: str
    score: float | None = None
    tags: list[str] = []


@dataclass
class Point:
    x: float
    label: str | None = None


MESSAGE = (
    '[{"type": "object", "properties": {"role": {"type": "string", "required": true}, "score": {"type": "double", "required": false}, '
    '"tags": {"type": "array", "items": {"type": "string"}, "required": true}}, "required": true}]'
)


@pytest.mark.parametrize(
    ("hint", "recorded"),
    [
        (list[str], '[{"type": "string", "required": true}]'),
        (list[dict[str, str]], '[{"type": "map", "values": {"type": "string"}, "required": true}]'),
        (list[list[int]], '[{"type": "array", "items": {"type": "long"}, "required": true}]'),
        (list[Message], MESSAGE),
        (list[Any], '[{"type": "any", "required": true}]'),
    ],
)
def test_type_hints_have_the_signature_that_mlflow_finds(hint: Any, recorded: str) -> None:
    """What a function's first argument is said to be, as an MLmodel file has it, is MLflow's."""

    def predict(self: object, context: object, model_input: Any, params: Any = None) -> list[float]:
        raise NotImplementedError

    predict.__annotations__["model_input"] = hint
    found = from_hints(predict)
    assert found is not None
    assert found.to_mlmodel() == {"inputs": recorded, "outputs": '[{"type": "double", "required": true}]', "params": None}


def test_hints_that_say_no_type_give_no_signature() -> None:
    """A frame, a class of one's own or no hint at all leave the signature to data."""
    for hint in (pd.DataFrame, np.ndarray, list, list[complex], str, None):

        def predict(data: Any) -> Any:
            raise NotImplementedError

        predict.__annotations__["data"] = hint
        assert from_hints(predict) is None
    assert from_hints(len) is None


def test_the_fields_of_a_dataclass_are_columns() -> None:
    """A dataclass or a pydantic model has its hints' signature, in its own order; what may be None is optional."""
    assert str(infer(Point).inputs) == "x: double\nlabel: string (optional)"
    assert str(infer(Message).inputs) == "role: string\nscore: double (optional)\ntags: array of string"


@pytest.mark.parametrize("data", [Point(1.5), [Point(1.5), Point(2.5, "b")], Message(role="user"), [Message(role="user", score=1.5)]])
def test_objects_of_a_model_pass_as_they_are(data: Any) -> None:
    """Objects of a dataclass or a pydantic model fit the signature found from them, and stay what they are."""
    found, _ = enforce(infer(data), data)
    assert found == data
    assert type(found) is type(data)


@pytest.mark.parametrize(
    "module",
    "column_types columns enforcement hints inference nested parameters scalars schema series tensors value_types widening wording".split(),
)
def test_the_examples_in_docstrings_run(module: str) -> None:
    """What a docstring shows is what happens."""
    result = doctest.testmod(importlib.import_module(f"prefect_ledger.models.{module}"))
    assert not result.failed
