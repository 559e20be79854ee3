"""Signatures of models: what holds for every signature, every JSON and all data."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger.errors import InvalidValue, SignatureMismatch
from prefect_ledger.models.enforcement import Enforcer, enforce
from prefect_ledger.models.inference import infer
from prefect_ledger.models.schema import ArrayType, Column, DataType, MapType, ObjectType, Param, Property, Schema, Signature, Tensor

LAW = settings(max_examples=120, deadline=None)
names = st.text(max_size=6) | st.sampled_from(["type", "name", "properties", 'a"b', "é\n", "\ud800"])
scalars = st.sampled_from([one for one in DataType if one is not DataType.vector])


def _within(kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.lists(st.builds(Property, names, kinds, st.booleans()), min_size=1, max_size=3, unique_by=lambda one: one.name)
    return st.builds(ArrayType, kinds) | st.builds(MapType, kinds) | st.builds(ObjectType, properties.map(tuple))


kinds = st.recursive(st.sampled_from(list(DataType)), _within, max_leaves=6)
column_names = names | st.integers(0, 50)
named_columns = st.lists(st.builds(Column, column_names, kinds, st.booleans()), min_size=1, max_size=5, unique_by=lambda one: one.name)
placed_columns = st.lists(st.builds(Column, st.none(), kinds), min_size=1, max_size=4)
dtypes = st.sampled_from("bool int8 uint64 int64 float16 float32 float64 complex64 str bytes object datetime64[ns] timedelta64[us]".split())
shapes = st.lists(st.integers(-1, 40), max_size=4).map(tuple)
tensors = st.lists(st.builds(Tensor, dtypes, shapes, names), min_size=1, max_size=4, unique_by=lambda one: one.name)
fields: st.SearchStrategy[Any] = named_columns | placed_columns | tensors | st.builds(Tensor, dtypes, shapes).map(lambda one: [one])
schemas = fields.map(tuple).map(Schema)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "string": st.text(max_size=5),
    "datetime": st.datetimes(),
}


@st.composite
def _params(draw: st.DrawFn) -> Param:
    kind = draw(st.sampled_from(sorted(VALUES)))
    if draw(st.booleans()):
        return Param(draw(names), DataType.named(kind), draw(st.lists(VALUES[kind], max_size=3)), (-1,))
    return Param(draw(names), DataType.named(kind), draw(VALUES[kind]))


params = st.lists(_params(), max_size=3, unique_by=lambda one: one.name).map(tuple)
signatures = st.builds(Signature, schemas, st.none() | schemas, params)
plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["tensor", "object", "array", "map", "long"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "name", "required", "items", "values", "properties", "tensor-spec", "dtype", "shape", "default"]),
            inner,
        )
    ),
    max_leaves=12,
)


# --- the JSON ------------------------------------------------------------------------------------------------------------


@LAW
@given(signatures)
def test_a_signature_is_read_as_it_was_written(signature: Signature) -> None:
    """What an MLmodel file says of a signature is that signature, to the letter."""
    written = signature.to_mlmodel()
    assert Signature.from_mlmodel(written) == signature
    assert Signature.from_mlmodel(written).to_mlmodel() == written
    assert Signature.from_dict(signature.to_dict()) == signature
    assert str(signature)


@LAW
@given(plain_json, st.sampled_from(["inputs", "outputs", "params"]))
def test_json_that_is_no_signature_is_refused(found: Any, key: str) -> None:
    """Whatever JSON a file holds, it is a signature or it is refused by InvalidValue."""
    with contextlib.suppress(InvalidValue):
        Signature.from_mlmodel({key: json.dumps(found)})
    with contextlib.suppress(InvalidValue):
        Signature.from_mlmodel({key: json.dumps([found])})
    with contextlib.suppress(InvalidValue):
        Signature.from_dict({key: found})


@LAW
@given(signatures, plain_json, st.randoms(use_true_random=False))
def test_a_signature_of_which_a_part_is_another_is_read_or_refused(signature: Signature, other: Any, random: Any) -> None:
    """One wrong value anywhere in a signature's JSON does not break its reader."""
    found = json.loads(json.dumps(signature.to_dict()))
    places = list(_places(found))
    holder, key = places[random.randrange(len(places))]
    holder[key] = other
    with contextlib.suppress(InvalidValue):
        Signature.from_mlmodel({name: None if part is None else json.dumps(part) for name, part in found.items()})


