"""Datasets: the digest is of content, the same in every process, and any change of the data changes it."""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import os
import pathlib
import subprocess
import sys
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger.errors import InvalidName, InvalidValue
from prefect_ledger.tracking import digests
from prefect_ledger.tracking.datasets import describe, is_tabular

LAW = settings(max_examples=120, deadline=None)


def digest(data: Any) -> str:
    """The digest alone."""
    found = describe(data, name="d").digest
    assert len(found) == 64
    assert set(found) <= set("0123456789abcdef")
    return found


FRAME = pd.DataFrame({"age": [40, 31, 25], "name": ["a", None, "c"], "score": [0.5, np.nan, 1.5], "ok": [True, False, True]})
EVERY_DTYPE = pd.DataFrame(
    {
        "int": [1, 2],
        "text": ["x", None],
        "time": pd.to_datetime(["2020", "2021"]),
        "category": pd.Categorical(["u", "v"]),
        "nullable": pd.array([1, None], dtype="Int64"),
        "zoned": pd.to_datetime(["2020", "2021"]).tz_localize("Europe/Berlin"),
        "sparse": pd.arrays.SparseArray([0, 1]),
        "period": pd.period_range("2020", periods=2, freq="M"),
        "interval": pd.interval_range(0, 2),
        "arrow": pd.Series([1, None], dtype="int64[pyarrow]"),
        "objects": pd.Series([[1, {"b"}], {"a": (2, decimal.Decimal("1.0"))}], dtype=object),
        "maybe": pd.array([True, None], dtype="boolean"),
        "real": pd.array([1.5, None], dtype="Float64"),
        "python_text": pd.Series(["q", None], dtype="string[python]"),
        "delta": pd.to_timedelta(["1 day", None]),
        "bytes": pd.Series([b"a", b"b"], dtype=object),
    }
)
TABLE = pa.table(
    {
        "i": [1, None, 3],
        "s": ["x", None, "z"],
        "l": [[1], None, [2]],
        "f": pa.array([1.5, None, float("nan")]),
        "t": pa.array([0, None, 2], pa.timestamp("ms", "UTC")),
        "d": pa.array([1, None, 2], pa.date32()),
        "cat": pa.array(["a", "b", None]).dictionary_encode(),
        "b": [True, None, False],
        "dec": pa.array([1, None, 2], pa.decimal128(5, 2)),
        "bin": [b"a", None, b"c"],
        "half": pa.array([1, 2, None], pa.float16()),
        "gap": pa.array([(1, 2, 3), None, (3, 4, 5)], pa.month_day_nano_interval()),
        "view": pa.array(["x", None, "long enough not to be inlined"], pa.string_view()),
        "none": pa.nulls(3),
    }
)
SPARSE = sp.random(50, 40, 0.1, random_state=1, format="coo")
RECORDS = [{"x": 1, "y": "a"}, {"x": None, "z": 2.5}]


# --- what is described -------------------------------------------------------------------------------------------------------


def test_a_frame_is_described_by_digest_rows_and_schema() -> None:
    """Columns with their dtypes, the number of rows, where it came from; name and context as given."""
    found = describe(FRAME, name="train", context="training")
    assert (found.name, found.context, found.source, found.rows) == ("train", "training", "pandas.DataFrame", 3)
    assert found.schema == {"age": "int64", "name": "str", "score": "float64", "ok": "bool"}
    one = describe(FRAME["age"], name="y")
    assert (one.source, one.rows, one.schema) == ("pandas.Series", 3, {"age": "int64"})


def test_arrays_and_matrices_are_described_by_shape_and_dtype() -> None:
    """``rows`` is the first dimension; an array without dimensions has none."""
    found = describe(np.zeros((3, 4), np.float32), name="x")
    assert (found.rows, found.schema, found.source) == (3, {"shape": [3, 4], "dtype": "float32"}, "numpy.ndarray")
    assert describe(np.array(1.0), name="x").rows is None
    sparse = describe(SPARSE, name="x")
    assert (sparse.rows, sparse.schema) == (50, {"shape": [50, 40], "dtype": "float64"})


