"""Signatures: their JSON, what is found by looking at data, and what data they let pass."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, Literal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest
from scipy import sparse  # type: ignore[import-untyped]

from prefect_ledger.errors import InvalidValue, SignatureMismatch
from prefect_ledger.models.column_types import DEPTH
from prefect_ledger.models.enforcement import Enforcer, enforce
from prefect_ledger.models.inference import from_hints, infer
from prefect_ledger.models.schema import ArrayType, Column, DataType, ObjectType, Param, Property, Schema, Signature, Tensor

WINE = {  # as MLflow 3.17 wrote it
    "inputs": '[{"type": "double", "name": "alcohol", "required": true}, {"type": "long", "name": "year", "required": false}]',
    "outputs": '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]',
    "params": '[{"name": "alpha", "default": 0.5, "shape": null, "type": "double"},'
    ' {"name": "names", "default": ["a"], "shape": [-1], "type": "string"},'
    ' {"name": "since", "default": "2020-01-01", "shape": null, "type": "datetime"}]',
}


def columns(**kinds: Any) -> Signature:
    """A signature of required columns."""
    return Signature(Schema(tuple(Column(name, kind) for name, kind in kinds.items())))


def tensor(dtype: str, *shape: int) -> Signature:
    """A signature of one tensor."""
    return Signature(Schema((Tensor(dtype, shape),)))


def said(signature: Signature) -> str:
    """The inputs on one line."""
    return str(signature.inputs).replace("\n", ", ")


# --- the values and their JSON ----------------------------------------------------------------------------------------


def test_the_json_is_mlflows() -> None:
    """What MLflow wrote is written again to the letter, and reads as what it means."""
    signature = Signature.from_mlmodel(WINE)
    assert signature.to_mlmodel() == WINE
    assert signature.inputs == Schema((Column("alcohol", DataType.double), Column("year", DataType.long, required=False)))
    assert signature.params[2].default == date(2020, 1, 1)
    assert str(signature).splitlines()[:3] == ["inputs", "  alcohol: double", "  year: long (optional)"]


def nested(depth: int) -> str:
    """A column of arrays, so many deep."""
    return '[{"type": "array", "items": ' + '{"type": "array", "items": ' * (depth - 1) + '{"type": "long"}' + "}" * depth + "]"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (nested(DEPTH + 1), "nested deeper than 64"),
        (nested(100_000), "nested deeper than 64|are no JSON"),
        ("[" * 1_000_000, "are no JSON"),
        ("9" * 5_000, "are no JSON"),
        ('"' + "a" * (16 << 20) + '"', "characters: that is no signature"),
        ("{", "are no JSON"),
        ("[]", "at least one column"),
        ("{}", "a schema is a list"),
        ("[3]", "a column or tensor is a JSON object"),
        ('[{"type": "int"}]', "a type is one of boolean, integer"),
        ('[{"type": "long", "name": 1.5}]', "the name of a column"),
        ('[{"type": "long", "name": "a", "required": 3}]', "required is true or false, not 3"),
        ('[{"type": "long", "name": "a"}, {"type": "long"}]', "all columns of a schema have names, or none"),
        ('[{"type": "long", "name": "a"}, {"type": "long", "name": "a"}]', "has the name 'a' twice"),
        ('[{"type": "long", "required": false}]', "cannot be optional"),
        ('[{"type": "tensor", "tensor-spec": {"dtype": "V8", "shape": [-1]}}]', "a tensor's dtype"),
        ('[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-2]}}]', "a tensor's shape"),
        ('[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [true]}}]', "a tensor's shape"),
        ('[{"type": "object", "properties": {}}]', "an object without properties"),
    ],
)
def test_hostile_json_is_refused(inputs: str, message: str) -> None:
    """However deep, long or wrong it is, the refusal says what is wrong."""
    with pytest.raises(InvalidValue, match=message):
        Signature.from_mlmodel({"inputs": inputs})
    assert Signature.from_mlmodel({"inputs": nested(DEPTH)}).inputs is not None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Param("a", DataType.double, "x"), "parameter 'a' is a str, 'x', where a double is wanted"),
        (lambda: Param("a", DataType.long, 2**63), "where a long is wanted"),
        (lambda: Param("a", DataType.integer, True), "is a bool, True, where an integer"),
        (lambda: Param("a", DataType.long, 1, (-1,)), "where a list of long is wanted"),
        (lambda: Param("a", DataType.long, [1], (2,)), r"the shape is \[-1\]"),
        (lambda: Param("a", DataType.binary, b""), "no parameter is of the type binary"),
        (lambda: Signature(None, None, (Param("a", DataType.long, 1), Param("a", DataType.long, 2))), "the parameter 'a' twice"),
        (lambda: Signature.from_mlmodel(3), "a signature is a mapping"),
        (lambda: Signature.from_mlmodel({"params": '[{"name": "a", "type": "long"}]'}), "name, type and default"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(make: Any, message: str) -> None:
    """Where it is made, its default included."""
    with pytest.raises(InvalidValue, match=message):
        make()


# --- found by looking ---------------------------------------------------------------------------------------------------


@dataclass
class Point:
    """Two numbers and perhaps a name."""

    x: float
    y: int
    name: str | None = None


class Basket(pydantic.BaseModel):
    """Points, and numbers by name."""

    points: list[Point]
    counts: dict[str, int] = {}
    kind: Literal["big", "small"] = "big"


class Colour(Enum):
    """A name."""

    RED = "red"


POINT = "name?: string, x: double, y: long"
FRAME = pd.DataFrame(
    {
        "i": np.array([1, 2], "int16"),
        "l": [1, 2],
        "f": np.array([1, 2], "float32"),
        "d": [1.0, None],
        "b": [True, False],
        "s": ["a", None],
        "t": pd.to_datetime(["2020-01-01", "2020-01-02"]),
        "c": pd.Categorical(["x", "y"]),
        "n": [None, None],
        "I": pd.array([1, 2], "Int64"),
        "gap": pd.array([1, None], "Int64"),
        "O": pd.Series([1, None], dtype=object),
        "day": [date(2020, 1, 1), None],
        "by": [b"a", b"b"],
        "o": [{"a": 1}, {"a": 2, "b": "x"}],
        "a": [[1, 2], []],
        "v": [np.array([1.5]), np.array([2.5])],
        "mixed": [1, "a"],
        "apart": pd.to_timedelta([1, 2]),
    }
)
SAID = (
    "i: integer, l: long, f: float, d: double (optional), b: boolean, s: string (optional), t: datetime, c: string,"
    " n: any (optional), I: long, gap: double (optional), O: double (optional), day: datetime (optional), by: binary,"
    " o: {a: long, b?: string}, a: array of long, v: array of double, mixed: any, apart: any"
)
SMALL = pd.DataFrame({"i": [1, 2], "s": ["a", "b"], "d": [0.5, None]})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (FRAME, SAID),
        (SMALL["i"], "i: long"),
        (pd.Series([1.5]), "double"),
        (pd.DataFrame(np.zeros((2, 2))), "0: double, 1: double"),
        (pl.from_pandas(SMALL), "i: long, s: string, d: double (optional)"),
        (pl.Series("x", [1, None]), "x: double (optional)"),
        (pa.Table.from_pandas(SMALL), "i: long, s: string, d: double (optional)"),
        (np.zeros((3, 4), "float32"), "float32 tensor (any, 4)"),
        (np.array(["a", "bb"]), "str tensor (any)"),
        (np.array([1, "a"], dtype=object), "object tensor (any)"),
        (np.array([1, 2], ">i4"), "int32 tensor (any)"),
        (sparse.csr_matrix(np.eye(3)), "float64 tensor (any, 3)"),
        ({"x": np.zeros((2, 3)), "y": np.array([b"a"])}, "x: float64 tensor (any, 3), y: bytes tensor (any)"),
        ({"a": 1, "b": "x", "c": [1, 2], "d": {"k": None}}, "a: long, b: string, c: array of long, d: {k?: any}"),
        ([{"a": 1, "b": None}, {"a": 2.5, "c": [{"x": True}]}], "a: double, b: any (optional), c: array of {x: boolean} (optional)"),
        ([1, None, 2.5], "double"),
        (["a", "b"], "string"),
        ([[1, 2], [2.5]], "array of double"),
        ([2**60 + 1, 2.5], "any"),
        ([], "string"),
        ("hello", "string"),
        (b"x", "binary"),
        (np.float32(1.5), "float"),
        (datetime(2020, 1, 1, tzinfo=UTC), "datetime"),
        (Point, "x: double, y: long, name: string (optional)"),
        ([Point(1, 2)], f"{{{POINT}}}"),
        (Basket, f"points: array of {{{POINT}}}, counts: map to long, kind: string"),
    ],
)
def test_data_has_a_schema(data: Any, expected: str) -> None:
    """The types that data of each kind has; data itself passes the signature found from it."""
    signature = infer(data)
    assert said(signature) == expected
    assert Signature.from_mlmodel(signature.to_mlmodel()) == signature
    if not isinstance(data, type):
        enforce(signature, data)


@pytest.mark.parametrize(
    "column",
    [
        pd.arrays.SparseArray([0.0, 1.5]),
        pd.array([1, None], dtype="int64[pyarrow]"),
        pd.array(["a", None], dtype="string[pyarrow]"),
        pd.period_range("2020", periods=2, freq="D"),
        pd.interval_range(0, 2),
        pd.Series([pd.Timestamp("2020-01-01", tz="UTC"), pd.Timestamp("2020-01-01")], dtype=object),
        pd.Series([10**5000, 1], dtype=object),
    ],
)
def test_columns_of_every_kind_pass_their_own_signature(column: Any) -> None:
    """Those of other libraries and of rare dtypes too."""
    frame = pd.DataFrame({"x": column})
    found, _ = enforce(infer(frame), frame)
    assert found["x"].dropna().tolist()[1:] == frame["x"].dropna().tolist()[1:]


@pytest.mark.parametrize("data", [object(), pd.DataFrame({1.5: [1]}), pd.DataFrame([[1, 2]], columns=["a", "a"])])
def test_what_no_schema_says_is_refused_as_input_and_any_as_output(data: Any) -> None:
    """A model may give anything; what it eats must be sayable."""
    with pytest.raises(InvalidValue):
        infer(data)
    assert infer([1], data).outputs == Schema((Column(None, DataType.any),))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, "p: long = 1"),
        (0.5, "p: double = 0.5"),
        (np.float32(0.5), "p: float = 0.5"),
        (True, "p: boolean = True"),
        ("x", "p: string = 'x'"),
        ([1, 2.5], "p: double list = [1.0, 2.5]"),
        (np.array([1, 2]), "p: long list = [1, 2]"),
        ([], "p: string list = []"),
        (date(2020, 1, 1), "p: datetime = datetime.date(2020, 1, 1)"),
        ({"x": [1]}, "p: {x: array of long} = {'x': [1]}"),
    ],
)
def test_parameters_have_types(value: Any, expected: str) -> None:
    """Of their defaults, which are kept."""
    (found,) = infer([1], params={"p": value}).params
    assert str(found) == expected


@pytest.mark.parametrize("value", [None, [1, "a"], [[1]], object(), b"x"])
def test_a_parameter_without_a_type_is_refused(value: Any) -> None:
    """With its name."""
    with pytest.raises(InvalidValue, match="'p'"):
        infer([1], params={"p": value})


def test_type_hints_say_a_signature() -> None:
    """Of lists; a frame's hint, a hint that is missing, and one for something else say none."""

    class Model:
        def predict(self, context: Any, model_input: list[Basket], params: dict[str, Any] | None = None) -> list[float]:
            raise NotImplementedError

    def texts(texts: list[str]) -> dict[str, int]: ...  # type: ignore[empty-body]
    def plain(data) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
    def frame(data: pd.DataFrame) -> pd.Series: ...  # type: ignore[empty-body]
    def wrong(data: list[complex]) -> None: ...
    def mixed(data: list[dict[str, list[int | str]]]) -> None: ...
    def colours(data: list[Colour]) -> None: ...

    basket = f"{{counts: map to long, kind: string, points: array of {{{POINT}}}}}"
    assert str(from_hints(Model().predict)).splitlines() == ["inputs", f"  {basket}", "outputs", "  double"]
    assert str(from_hints(Model.predict)).splitlines()[1] == f"  {basket}"
    assert str(from_hints(texts)).splitlines() == ["inputs", "  string", "outputs", "  map to long"]
    assert str(from_hints(mixed)).splitlines() == ["inputs", "  map to array of any", "outputs", "  any"]
    assert str(from_hints(colours)).splitlines()[1] == "  string"
    assert [from_hints(one) for one in (plain, frame, wrong, len, 3)] == [None] * 5  # type: ignore[arg-type]


