"""Floor 5. Frames, tables and arrays as digest, rows and schema. Loaded only when there is one: what it is made of is loaded then, too."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from prefect_ledger.errors import InvalidValue
from prefect_ledger.tracking.datasets import Content
from prefect_ledger.tracking.digests import TEXTS, Digest


def label(name: object, schema: Mapping[str, Any]) -> str:
    """A column's name as a key of the schema; a second column of one name is numbered."""
    text = name if isinstance(name, str) else str(name)
    number = 1
    while (label := text if number == 1 else f"{text} ({number})") in schema:
        number += 1
    return label


@contextmanager
def at_column(name: object) -> Iterator[None]:
    try:
        yield
    except InvalidValue as error:
        raise InvalidValue(f"column {name!r}: {error}") from error


# --- what is read ----------------------------------------------------------------------------------------------------


def of_records(data: list[Mapping[Any, Any]] | tuple[Mapping[Any, Any], ...]) -> Content:
    names = list(dict.fromkeys(name for row in data for name in row))
    digest = Digest("records")
    digest.number(len(data))
    schema: dict[str, Any] = {}
    for name in names:
        column = [row.get(name) for row in data]
        schema[label(name, schema)] = " | ".join(sorted({"None" if item is None else type(item).__name__ for item in column}))
        with at_column(name):
            digest.elements([name])
            digest.elements(column)
    return Content(digest.hexdigest(), len(data), schema)


def of_pandas(data: Any) -> Content:
    one = data.ndim == 1
    digest = Digest("pandas.Series" if one else "pandas.DataFrame")
    digest.number(len(data))
    _index(digest, data.index)
    columns = [(data.name, data)] if one else [(name, data.iloc[:, at]) for at, name in enumerate(data.columns)]
    schema: dict[str, Any] = {}
    for name, column in columns:
        schema[label(name, schema)] = str(column.dtype)
        _pandas_named(digest, name, column)
    return Content(digest.hexdigest(), len(data), schema)


def counts_rows(index: Any) -> bool:
    """Whether a pandas index only numbers the rows, as it does after reading a file."""
    counts = index.nlevels == 1 and index.name is None and getattr(index.dtype, "kind", "") in "iu"
    return counts and bool((index.to_numpy() == np.arange(len(index))).all())


def _index(digest: Digest, index: Any) -> None:
    """The index as further columns, unless it only numbers the rows."""
    if counts_rows(index):
        return digest.number(0)
    digest.number(index.nlevels)
    for level in range(index.nlevels):
        values = index.get_level_values(level)
        _pandas_named(digest, values.name, values.to_series())
    return None


def _pandas_named(digest: Digest, name: object, column: Any) -> None:
    with at_column(name):
        digest.elements([name])
        digest.text(str(column.dtype))
        _pandas_column(digest, column)


def _pandas_column(digest: Digest, column: Any) -> None:
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        if dtype.kind == "O":
            return digest.texts(column.to_numpy(), column.isna().to_numpy())
        return digest.array(column.to_numpy())
    kind = type(dtype).__name__
    if kind in ("StringDtype", "ArrowDtype"):
        return _pandas_arrow(digest, column, texts=kind == "StringDtype")
    if kind == "CategoricalDtype":
        _pandas_column(digest, dtype.categories.to_series())
        digest.text(str(dtype.ordered))
        return digest.array(column.cat.codes.to_numpy())
    if kind == "DatetimeTZDtype":
        return digest.array(column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    if kind == "SparseDtype":
        return digest.array(np.asarray(column.sparse.to_dense()))
    if hasattr(dtype, "numpy_dtype"):  # nullable numbers
        digest.array(column.isna().to_numpy())
        return digest.array(column.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0)))
    return digest.texts(column.astype(object).to_numpy(), column.isna().to_numpy())


def _pandas_arrow(digest: Digest, column: Any, *, texts: bool) -> None:
    if texts and getattr(column.dtype, "storage", "") != "pyarrow":
        return digest.texts(column.to_numpy(dtype=object), column.isna().to_numpy())
    arrow = column.array.__arrow_array__()
    return _arrow_column(digest, sys.modules["pyarrow"].chunked_array([arrow]) if hasattr(arrow, "buffers") else arrow)