def test_tables_and_records_are_described() -> None:
    """Arrow tables by their types, records by the types found in each column; a missing key is a missing value."""
    assert describe(TABLE, name="t").schema["t"] == "timestamp[ms, tz=UTC]"
    assert describe(TABLE.to_batches()[0], name="t").digest == digest(TABLE)
    found = describe(RECORDS, name="r")
    assert (found.rows, found.schema) == (2, {"x": "None | int", "y": "None | str", "z": "None | float"})


def test_two_columns_of_one_name_are_both_in_the_schema() -> None:
    """The second is numbered, and counts in the digest."""
    twins = pd.DataFrame([[1, 2.0]], columns=["a", "a"])
    assert describe(twins, name="t").schema == {"a": "int64", "a (2)": "float64"}
    assert digest(twins) != digest(twins.iloc[:, :1])


def test_a_very_wide_schema_is_bounded() -> None:
    """A thousand columns are listed, the others counted; the digest is of all."""
    wide = pd.DataFrame(np.zeros((1, 1_500)))
    found = describe(wide, name="w")
    assert len(found.schema) == 1_001
    assert found.schema["…"] == "500 more columns"
    other = wide.copy()
    other.iloc[0, 1_499] = 1.0
    assert digest(other) != found.digest


# --- equal data, equal digest --------------------------------------------------------------------------------------------------


def _read_back(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: frame[name].copy() for name in frame})


ARRAY = np.random.default_rng(0).random((300, 70))
EQUALS: list[tuple[str, Callable[[], tuple[Any, Any]]]] = [
    ("memory order", lambda: (ARRAY, np.asfortranarray(ARRAY))),
    ("byte order", lambda: (ARRAY, ARRAY.astype(">f8"))),
    ("byte order of times", lambda: (np.array(["2020", "2021"], "<M8[D]"), np.array(["2020", "2021"], ">M8[D]"))),
    ("byte order of complex", lambda: (np.ones(3, "<c16"), np.ones(3, ">c16"))),
    ("a view that runs backwards", lambda: (ARRAY, ARRAY[::-1, ::-1].copy()[::-1, ::-1])),
    ("nan of another sign", lambda: (np.array([np.nan, 1]), np.array([-np.nan, 1]))),
    ("zero of another sign", lambda: (np.array([0.0, 1]), np.array([-0.0, 1]))),
    ("blocks of a frame", lambda: (FRAME, _read_back(FRAME))),
    ("an index that only counts", lambda: (FRAME, FRAME.set_axis(np.arange(3, dtype=np.int32)))),
    ("storage of text", lambda: (_stored("python"), _stored("pyarrow"))),
    ("words for missing", lambda: (pd.Series(["a", None], dtype=object), pd.Series(["a", np.nan], dtype=object))),
    ("numpy scalars in objects", lambda: (pd.Series([1, "a"], dtype=object), pd.Series([np.int8(1), "a"], dtype=object))),
    ("a sliced text column", lambda: (pa.table({"s": ["b", "c"]}), pa.table({"s": ["a", "b", "c"]}).slice(1))),
    ("chunks", lambda: (TABLE, pa.concat_tables([TABLE[:1], TABLE[1:]]))),
    ("what lies below a null", lambda: (pa.table({"s": pa.array(["a", None])}), _garbage_below_null())),
    ("csr and csc", lambda: (SPARSE.tocsr(), SPARSE.tocsc())),
    ("csr and lil", lambda: (SPARSE.tocsr(), SPARSE.tolil())),
    ("zeros written down", lambda: (sp.csr_matrix([[1, 0]]), sp.csr_matrix(([1, 0], ([0, 0], [0, 1])), shape=(1, 2)))),
    ("masked cells", lambda: (np.ma.array([1.0, 2.0], mask=[False, True]), np.ma.array([1.0, 9.0], mask=[False, True]))),
    ("padding between fields", lambda: (_padded(0), _padded(255))),
    ("order of keys in a record", lambda: ([{"a": 1, "b": 2}, {"a": 3, "b": 4}], [{"a": 1, "b": 2}, {"b": 4, "a": 3}])),
    ("sets", lambda: (pd.Series([{"a", "b", "c"}]), pd.Series([{"c", "b", "a"}]))),
    ("zones of one moment", lambda: (_zoned("2020-07-01 12:00"), _zoned("2020-07-01 10:00", "UTC"))),
]