# --- what passes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("have", "want", "passes"),
    [
        ("int32", "long", True),
        ("int64", "integer", False),
        ("uint8", "integer", True),
        ("uint32", "integer", False),
        ("uint32", "long", True),
        ("int32", "double", True),
        ("int64", "double", True),
        ("float32", "double", True),
        ("float64", "float", False),
        ("float64", "long", False),
        ("bool", "long", False),
        ("int64", "boolean", False),
        ("int64", "string", False),
        ("str", "double", False),
        ("str", "datetime", False),
        ("datetime64[us]", "datetime", True),
        ("int64", "datetime", False),
        ("category", "long", True),
        ("Int32", "long", True),
        ("Float32", "double", True),
        ("boolean", "boolean", True),
        ("string", "string", True),
        ("object", "long", True),
    ],
)
def test_columns_are_widened_and_never_narrowed(have: str, want: str, passes: bool) -> None:
    """Types of columns decide, and the message names the column and both types."""
    flags = have in ("bool", "boolean")
    dtype: Any = have
    frame = pd.DataFrame({"x": pd.Series([True, False] if flags else [1, 2]).astype(dtype)})
    if passes:
        found, _ = enforce(columns(x=want), frame)
        assert found["x"].tolist() == frame["x"].tolist()
        return
    with pytest.raises(SignatureMismatch, match=rf"^column 'x' is an? {have}.*where an? {want} is wanted") as caught:
        enforce(columns(x=want), frame)
    assert (caught.value.field, caught.value.found, caught.value.wanted) == ("x", have, want)