def _places(found: Any) -> Any:
    for key, value in list(found.items() if isinstance(found, dict) else enumerate(found)):
        yield found, key
        if isinstance(value, dict | list):
            yield from _places(value)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '[{"type": ' + '{"type": ' * 50_000,
        '[{"name": "a", ' + '"type": "array", "items": {' * 900 + '"type": "long"' + "}" * 900 + "}]",
        '[{"name": "a", ' + '"type": "map", "values": {' * 100 + '"type": "long"' + "}" * 100 + "}]",
        '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [' + "9" * 5_000 + "]}}]",
        '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [' + "9" * 100 + "]}}]",
        '[{"type": "tensor", "tensor-spec": {"dtype": "f8,O", "shape": [-1]}}]',
        '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [true]}}]',
        '[{"type": "long", "name": "a"}, {"type": "long", "name": "a"}]',
        '[{"type": "long", "name": "a"}, {"type": "long"}]',
        '[{"type": "long", "name": "a"}, {"type": "tensor", "name": "b", "tensor-spec": {"dtype": "int8", "shape": []}}]',
        '[{"type": "long", "name": ["a", "b"]}]',
        '[{"type": "long", "required": "yes"}]',
        '[{"type": "object", "properties": {}, "name": "a"}]',
        "[]",
        "{}",
        "5",
        "\ufeff[]",
        " " * (17 << 20),
    ],
    ids=lambda text: text[:40].strip() or "blank",
)
def test_hostile_json_is_refused(text: str) -> None:
    """Depth, size and wrong kinds end in InvalidValue, nowhere else."""
    with pytest.raises(InvalidValue):
        Signature.from_mlmodel({"inputs": text})


# --- data that a signature was found from -----------------------------------------------------------------------------------


def _series(values: st.SearchStrategy[Any], dtype: str, *, holes: bool = False) -> st.SearchStrategy[Any]:
    items = st.lists(values | st.none() if holes else values, min_size=3, max_size=3)
    return items.map(lambda found: pd.Series(found, dtype=dtype))


times = st.integers(-(10**15), 10**15).map(lambda micros: datetime(2000, 1, 1) + timedelta(microseconds=micros))  # noqa: DTZ001 - naive is meant
columns = st.one_of(
    _series(st.integers(-128, 127), "int8"),
    _series(VALUES["integer"], "int32"),
    _series(VALUES["long"], "int64"),
    _series(VALUES["float"], "float32"),
    _series(st.floats(), "float64"),
    _series(st.booleans(), "bool"),
    _series(st.text(max_size=4), "str", holes=True),
    _series(st.text(max_size=4), "object", holes=True),
    _series(st.binary(max_size=4), "object", holes=True),
    _series(st.booleans(), "object", holes=True),
    _series(VALUES["long"], "Int64", holes=True),
    _series(VALUES["float"], "Float32", holes=True),
    _series(st.booleans(), "boolean", holes=True),
    _series(times, "datetime64[us]", holes=True),
    _series(times, "datetime64[us, UTC]"),
    _series(st.sampled_from("abc"), "category", holes=True),
    _series(st.lists(st.integers(-5, 5), max_size=2), "object"),
    _series(st.fixed_dictionaries({"k": st.text(max_size=2)}, optional={"n": st.integers(0, 9)}), "object"),
)
frames = st.lists(columns, min_size=1, max_size=5).map(lambda parts: pd.DataFrame({f"c{at}": part for at, part in enumerate(parts)}))
leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=4) | st.binary(max_size=3)
nested = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=8
)
records = st.lists(st.dictionaries(st.sampled_from("abc"), nested, min_size=1), min_size=1, max_size=4)
objects = (
    records
    | st.dictionaries(st.text(max_size=3), nested, max_size=3)
    | st.lists(nested, max_size=4)
    | leaves.filter(lambda one: one is not None)
)


@LAW
@given(frames)
def test_a_frame_fits_the_signature_found_from_it(frame: pd.DataFrame) -> None:
    """A signature takes the frame it was found from: no value, name or index of it changes, before and after the file."""
    signature = infer(frame)
    found, _ = enforce(Signature.from_mlmodel(signature.to_mlmodel()), frame)
    assert found.index.equals(frame.index)
    assert found.columns.tolist() == frame.columns.tolist()
    for name in frame:
        assert _alike(found[name].tolist(), frame[name].tolist())


@LAW
@given(objects)
def test_values_fit_the_signature_found_from_them(data: Any) -> None:
    """The same for lists, mappings and single values, which keep their form."""
    found, _ = enforce(Signature.from_mlmodel(infer(data).to_mlmodel()), data)
    assert _alike(found, data)


@LAW
@given(st.sampled_from("bool uint8 int32 int64 float32 float64 complex128 <U3 S2 datetime64[s] object".split()), shapes, st.booleans())
def test_an_array_fits_the_signature_found_from_it(dtype: str, shape: tuple[int, ...], mapped: bool) -> None:
    """An array of any dtype passes as it is, alone and under a name."""
    array = np.zeros((2, *(abs(length) % 4 for length in shape)), dtype=dtype)
    data: Any = {"x": array} if mapped else array
    found, _ = enforce(infer(data), data)
    assert (found["x"] if mapped else found) is array


def _asked(enforcer: Callable[[Any], tuple[Any, Any]], data: Any) -> tuple[Any, SignatureMismatch | None]:
    try:
        return enforcer(data)[0], None
    except SignatureMismatch as error:
        return None, error


