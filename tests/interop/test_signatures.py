"""Signatures beside MLflow's own: the same JSON from the same data, and what passes there passes here."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse as sp  # type: ignore[import-untyped]

from prefect_ledger.errors import SignatureMismatch
from prefect_ledger.models.enforcement import enforce
from prefect_ledger.models.inference import infer
from prefect_ledger.models.saving import save_model
from prefect_ledger.models.schema import ArrayType, Column, DataType, MapType, ObjectType, Param, Property, Schema, Signature, Tensor
from tests.interop.mlflow_side import MLflow

DATA = [  # written so that both sides make it
    """pd.DataFrame({"i8": np.array([1, 2], "int8"), "i": np.array([1, 2], "int32"), "l": [1, 2], "u": np.array([1, 2], "uint32")})""",
    """pd.DataFrame({"f": np.array([1, 2], "float32"), "d": [1., np.nan], "b": [True, False], "s": ["a", None], "by": [b"a", b"b"]})""",
    """pd.DataFrame({"t": pd.to_datetime(["2020-01-01"]), "z": pd.to_datetime(["2020-01-01"], utc=True), "day": [dt.date(2020, 1, 1)]})""",
    """pd.DataFrame({"c": pd.Categorical(["x", "y"]), "ci": pd.Categorical([1, 2]), "n": pd.Series([None, None], dtype=object)})""",
    """pd.DataFrame({"I": pd.array([1, 2], "Int64"), "B": pd.array([True, None], "boolean"), "S": pd.array(["a", None], "string")})""",
    """pd.DataFrame({"o": [{"a": 1}, {"a": 2, "b": "x"}], "a": [[1, 2], []], "v": [np.array([1., 2]), np.array([3.])]})""",
    """pd.DataFrame(np.zeros((2, 3)))""",
    """pd.Series([1, 2], name="x")""",
    """np.zeros((3, 4, 5), "float32")""",
    """np.array(["a", "bb"])""",
    """np.array([1, "a", None], dtype=object)""",
    """np.array(["2020-01-01"], dtype="datetime64[D]")""",
    """sp.csr_matrix(np.eye(3))""",
    """{"x": np.zeros((2, 3)), "y": np.array(["a"])}""",
    """{"a": 1, "b": "x", "c": [1, None], "d": {"k": None}, "e": None}""",
    """[{"a": 1, "b": None}, {"a": 2, "b": "x"}, {"a": 3, "b": "y", "c": [1.5]}]""",
    """[{"a": {"x": {"y": 1}}}, {"a": {"x": {"y": 2, "z": [True]}}}]""",
    """[1.5, None]""",
    """[[], [1]]""",
    """[]""",
    """["a", "b"]""",
    """"hello\"""",
    """[dt.datetime(2020, 1, 1)]""",
]
PARAMS = [
    """{"a": 1, "b": 2.5, "c": "x", "d": True, "l": [1, 2], "s": ["a"], "m": [1, 2.5]}""",
    """{"t": dt.datetime(2020, 1, 1, 3, 4), "d": dt.date(2020, 1, 1), "ts": [dt.datetime(2020, 1, 1)]}""",
    """{"o": {"x": 1, "y": ["a"]}, "n": np.float32(1.5), "i": np.int32(3), "v": np.array([1.5, 2])}""",
]
_OBJECT = ObjectType((Property("k", ArrayType(DataType.double)), Property("a", MapType(DataType.any), required=False)))
OURS = [
    Signature(Schema((Column("a", _OBJECT), Column("b", MapType(_OBJECT), required=False), Column("v", DataType.vector)))),
    Signature(Schema((Column(None, ArrayType(_OBJECT)), Column(None, DataType.binary)))),
    Signature(Schema((Column('é "', DataType.datetime), Column(3, DataType.integer)))),
    Signature(Schema((Tensor("bytes", (-1, 2), "x"), Tensor("datetime64[ns]", (), "y"))), Schema((Column(None, DataType.any),))),
    Signature(None, Schema((Tensor("complex64", (-1,)),)), (Param("p", DataType.double, 1), Param("q", DataType.string, ["a"], (-1,)))),
    Signature(Schema((Column("a", DataType.long),)), None, (Param("o", _OBJECT, {"k": [1.5]}), Param("n", DataType.float, None))),
]
DTYPES = ["bool", "int8", "int32", "int64", "uint8", "uint32", "uint64", "float32", "float64", "str", "datetime64[us]", "Int64", "string"]
KINDS = ["boolean", "integer", "long", "float", "double", "string", "datetime"]
CODE = """
import sys, json, warnings
import datetime as dt, numpy as np, pandas as pd
from scipy import sparse as sp
from mlflow.models import infer_signature, ModelSignature
from mlflow.models.utils import _enforce_schema
from mlflow.types.schema import Schema, ColSpec
warnings.simplefilter("ignore")
asked = json.loads(sys.argv[1])
def passes(kind, dtype):
    try:
        _enforce_schema(pd.DataFrame({"x": pd.Series([5, 2]).astype(dtype)}), Schema([ColSpec(kind, "x")]))
        return True
    except Exception:
        return False
answer = {
    "inputs": [infer_signature(eval(one)).to_dict()["inputs"] for one in asked["data"]],
    "params": [infer_signature([1], None, eval(one)).to_dict()["params"] for one in asked["params"]],
    "again": [ModelSignature.from_dict(one).to_dict() for one in asked["ours"]],
    "passes": [[kind, dtype] for kind in asked["kinds"] for dtype in asked["dtypes"] if passes(kind, dtype)],
}
"""