def test_whole_numbers_are_doubles_only_where_these_say_them() -> None:
    """2^53 + 1 is no double, so a column with it is refused rather than changed."""
    assert enforce(columns(x="double"), pd.DataFrame({"x": [2**53]}))[0]["x"].tolist() == [2.0**53]
    with pytest.raises(SignatureMismatch, match="column 'x' is an int64, where a double is wanted and values could change"):
        enforce(columns(x="double"), pd.DataFrame({"x": [2**53 + 1]}))
    with pytest.raises(SignatureMismatch, match="row 0 is an int, 9007199254740993, where a double"):
        enforce(columns(x="double"), [{"x": 2**53 + 1}])


def test_a_column_of_objects_names_its_first_wrong_row() -> None:
    """With the value; and nested values the way to it."""
    frame = pd.DataFrame({"s": pd.Series(["a", None, 3], dtype=object)})
    with pytest.raises(SignatureMismatch, match=r"^column 's', row 2 is an int, 3, where a string is wanted"):
        enforce(columns(s="string"), frame)
    ids = columns(ids=ArrayType(ObjectType((Property("n", DataType.long), Property("w", DataType.double, required=False)))))
    assert enforce(ids, [{"ids": [{"n": 1, "w": 2}]}])[0] == [{"ids": [{"n": 1, "w": 2.0}]}]
    for wrong, message in [
        ([{"n": 1}, {"n": 2.5}], r"column 'ids', row 0\[1\].n is a float, 2.5, where a long"),
        ([{}], r"column 'ids', row 0\[0\] lacks 'n'"),
        ([{"n": 1, "m": 2}], "has 'm', which its type does not know: it knows 'n', 'w'"),
        (3, "row 0 is an int, 3, where an array of"),
    ]:
        with pytest.raises(SignatureMismatch, match=message):
            enforce(ids, [{"ids": wrong}])