def _alike(found: Any, given: Any) -> bool:
    """Equal, where not-a-number equals itself and what is missing is missing."""
    if isinstance(given, dict):
        return found.keys() == given.keys() and all(_alike(found[key], given[key]) for key in given)
    if isinstance(given, list | tuple):
        return len(found) == len(given) and all(map(_alike, found, given))
    return bool(found == given) if not _missing(given) else _missing(found)


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


# --- widening ---------------------------------------------------------------------------------------------------------------

NUMBERS = "int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64".split()
NULLABLE = {name: ("U" if name[0] == "u" else "") + "Int" + name.lstrip("uint") for name in NUMBERS if "int" in name}
OF_COLUMNS = {"integer": "int32", "long": "int64", "float": "float32", "double": "float64"}


@st.composite
def _arrays(draw: st.DrawFn) -> Any:
    dtype = np.dtype(draw(st.sampled_from(NUMBERS)))
    if dtype.kind == "f":
        wide: Any = draw(st.lists(st.floats(width=8 * dtype.itemsize), max_size=4))  # type: ignore[arg-type]
    else:
        ends = np.iinfo(dtype.name)
        near = st.sampled_from([ends.min, ends.max, ends.max - 1, 0, 1])
        wide = draw(st.lists(near | st.integers(int(ends.min), int(ends.max)) | st.integers(0, 100), max_size=4))
    return np.array(wide, dtype=dtype)


@LAW
@given(_arrays(), st.sampled_from(NUMBERS), st.booleans())
def test_widening_a_tensor_changes_no_value(array: Any, wanted: str, json_source: bool) -> None:
    """An array comes back in the wanted dtype with equal values, or is refused; from JSON only floats may be rounded."""
    enforcer = Enforcer(Signature(Schema((Tensor(wanted, (-1,)),))), json=json_source)
    found, refused = _asked(enforcer, array)
    if refused is not None:
        return
    assert found.dtype == wanted
    if not (json_source and found.dtype.kind == "f"):
        assert _alike(found.tolist(), array.tolist())


@LAW
@given(_arrays(), st.sampled_from(sorted(OF_COLUMNS)), st.sampled_from(["plain", "nullable", "objects", "list"]))
def test_widening_a_column_changes_no_value(array: Any, wanted: str, form: str) -> None:
    """The same for columns, of every kind of frame and for lists; what comes back is of the type, and passes again as it is."""
    enforcer = Enforcer(Signature(Schema((Column("a", DataType.named(wanted)),))))
    column: Any = {
        "plain": lambda: pd.Series(array),
        "nullable": lambda: pd.Series(array, dtype=NULLABLE.get(array.dtype.name, array.dtype)),
        "objects": lambda: pd.Series(array.tolist(), dtype=object),
        "list": array.tolist,
    }[form]()
    data: Any = {"a": column} if form == "list" else pd.DataFrame({"a": column})
    found, refused = _asked(enforcer, data)
    if refused is not None:
        return
    assert _alike(list(found["a"]), array.tolist())
    again, _ = enforcer(found)
    if form == "list":
        assert again == found or array.dtype.kind == "f"
    else:
        assert str(found["a"].dtype).lower() == OF_COLUMNS[wanted]
        assert again is found


@LAW
@given(frames, st.lists(scalars, min_size=5, max_size=5))
def test_what_is_given_back_passes_again(frame: pd.DataFrame, wanted: list[DataType]) -> None:
    """A frame that was brought to a signature fits it: asking again changes nothing more."""
    enforcer = Enforcer(Signature(Schema(tuple(Column(name, wanted[at], required=False) for at, name in enumerate(frame.columns)))))
    found, refused = _asked(enforcer, frame)
    if refused is not None:
        assert refused.field in frame.columns
        assert refused.wanted
        return
    again, _ = enforcer(found)
    assert again.dtypes.tolist() == found.dtypes.tolist()
    for name in found:
        assert _alike(again[name].tolist(), found[name].tolist())


@LAW
@given(params, st.dictionaries(names, leaves, max_size=3))
def test_parameters_have_the_types_of_their_defaults_or_are_refused(known: tuple[Param, ...], asked: dict[str, Any]) -> None:
    """Every known parameter comes back, of its type and with its value; an unknown one is refused by name."""
    signature = Signature(Schema((Column(None, DataType.any),)), None, known)
    found, refused = _asked(lambda given: enforce(signature, 1, given)[::-1], asked)
    if refused is not None:
        assert refused.field in {*map(str, asked)}
        return
    assert set(found) == {one.name for one in known}
    for one in known:
        value = asked.get(one.name, list(one.default) if one.shape else one.default)
        assert _alike(found[one.name], value)
        assert found[one.name] is None or one.shape or isinstance(found[one.name], _PYTHON[str(one.type)])


_PYTHON = {"boolean": bool, "integer": int, "long": int, "float": float, "double": float, "string": str, "datetime": date}
