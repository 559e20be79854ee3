"""Floor 5. Rows and columns of whatever library as one arrow table, and that as the bytes of a Parquet file.

Libraries are recognised by where a type comes from or by what it can do, and never imported for it; pyarrow alone is needed.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.queries.logged_tables import STEP, arrow
from prefect_ledger.tracking.datasets import family_of

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = 10_000
_TAKEN = "a pandas, polars or arrow table, a dict of columns, or a list of dicts"


def to_table(data: Any, *, stepped: bool) -> pa.Table:
    """``data`` as an arrow table. A pandas index that says more than the number of the row becomes columns.

    Raises:
        InvalidValue: no table, or one with columns that no table keeps; the message names the column and what is in it.
        MissingExtra: pyarrow is not installed.
    """
    arrow("log_table")
    try:
        table = _table(data)
        names = table.column_names
    except UnicodeEncodeError as error:  # values are refused below; this is of a name
        raise InvalidValue(f"log_table: the column {error.object!r:.80} has a name that is no text ({error.reason}): rename it") from error
    if not names:
        raise InvalidValue("log_table: a table without columns says nothing")
    if len(names) > COLUMNS:
        raise InvalidValue(f"log_table takes at most {COLUMNS:,} columns, not {len(names):,}: log it the other way round, as rows")
    if twice := next((name for at, name in enumerate(names) if name in names[:at]), None) if len(set(names)) < len(names) else None:
        raise InvalidValue(f"log_table: there are two columns {twice!r}; give one another name")
    if stepped and STEP in names:
        raise InvalidValue(f"log_table: the column {STEP!r} is where the step is read back; give the table's own another name")
    return table


def to_parquet(table: pa.Table) -> bytes:
    """The bytes of ``table`` as a Parquet file.

    Raises:
        InvalidValue: a column of a type that Parquet does not have.
    """
    try:
        return _written(table)
    except Exception as error:  # pyarrow raises its own errors and Python's; what is wanted is the name of the column
        for name in table.column_names:
            try:
                _written(table.select([name]).slice(0, 1))
            except Exception as found:  # noqa: BLE001  # as above
                kind = table.schema.field(name).type
                raise InvalidValue(f"log_table: the column {name!r} of the type {kind} cannot be kept in Parquet: {found}") from error
        raise InvalidValue(f"log_table: this table cannot be kept in Parquet: {error}") from error


def _written(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    import_module("pyarrow.parquet").write_table(table, buffer, compression="zstd", compression_level=1)
    return buffer.getvalue()


def _table(data: Any) -> pa.Table:
    pa = arrow("log_table")
    family = family_of(data)
    if family == "pyarrow":
        return data if isinstance(data, pa.Table) else pa.Table.from_batches([data])
    if family == "pandas":
        return _of_pandas(data)
    if family == "polars":
        _refuse_objects(data)
    if isinstance(data, Mapping):
        return _of_columns({name: _column(name, values) for name, values in data.items()})
    if isinstance(data, list | tuple) and all(isinstance(row, Mapping) for row in data):
        names = dict.fromkeys(name for row in data for name in row)
        return _of_columns({name: [row.get(name) for row in data] for name in names})
    kind = type(data)
    if (found := _converted(data, kind)) is not None:
        return found
    hint = ": collect() it first" if callable(getattr(kind, "collect", None)) else ""
    raise InvalidValue(f"log_table takes {_TAKEN}, not a {kind.__module__}.{kind.__qualname__}{hint}")


def _refuse_objects(data: Any) -> None:
    """Of Python's objects polars would hand their addresses over."""
    for column in getattr(data, "get_columns", list)():
        if str(column.dtype) == "Object":
            raise InvalidValue(f"log_table: the column {column.name!r} {_found(column.to_list())}")


def _converted(data: Any, kind: type) -> pa.Table | None:
    """The table that ``data`` says it is; None where it says nothing of the sort."""
    pa = arrow("log_table")
    try:
        if callable(getattr(kind, "to_arrow", None)):
            found = data.to_arrow()
        elif hasattr(kind, "__arrow_c_stream__"):
            found = pa.table(data)
        else:
            return None
    except Exception as error:  # whatever a library says of a dtype that arrow has not
        raise InvalidValue(f"log_table: this {kind.__module__}.{kind.__qualname__} is no arrow table: {error}") from error
    return found if isinstance(found, pa.Table) else None