def test_missing_columns_are_named_together_and_others_left_out() -> None:
    """Optional ones may be missing; the order is the signature's."""
    signature = Signature(Schema((Column("a", DataType.long), Column("b", DataType.long), Column("c", DataType.string, required=False))))
    with pytest.raises(
        SignatureMismatch, match=r"^the data lacks the columns 'a', 'b'; it has 'A', 'z', which the signature does not know$"
    ):
        enforce(signature, pd.DataFrame({"A": [1], "z": [2]}))
    assert list(enforce(signature, pd.DataFrame({"z": [0], "b": [1], "a": [2]}))[0].columns) == ["a", "b"]
    assert enforce(signature, {"z": 0, "b": 1, "a": 2})[0] == {"a": 2, "b": 1}
    assert enforce(signature, [{"z": 0, "b": 1, "a": 2, "c": None}])[0] == [{"a": 2, "b": 1, "c": None}]
    with pytest.raises(SignatureMismatch, match="row 1 lacks the column 'b'"):
        enforce(signature, [{"a": 1, "b": 2}, {"a": 1}])


@pytest.mark.parametrize("frame", [pl.DataFrame({"s": ["a"], "x": [1]}), pa.table({"s": ["a"], "x": [1]})])
def test_frames_of_other_libraries_become_pandas(frame: Any) -> None:
    """As the model was made with one kind of them."""
    found, _ = enforce(columns(x="double", s="string"), frame)
    assert isinstance(found, pd.DataFrame)
    assert found.to_dict("list") == {"x": [1.0], "s": ["a"]}