@pytest.fixture(scope="module")
def told(mlflow: MLflow, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What MLflow finds, reads and lets pass."""
    asked = {"data": DATA, "params": PARAMS, "ours": [one.to_mlmodel() for one in OURS], "kinds": KINDS, "dtypes": DTYPES}
    return mlflow.ask(tmp_path_factory.mktemp("signatures"), CODE, json.dumps(asked))


def _made(text: str) -> Any:
    return eval(text, {"pd": pd, "np": np, "dt": dt, "sp": sp})


def test_the_same_data_has_the_same_json(told: Any) -> None:
    """Frames, arrays, lists, mappings and parameters are described to the letter as MLflow describes them."""
    assert {text: infer(_made(text)).to_mlmodel()["inputs"] for text in DATA} == dict(zip(DATA, told["inputs"], strict=True))
    found = {text: infer([1], None, _made(text)).to_mlmodel()["params"] for text in PARAMS}
    assert found == dict(zip(PARAMS, told["params"], strict=True))


def test_mlflow_reads_what_is_written_here(told: Any) -> None:
    """And writes it again to the letter: nested types, tensors, parameters, names of any kind."""
    assert told["again"] == [one.to_mlmodel() for one in OURS]


def test_what_mlflow_lets_pass_passes(told: Any) -> None:
    """Columns of any dtype; beyond MLflow's, only whole numbers pass as floats, where these say them exactly."""
    theirs = {(kind, dtype) for kind, dtype in told["passes"]}
    ours = set()
    for kind in KINDS:
        for dtype in DTYPES:
            try:
                enforce(Signature(Schema((Column("x", DataType(kind)),))), pd.DataFrame({"x": pd.Series([5, 2]).astype(dtype)}))  # type: ignore[call-overload]
            except SignatureMismatch:
                continue
            ours.add((kind, dtype))
    assert theirs <= ours
    assert all(kind in ("float", "double") and dtype.lower().lstrip("u").startswith("int") for kind, dtype in ours - theirs)


ASK = """
import sys, mlflow
asked = {"list": [1.0, 2.0], "hints": ["a", "b"], "rows": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], "row": {"a": 1, "b": "x"}}
answer = {name: mlflow.pyfunc.load_model(f"{sys.argv[1]}/{name}").predict(data) for name, data in asked.items()}
"""


def test_python_models_are_given_by_mlflow_what_they_are_given_here(mlflow: MLflow, tmp_path: Path) -> None:
    """A function of a list, of rows or of one row gets these, though MLflow makes frames of data with columns."""

    def upper(texts: list[str]) -> list[str]:
        return [text.upper() for text in texts]

    save_model(lambda data: [2 * x for x in data], tmp_path / "list", input_example=[1.0, 2.0])
    save_model(upper, tmp_path / "hints")
    save_model(lambda data: [row["a"] * row["b"] for row in data], tmp_path / "rows", input_example=[{"a": 1, "b": "x"}])
    save_model(lambda data: data["a"] * data["b"], tmp_path / "row", input_example={"a": 1, "b": "x"})
    found = mlflow.ask(tmp_path, ASK, str(tmp_path))
    assert found == {"list": [2.0, 4.0], "hints": ["A", "B"], "rows": ["x", "yy"], "row": "x"}