# --- pandas ------------------------------------------------------------------------------------------------------------------


def _of_pandas(data: Any) -> pa.Table:
    from prefect_ledger.tracking.frames import counts_rows

    pa = arrow("log_table")
    frame = data.to_frame() if data.ndim == 1 else data
    if frame.columns.nlevels > 1:
        raise InvalidValue("log_table: names of columns have one level; frame.columns = ['.'.join(name) for name in frame.columns]")
    if not counts_rows(frame.index):
        try:
            frame = frame.reset_index()
        except ValueError as error:  # a column is called as the index is
            raise InvalidValue(
                f"log_table: the index cannot become a column: {error}; frame.reset_index(drop=True) leaves it out"
            ) from error
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InvalidValue(f"log_table: there are two columns {twice!r}; give one another name")
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except Exception:  # whatever it was, it is said of the column it is in
        for name in frame.columns:
            _array(name, frame[name])
        raise


# --- plain columns -----------------------------------------------------------------------------------------------------------


def _column(name: object, values: Any) -> Any:
    if isinstance(values, list | tuple | range):
        return values
    ways = ("__arrow_array__", "__arrow_c_array__", "__arrow_c_stream__")  # of arrow's own columns, polars' and pandas'
    if getattr(values, "ndim", None) == 1 or any(hasattr(type(values), way) for way in ways):
        return values
    if (ndim := getattr(values, "ndim", 0)) > 1:
        raise InvalidValue(f"log_table: the column {name!r} has {ndim} dimensions; list(array) makes a column of arrays")
    raise InvalidValue(
        f"log_table: the column {name!r} is a {type(values).__name__}, not a list of values; [value] makes a table of one row"
    )


def _of_columns(columns: Mapping[Any, Any]) -> pa.Table:
    pa = arrow("log_table")
    names = [str(name) for name in columns]
    arrays = [_array(name, values) for name, values in columns.items()]
    if len(set(map(len, arrays))) > 1:
        shown = ", ".join(f"{name!r} {len(array):,}" for name, array in zip(names[:5], arrays, strict=False))
        raise InvalidValue(f"log_table: the columns have different lengths: {shown}")
    return pa.table(arrays, names=names)


def _array(name: object, values: Any) -> Any:
    """One column, or a refusal that names it and what is in it."""
    pa = arrow("log_table")
    try:
        if isinstance(values, pa.Array | pa.ChunkedArray):
            return values
        return pa.array(_plain(values))
    except Exception as error:  # arrow's errors, and those of objects that are asked what they are
        if isinstance(values, list) and (shorter := _without_na(values)) is not None:
            return _array(name, shorter)
        raise InvalidValue(f"log_table: the column {name!r} {_found(values)}") from error


def _without_na(values: list[Any]) -> list[Any] | None:
    """The list with None for pandas' words for nothing; None where it has none of them."""
    pandas = sys.modules.get("pandas")
    words = () if pandas is None else (pandas.NA, pandas.NaT)
    found = [None if any(item is word for word in words) else item for item in values]
    return found if any(one is None and item is not None for one, item in zip(found, values, strict=True)) else None


def _plain(values: Any) -> Any:
    """Tensors as arrays; everything else as it is."""
    kind = type(values)
    if callable(getattr(kind, "detach", None)) and callable(getattr(kind, "cpu", None)):
        return values.detach().cpu().numpy()
    return values


def _found(values: Any) -> str:
    """What is in a column that arrow does not take."""
    pa = arrow("log_table")
    for item in values:
        try:
            pa.array([item])
        except Exception as error:  # noqa: BLE001  # as above
            kind = f"{type(item).__module__}.{type(item).__qualname__}".removeprefix("builtins.")
            said = f" ({error})" if isinstance(error, ArithmeticError | UnicodeError) else ""
            return f"holds a {kind}{said}, which no table keeps: make it text, a number, a time, bytes or a list"
    kinds = sorted({type(item).__name__ for item in values if item is not None})
    return f"mixes {' and '.join(kinds)}: make it one type"