def test_data_stays_what_it_is_or_becomes_a_frame() -> None:
    """Rows, columns and arrays are given on as such, or as frames where a model wants those."""
    signature = columns(x="double", s="string")
    framed = Enforcer(signature, frame=True)
    for data in ([{"x": 1, "s": "a"}, {"x": 2, "s": "b"}], {"x": [1, 2], "s": ["a", "b"]}, {"x": np.array([1, 2]), "s": ["a", "b"]}):
        assert framed(data)[0].to_dict("list") == {"x": [1.0, 2.0], "s": ["a", "b"]}
        assert type(enforce(signature, data)[0]) is type(data)
    assert framed({"x": 1, "s": "a"})[0].to_dict("list") == {"x": [1.0], "s": ["a"]}
    unnamed = Signature(Schema((Column(None, DataType.double), Column(None, DataType.double))))
    assert enforce(unnamed, np.array([[1, 2]]))[0].tolist() == [[1.0, 2.0]]
    assert enforce(unnamed, [[1, 2]])[0] == [[1.0, 2.0]]
    assert Enforcer(unnamed, frame=True)([[1, 2]])[0].dtypes.tolist() == [np.dtype("float64")] * 2


def test_what_is_right_already_is_given_on_itself() -> None:
    """No copy is made of an array or a frame that needs no change."""
    array = np.zeros((5, 20))
    frame = pd.DataFrame(array, columns=[f"c{n}" for n in range(20)])
    for data in (array, frame, sparse.csr_matrix(array), {"x": array}["x"]):
        enforcer = Enforcer(infer(data))
        assert all(enforcer(data)[0] is data for _ in range(3))