def _garbage_below_null() -> pa.Table:
    column = pa.Array.from_buffers(
        pa.string(),
        2,
        [pa.py_buffer(b"\x01"), pa.py_buffer(np.array([0, 1, 4], np.int32)), pa.py_buffer(b"axyz")],
        null_count=1,
    )
    return pa.table({"s": column})


def _stored(storage: str) -> pd.Series[Any]:
    kind: Any = pd.StringDtype  # its stubs know one way of missing only
    return pd.Series(["é", None, ""], dtype=kind(storage, na_value=np.nan))


def _padded(fill: int) -> np.ndarray[Any, Any]:
    array = np.frombuffer(bytes([fill]) * 32, dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True)).copy()
    array["a"], array["b"] = 1, 2.0
    return array


def _zoned(text: str, zone: str | None = None) -> pd.Series[Any]:
    times = pd.Series(pd.to_datetime([text]))
    return times.dt.tz_localize("Europe/Berlin") if zone is None else times.dt.tz_localize(zone).dt.tz_convert("Europe/Berlin")


@pytest.mark.parametrize("make", [make for _, make in EQUALS], ids=[name for name, _ in EQUALS])
def test_how_data_lies_in_memory_does_not_matter(make: Callable[[], tuple[Any, Any]]) -> None:
    """Equal content has one digest."""
    one, other = make()
    assert digest(one) == digest(other)