def of_array(data: Any) -> Content:
    digest = Digest("numpy.ndarray")
    digest.array(data)
    return Content(digest.hexdigest(), data.shape[0] if data.ndim else None, {"shape": list(data.shape), "dtype": str(data.dtype)})


def of_sparse(data: Any) -> Content:
    if data.ndim != 2:
        raise InvalidValue(f"a sparse array of {data.ndim} dimensions; sparse matrices of two are taken")
    rows = data.tocsr(copy=True)  # the same for every format, once sorted and without zeros that are written down
    rows.sum_duplicates()
    rows.eliminate_zeros()
    digest = Digest("scipy.sparse")
    digest.text(str(rows.shape))
    for part in (rows.indptr.astype(np.int64), rows.indices.astype(np.int64), rows.data):
        digest.array(part)
    return Content(digest.hexdigest(), rows.shape[0], {"shape": list(rows.shape), "dtype": str(rows.dtype)})


def of_polars(data: Any) -> Content:
    one = not hasattr(data, "get_columns")
    digest = Digest("polars.Series" if one else "polars.DataFrame")
    digest.number(len(data))
    schema: dict[str, Any] = {}
    for column in [data] if one else data.get_columns():
        schema[label(column.name, schema)] = str(column.dtype)
        with at_column(column.name):
            digest.text(column.name)
            digest.text(str(column.dtype))
            _polars_column(digest, column)
    return Content(digest.hexdigest(), len(data), schema)


def _polars_column(digest: Digest, column: Any) -> None:
    polars = sys.modules["polars"]
    dtype = column.dtype
    if dtype.is_temporal():
        column = column.to_physical()
    numbers = dtype.is_temporal() or dtype.is_integer() or dtype.is_float() or dtype == polars.Boolean
    if numbers and "128" not in str(dtype):  # numpy has no such integers
        digest.array(column.is_null().to_numpy())
        return digest.array(column.fill_null(False if dtype == polars.Boolean else 0).to_numpy())
    text = dtype in (polars.String, polars.Categorical, polars.Enum)
    for low in range(0, len(column), TEXTS):
        piece = column.slice(low, TEXTS)
        items = (piece.cast(polars.String) if text else piece).to_list()
        digest.texts(items, [item is None for item in items])
    return None


def of_arrow(data: Any) -> Content:
    pa = sys.modules["pyarrow"]
    table = pa.Table.from_batches([data]) if isinstance(data, pa.RecordBatch) else data
    digest = Digest("pyarrow.Table")
    digest.number(table.num_rows)
    schema: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.itercolumns(), strict=True):
        schema[label(name, schema)] = str(column.type)
        with at_column(name):
            digest.text(name)
            digest.text(str(column.type))
            _arrow_column(digest, column)
    return Content(digest.hexdigest(), table.num_rows, schema)


def _arrow_column(digest: Digest, column: Any) -> None:
    """One column in pieces that are cut by its rows, so that the chunks it lies in do not matter."""
    for low in range(0, len(column), TEXTS):
        piece = column.slice(low, TEXTS).combine_chunks()
        _arrow_piece(digest, piece)


def _arrow_piece(digest: Digest, piece: Any) -> None:
    pa = sys.modules["pyarrow"]
    if pa.types.is_dictionary(piece.type):
        piece = piece.dictionary_decode()
    kind, is_a = piece.type, pa.types
    missing = piece.is_null().to_numpy(zero_copy_only=False)
    if is_a.is_string(kind) or is_a.is_large_string(kind) or is_a.is_string_view(kind):
        whole = piece.cast(pa.large_string()).fill_null("")
        _, offsets, data = whole.buffers()
        at = np.frombuffer(offsets, np.int64, len(whole) + 1, 8 * whole.offset)
        return digest.coded(np.where(missing, -1, np.diff(at)), b"" if data is None else data[int(at[0]) : int(at[-1])])
    if is_a.is_temporal(kind) and not is_a.is_interval(kind):
        piece = piece.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
    if is_a.is_boolean(kind) or is_a.is_integer(piece.type) or kind in (pa.float32(), pa.float64()):
        digest.array(missing)
        return digest.array(piece.fill_null(False if is_a.is_boolean(kind) else 0).to_numpy(zero_copy_only=False))
    return digest.elements(piece.to_pylist())