@pytest.mark.parametrize(
    ("signature", "data", "message"),
    [
        (tensor("float64", -1, 3), np.zeros((2, 4)), r"^the data has the shape \(2, 4\), where \(-1, 3\) is wanted"),
        (tensor("float64", -1, 3), np.zeros(3), r"has the shape \(3,\)"),
        (tensor("float32", -1), np.zeros(3), "is of the dtype float64, where float32 is wanted"),
        (tensor("int64", -1), np.zeros(3), "is of the dtype float64, where int64 is wanted"),
        (tensor("int64", -1), np.array([True]), "is of the dtype bool, where int64"),
        (tensor("float64", -1), np.array(["1"]), "is of the dtype <U1, where float64"),
        (tensor("float64", -1, 2), [[1, 2], [3]], "lists of several lengths"),
        (tensor("int64", -1), [True, 2], "a list of bool and int"),
        (tensor("str", -1), ["a", 2], "a list of int and str"),
        (tensor("float64", -1), [10**400], "could change"),
        (tensor("float64", -1), [1.5, None], "is of the dtype object, where float64"),
        (tensor("float64", -1, 2), "x", "is a str, where an array is wanted"),
        (
            tensor("float64", -1, 2),
            pd.DataFrame({"a": [1.0], "b": ["x"]}),
            "column 'b' is of the dtype object|column 'b' is of the dtype str",
        ),
        (tensor("float64", -1, 3), pd.DataFrame({"a": [1.0], "b": [1.0]}), r"has the shape \(1, 2\)"),
        (Signature(Schema((Tensor("float64", (-1,), "x"), Tensor("float64", (-1,), "y")))), {"x": np.zeros(1)}, "lacks the tensor 'y'"),
        (
            Signature(Schema((Tensor("float64", (-1,), "x"), Tensor("int64", (-1,), "y")))),
            np.zeros(1),
            "a mapping with the tensors 'x', 'y'",
        ),
        (columns(a="long", b="long"), np.zeros((2, 2)), "a frame or mappings with the columns 'a', 'b' are wanted"),
        (columns(a="long"), "x", "the data is a str, where a frame"),
        (columns(a="long"), [3], "row 0 is an int, where a mapping"),
        (columns(a="long", b="long"), {"a": [1, 2], "b": [1]}, "column 'b' has 1 values"),
        (Signature(Schema((Column(None, DataType.long),))), ["x"], "row 0 is a str, 'x', where a long is wanted"),
        (Signature(Schema((Column(None, DataType.string),))), 3, "the data is an int, 3, where a string is wanted"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(signature: Signature, data: Any, message: str) -> None:
    """The message says what was found and what is wanted."""
    with pytest.raises(SignatureMismatch, match=message):
        enforce(signature, data)


@pytest.mark.parametrize(
    ("signature", "data", "expected"),
    [
        (tensor("float64", -1, 2), np.array([[1, 2]], "int32"), [[1.0, 2.0]]),
        (tensor("float64", -1, 2), [[1, 2.5]], [[1.0, 2.5]]),
        (tensor("float32", -1), [0.5, 2], [0.5, 2.0]),
        (tensor("str", -1), ["a", "bcd"], ["a", "bcd"]),
        (tensor("float64", -1, 2), pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]}), [[1.0, 0.5], [2.0, 1.5]]),
        (tensor("float64", -1, 2, 2), pd.DataFrame({"a": [[1.0, 2.0, 3.0, 4.0]]}), [[[1.0, 2.0], [3.0, 4.0]]]),
        (tensor("float64", -1, -1), np.zeros((1, 2)), [[0.0, 0.0]]),
        (tensor("object", -1), np.array([1, "a"], dtype=object), [1, "a"]),
        (tensor("object", -1), [1, "a"], [1, "a"]),
        (tensor("bool", -1), [True, False], [True, False]),
        (tensor("float64", -1, 2), [], []),
        (Signature(Schema((Tensor("float64", (-1,), "x"),))), {"x": [1, 2]}, [1.0, 2.0]),
    ],
)
def test_tensors_are_made_of_what_fits(signature: Signature, data: Any, expected: Any) -> None:
    """Arrays of narrower dtypes, lists, and frames by columns or cells."""
    found, _ = enforce(signature, data)
    found = found["x"] if isinstance(found, dict) else found
    assert found.tolist() == expected
    assert found.dtype.kind == np.dtype({"str": "U"}.get(signature.inputs.fields[0].dtype, signature.inputs.fields[0].dtype)).kind  # type: ignore[union-attr]