def test_pieces_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the pieces in which numbers are read, the digest is the same, also of arrays that are cut by rows."""
    whole = [digest(ARRAY), digest(np.asfortranarray(ARRAY)), digest(ARRAY[:, ::2])]
    monkeypatch.setattr(digests, "PIECE", 7)
    assert [digest(ARRAY), digest(np.asfortranarray(ARRAY)), digest(ARRAY[:, ::2])] == whole


def test_text_columns_longer_than_a_piece() -> None:
    """Both storages agree past the size at which texts are cut into pieces."""
    texts = [f"t{n}" if n % 7 else None for n in range(digests.TEXTS + 10)]
    one, other = (pd.Series(texts, dtype=pd.StringDtype(storage)) for storage in ("python", "pyarrow"))
    assert digest(one) == digest(other)
    assert digest(one) != digest(one.iloc[:-1])


PROGRAM = """
import numpy as np, pandas as pd
from prefect_ledger.tracking.datasets import describe
frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.Series([{"p", "q", "r"}, ("t", 1.5)], dtype=object)})
print(describe(frame, name="d").digest, describe([{"k": frozenset("abc")}], name="d").digest, describe(np.arange(4.0), name="d").digest)
"""


def test_digests_are_the_same_in_every_process() -> None:
    """Neither hash randomisation nor anything else of a process shows in a digest."""
    said = {
        subprocess.run([sys.executable, "-c", PROGRAM], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def test_digests_are_the_same_in_every_release() -> None:
    """What earlier releases wrote down must be found again: these never change."""
    assert digest(np.arange(4.0))[:16] == "374b274a4f5feaae"
    assert digest(pd.DataFrame({"a": [1, 2], "b": ["x", "é"]}).astype({"b": object}))[:16] == "80b2f18944ec536d"
    assert digest([{"k": 1, "v": [None, "x"]}])[:16] == "a0bdb37dbfc429a2"


# --- other data, other digest ---------------------------------------------------------------------------------------------------


CHANGES: list[tuple[str, Any, Any]] = [
    ("a column's name", FRAME, FRAME.rename(columns={"age": "Age"})),
    ("a dtype", FRAME, FRAME.astype({"age": "int32"})),
    ("order of columns", FRAME, FRAME[["name", "age", "score", "ok"]]),
    ("order of rows", FRAME, FRAME.iloc[::-1].reset_index(drop=True)),
    ("a row more", FRAME, pd.concat([FRAME, FRAME[:1]], ignore_index=True)),
    ("an index with meaning", FRAME, FRAME.set_axis([5, 6, 7])),
    ("the name of the index", FRAME, FRAME.rename_axis("id")),
    ("a level more in the index", FRAME, FRAME.set_index("name", append=True)),
    ("a column more", FRAME, FRAME.assign(extra=0)),
    ("no rows", FRAME, FRAME[:0]),
    ("series or frame", FRAME["age"], FRAME[["age"]]),
    ("the name of a series", FRAME["age"], FRAME["age"].rename("other")),
    ("missing and empty text", pd.Series(["a", None]), pd.Series(["a", ""])),
    ("where one text ends", pd.Series(["ab", "c"]), pd.Series(["a", "bc"])),
    ("number and its text", pd.Series([1, 2], dtype=object), pd.Series(["1", "2"], dtype=object)),
    ("whole and real", pd.Series([1], dtype=object), pd.Series([1.0], dtype=object)),
    ("true and one", pd.Series([True], dtype=object), pd.Series([1], dtype=object)),
    ("list and mapping", pd.Series([["a", 1]]), pd.Series([{"a": 1}])),
    ("shape", np.zeros((2, 3)), np.zeros((3, 2))),
    ("empty shapes", np.zeros((0, 3)), np.zeros((3, 0))),
    ("dtype of an empty array", np.zeros(0, np.int8), np.zeros(0, np.uint8)),
    ("unit of times", np.array(["2020"], "M8[D]"), np.array(["2020"], "M8[s]")),
    ("transposed", np.arange(4).reshape(2, 2), np.arange(4).reshape(2, 2).T),
    ("a masked cell", np.ma.array([1.0, 2.0]), np.ma.array([1.0, 2.0], mask=[False, True])),
    ("array or list of it", np.arange(2), [{"a": 0}, {"a": 1}]),
    ("the order of categories", pd.Series(pd.Categorical(["a"], ["a", "b"])), pd.Series(pd.Categorical(["a"], ["b", "a"]))),
    ("categories with an order", pd.Series(pd.Categorical(["a"])), pd.Series(pd.Categorical(["a"], ordered=True))),
    ("zone", pd.Series(pd.to_datetime(["2020"]).tz_localize("UTC")), pd.Series(pd.to_datetime(["2020"]).tz_localize("Europe/Berlin"))),
    ("null and nan", pa.table({"a": pa.array([None], pa.float64())}), pa.table({"a": pa.array([float("nan")], pa.float64())})),
    ("a value in a list", pa.table({"a": [[1]]}), pa.table({"a": [[2]]})),
    ("a cell of a matrix", SPARSE, SPARSE * 2),
    ("place in a matrix", sp.csr_matrix([[1, 0]]), sp.csr_matrix([[0, 1]])),
    ("shape of a matrix", sp.csr_matrix((2, 3)), sp.csr_matrix((3, 2))),
    ("a key of a record", [{"a": 1}], [{"b": 1}]),
    ("bytes and text", [{"a": "x"}], [{"a": b"x"}]),
    ("date and its text", [{"a": dt.date(2020, 1, 1)}], [{"a": "2020-01-01"}]),
    ("ids", [{"a": uuid.UUID(int=1)}], [{"a": uuid.UUID(int=2)}]),
    ("sign of a whole number", [{"a": 255}], [{"a": -1}]),
]


@pytest.mark.parametrize(("one", "other"), [(a, b) for _, a, b in CHANGES], ids=[name for name, _, _ in CHANGES])
def test_any_change_is_another_digest(one: Any, other: Any) -> None:
    """Content, names, dtypes, shape and order all count."""
    assert digest(one) != digest(other)


@pytest.mark.parametrize("column", list(EVERY_DTYPE))
def test_every_dtype_of_pandas_is_read(column: str) -> None:
    """Each kind of column has a digest that is its own and that a changed order changes."""
    series = EVERY_DTYPE[column]
    assert digest(series) == digest(series.copy())
    assert digest(series) != digest(series.iloc[::-1].reset_index(drop=True))


@pytest.mark.parametrize("column", [name for name in TABLE.column_names if name != "none"])
def test_every_type_of_arrow_is_read(column: str) -> None:
    """Each kind of column has a digest that its rows' order changes."""
    table = TABLE.select([column])
    assert digest(table) == digest(pa.Table.from_pylist(table.to_pylist(), schema=table.schema))
    assert digest(table) != digest(pa.concat_tables([table[2:], table[1:2], table[:1]]))


ARRAYS = [
    np.array(["a", "bb"]),
    np.array([b"a", b"bb"]),
    np.array([1, "a", None], dtype=object),
    np.ones(2, np.longdouble),
    np.ones(2, np.clongdouble),
    np.array(["a", "b"], dtype=np.dtypes.StringDType()),
    np.array([(1, [2, 3])], dtype=[("a", "i4"), ("b", "f4", 2)]),
    np.array([1, 2], "m8[s]"),
    np.zeros(2, np.float16),
    np.array(["", ""]),
    np.array(1.0),
    np.zeros(2, "V3"),
]