def test_json_has_no_widths_times_or_bytes() -> None:
    """Data read from JSON: numbers must only fit, times are ISO text and bytes base64. Data that was not, is not read so."""
    signature = columns(i="integer", f="float", t="datetime", b="binary")
    row = {"i": 3, "f": 0.1, "t": "2020-01-01T12:00:00+02:00", "b": "YQ=="}
    frame = pd.DataFrame([row])
    (found,) = Enforcer(signature, json=True)([row])[0]
    assert found == {"i": 3, "f": 0.1, "t": datetime(2020, 1, 1, 10), "b": b"a"}  # noqa: DTZ001
    made, _ = Enforcer(signature, json=True)(frame)
    assert made.dtypes.tolist()[:2] == [np.dtype("int32"), np.dtype("float32")]
    assert made["t"].tolist() == [pd.Timestamp("2020-01-01T10:00:00")]
    assert made["b"].tolist() == [b"a"]
    for data in ([row], frame):
        with pytest.raises(SignatureMismatch):
            enforce(signature, data)
    for wrong in ({"i": 2**31}, {"i": 1.0}, {"t": "soon"}, {"b": "?"}, {"f": "1"}):
        for data in ([row | wrong], pd.DataFrame([row | wrong])):
            with pytest.raises(SignatureMismatch, match=f"column '{next(iter(wrong))}'"):
                Enforcer(signature, json=True)(data)
    assert Enforcer(tensor("float32", -1), json=True)([0.1])[0].dtype == np.float32
    assert np.isnan(Enforcer(tensor("float64", -1), json=True)([0.5, None])[0]).tolist() == [False, True]
    numbered = Enforcer(infer(pd.DataFrame(np.zeros((1, 2)))), json=True)
    assert numbered([{"0": 1, "1": 2}])[0] == [{0: 1.0, 1: 2.0}]
    assert numbered(pd.DataFrame([{"1": 2, "0": 1}]))[0].to_dict("list") == {0: [1.0], 1: [2.0]}
    times, _ = Enforcer(tensor("datetime64[s]", -1), json=True)(["2020-01-01T00:00:01"])
    assert times.tolist() == [datetime(2020, 1, 1, 0, 0, 1)]  # noqa: DTZ001


def test_parameters_have_defaults_and_are_widened() -> None:
    """What is not given is the default, each time anew; what is unknown or would change is refused."""
    enforcer = Enforcer(infer([1], params={"alpha": 0.5, "names": ["a"], "k": 3}))
    assert enforcer([1])[1] == {"alpha": 0.5, "names": ["a"], "k": 3}
    enforcer([1])[1]["names"].append("b")
    assert enforcer([1], {"alpha": 2, "names": ("x",)})[1] == {"alpha": 2.0, "names": ["x"], "k": 3}
    assert type(enforcer([1], {"alpha": np.float32(0.25)})[1]["alpha"]) is float
    for wrong, message in [
        ({"beta": 1}, "does not know the parameter 'beta': it knows 'alpha', 'names', 'k'"),
        ({"alpha": "0.5"}, "parameter 'alpha' is a str, '0.5', where a double is wanted"),
        ({"k": 3.0}, "parameter 'k' is a float, 3.0, where a long is wanted"),
        ({"k": True}, "parameter 'k' is a bool"),
        ({"names": "x"}, "parameter 'names' is a str, where a list of string is wanted"),
        ({"names": ["x", 1]}, "parameter 'names', item 1 is an int"),
        ([1], "parameters are a mapping"),
    ]:
        with pytest.raises(SignatureMismatch, match=message):
            enforcer([1], wrong)  # type: ignore[arg-type]
    with pytest.raises(SignatureMismatch, match="does not know the parameter 'a': it knows none"):
        enforce(infer([1]), [1], {"a": 1})
    assert enforce(infer([1]), [1], {}) == ([1], {})


def test_objects_of_models_pass_as_they_are() -> None:
    """Where their fields are right."""
    points = [Point(1.0, 2)]
    assert enforce(infer(points), points)[0][0] is points[0]
    with pytest.raises(SignatureMismatch, match=r"row 0\.y is a str"):
        enforce(infer(points), [Point(1.0, "x")])  # type: ignore[arg-type]


def test_signatures_import_neither_numpy_nor_pandas() -> None:
    """Nor anything else that the data did not bring: a model of plain values is asked without them."""
    code = """
import sys
from prefect_ledger.models.inference import infer
from prefect_ledger.models.enforcement import Enforcer
assert Enforcer(infer([{"a": 1}], params={"k": 2}))([{"a": 2}]) == ([{"a": 2}], {"k": 2})
print([name for name in ("numpy", "pandas", "pydantic", "scipy", "polars", "pyarrow") if name in sys.modules])
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_messages_quote_no_secret() -> None:
    """A value under the name of a secret is masked, wherever it is wrong."""
    asked = infer([{"password": 1}], params={"api_key": 1})
    for data, given in (([{"password": "hunter2"}], {}), ([{"password": 1}], {"api_key": "hunter2"})):
        with pytest.raises(SignatureMismatch, match=r"is a str, \*\*\*\*\*\*\*\*, where a long is wanted"):
            enforce(asked, data, given)