def test_every_kind_of_array_is_read() -> None:
    """No two kinds have one digest."""
    assert len({digest(array) for array in ARRAYS}) == len(ARRAYS)


# --- laws ------------------------------------------------------------------------------------------------------------------------

CELL = {
    "i": st.integers(-(2**40), 2**40),
    "f": st.floats(),
    "s": st.text(max_size=8),
    "b": st.booleans(),
    "o": st.one_of(st.none(), st.integers(), st.text(max_size=4), st.binary(max_size=4), st.lists(st.integers(), max_size=3)),
}
ROWS = st.lists(st.fixed_dictionaries(CELL), min_size=1, max_size=6)


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    dtypes: dict[str, Any] = {"i": "int64", "f": "float64", "s": object, "b": "bool", "o": object}
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=dtype) for name, dtype in dtypes.items()})


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (one != one and other != other)
    return type(one) is type(other) and bool(one == other)


@LAW
@given(ROWS)
def test_equal_frames_have_equal_digests(rows: list[dict[str, Any]]) -> None:
    """Built twice, cut and joined again, or taken apart into records: the same."""
    frame = _frame(rows)
    assert digest(_frame(rows)) == digest(frame)
    assert digest(pd.concat([frame[:1], frame[1:]])) == digest(frame)
    assert digest([dict(row) for row in rows]) == digest(rows)
    assert digest(np.asfortranarray(frame[["i", "f"]].to_numpy())) == digest(frame[["i", "f"]].to_numpy())


@LAW
@given(rows=ROWS, data=st.data())
def test_any_cell_changed_is_another_digest(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    """One cell of one row, of a frame and of records."""
    at = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(sorted(CELL)))
    new = data.draw(CELL[name].filter(lambda cell: not _same(cell, rows[at][name])))
    changed = [{**row, name: new} if n == at else row for n, row in enumerate(rows)]
    assert digest(_frame(changed)) != digest(_frame(rows))
    assert digest(changed) != digest(rows)


@LAW
@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), min_size=2, max_size=5))
def test_no_two_columns_of_text_look_alike(pairs: list[tuple[str, str]]) -> None:
    """Where texts end is part of the digest."""
    one = pd.DataFrame(pairs, columns=["a", "b"])
    moved = [(a + b[:1], b[1:]) for a, b in pairs]
    other = pd.DataFrame(moved, columns=["a", "b"])
    assert (digest(one) == digest(other)) == (pairs == moved)


# --- files -------------------------------------------------------------------------------------------------------------------------


def test_a_file_has_the_digest_of_its_bytes(tmp_path: pathlib.Path) -> None:
    """What ``sha256sum`` prints; given as a Path or as text, its whole path as source."""
    file = tmp_path / "train.csv"
    file.write_bytes(b"a,b\n1,2\n")
    found = describe(file, name="t")
    assert found.digest == hashlib.sha256(b"a,b\n1,2\n").hexdigest()
    assert (found.rows, found.schema, found.source) == (None, {"bytes": 8, "files": 1}, file.as_posix())
    assert describe(str(file), name="t") == found


def test_a_folder_has_the_digest_of_its_files(tmp_path: pathlib.Path) -> None:
    """Names, places and contents count; times, empty folders and the folder's own name do not."""
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "a.txt").write_text("a")
        (tmp_path / name / "sub" / "b.txt").write_text("b")
    (tmp_path / "two" / "empty").mkdir()
    os.utime(tmp_path / "two" / "a.txt", (1, 1))
    first = describe(tmp_path / "one", name="t")
    assert first.schema == {"bytes": 2, "files": 2}
    assert digest(tmp_path / "two") == first.digest
    (tmp_path / "two" / "a.txt").rename(tmp_path / "two" / "c.txt")
    assert digest(tmp_path / "two") != first.digest
    (tmp_path / "two" / "c.txt").rename(tmp_path / "two" / "a.txt")
    (tmp_path / "two" / "a.txt").write_text("A")
    assert digest(tmp_path / "two") != first.digest


def test_links_in_a_folder_end(tmp_path: pathlib.Path) -> None:
    """A link to a file is the file; one to a folder, also to its own, or to nothing, is where it points."""
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").symlink_to("a.txt")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone").symlink_to("nowhere")
    found = describe(tmp_path, name="t")
    assert found.schema == {"bytes": 2, "files": 2}
    (tmp_path / "gone").unlink()
    assert digest(tmp_path) != found.digest


def test_pipes_and_devices_are_not_read(tmp_path: pathlib.Path) -> None:
    """What would wait for ever or never end is refused, also inside a folder."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, pathlib.Path("/dev/zero")):
        with pytest.raises(InvalidValue, match="neither a file nor a folder"):
            describe(path, name="t")


@pytest.mark.parametrize("path", ["", "no/such/file", "x\0y", "x" * 10_000, "s3://bob:hunter2@bucket/key"])
def test_text_that_is_no_path_is_refused(path: str) -> None:
    """The message shows the text, without its secrets, and says what is taken; the empty text is not the working folder."""
    with pytest.raises(InvalidValue, match="there is no file or folder") as caught:
        describe(path, name="t")
    assert "hunter2" not in str(caught.value)
    assert "pandas" in str(caught.value)


# --- what is refused ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [None, 3, {"a": [1]}, [1, 2], [], (), object(), [{"a": 1}, 2], lambda: None, b"bytes"])
def test_other_things_are_not_data(data: Any) -> None:
    """The message names the type and what is supported."""
    with pytest.raises(InvalidValue, match=r"dataset 'd': a \S+ is not data that can be described; taken are pandas and polars"):
        describe(data, name="d")


def test_a_cell_without_a_stable_form_is_refused() -> None:
    """The message names the column and the type: an address in memory is no content."""
    with pytest.raises(InvalidValue, match=r"dataset 'd': column 'c': a builtins\.object in data has no digest"):
        describe(pd.DataFrame({"c": [object()]}), name="d")
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(InvalidValue, match="column 'r': data nested deeper than 32 levels, or holding itself"):
        describe([{"r": ring}], name="d")


def test_names_and_contexts_are_checked() -> None:
    """Before any data is read."""
    with pytest.raises(InvalidName, match="dataset key"):
        describe(FRAME, name="a*b")
    with pytest.raises(InvalidValue, match="context is a text of at most 250 characters"):
        describe(FRAME, name="a", context="x" * 251)
    with pytest.raises(InvalidValue, match="context is a text"):
        describe(FRAME, name="a", context=3)  # type: ignore[arg-type]


# --- what is tabular --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [FRAME, FRAME["age"], TABLE, TABLE.to_batches()[0], ARRAY, SPARSE, SPARSE.tocsr(), np.ma.array([1])])
def test_frames_tables_and_arrays_are_tabular(value: Any) -> None:
    """An argument of these kinds becomes a dataset."""
    assert is_tabular(value)
    assert digest(value)


@pytest.mark.parametrize("value", [None, 1, "x", [1], [{"a": 1}], {"a": ARRAY}, np.float64(1), np.array(1.0), np.ndarray, pd.NA, object()])
def test_other_arguments_are_not(value: Any) -> None:
    """Numbers, lists, mappings and classes stay parameters."""
    assert not is_tabular(value)


def test_a_subclass_of_a_frame_is_tabular() -> None:
    """Whatever a package builds on a frame is one."""

    class Geo(pd.DataFrame):
        pass

    found = describe(Geo({"a": [1]}), name="g")
    assert is_tabular(Geo({"a": [1]}))
    assert found.digest == digest(pd.DataFrame({"a": [1]}))


def test_nothing_is_imported_to_find_out() -> None:
    """Asking whether a value is tabular loads no framework."""
    program = (
        "import sys; from prefect_ledger.tracking.datasets import is_tabular; is_tabular(3);"
        "print(sorted({'numpy', 'pandas', 'pyarrow', 'polars', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout == "[]\n"


@pytest.mark.skipif(not pathlib.Path("/proc/self/fdinfo").is_dir(), reason="a folder whose files vanish by themselves is Linux' own")
def test_what_cannot_be_read_in_a_folder_is_named() -> None:
    """Where one file of a folder is gone, the refusal names that file: the folder is well."""
    with pytest.raises(InvalidValue, match=r"/proc/self/fdinfo/\d+ "):
        describe("/proc/self/fdinfo", name="folder")
