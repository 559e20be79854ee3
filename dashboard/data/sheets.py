"""The first rows of tables among the artifacts, whatever their files say of their size."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import streamlit as st

from prefect_ledger.entities import Artifact
from prefect_ledger.errors import InvalidValue, LedgerError
from prefect_ledger.formats import short

from . import artifacts

if TYPE_CHECKING:
    import pandas as pd

ROWS, COLUMNS = 200, 100  # that are shown
_CELL = 300  # characters
_HEAD = 2 << 20  # bytes of a text that are looked at
_DECODED = 256 << 20  # bytes that the first rows of a Parquet file may become


@dataclass(frozen=True, slots=True)
class Sheet:
    """The first rows and columns of a table; ``rows`` is None where all of it would have to be read to count them."""

    frame: pd.DataFrame
    rows: int | None
    columns: int
    cut: bool


@st.cache_data(ttl=60, max_entries=10, show_spinner=False)
def first(_artifact: Artifact, sha256: str) -> Sheet:  # noqa: ARG001 - the digest is what it is kept by
    """The first rows of a CSV, TSV or Parquet file.

    Raises:
        InvalidValue: no table that can be read. Else as of its bytes.
    """
    suffix = _artifact.path.rpartition(".")[2].lower()
    read = {"parquet": parquet, "tsv": tsv, "csv": separated}.get(suffix)
    if read is None:
        raise InvalidValue(f"tables in .{short(suffix, 20)} are not shown here; save the file to open it")
    with artifacts.looked_into(_artifact) as file:
        try:
            return read(file)
        except LedgerError:
            raise
        except Exception as error:  # readers of foreign bytes raise all sorts
            raise InvalidValue(f"this does not open as a table: {short(error, 200)}") from error


def tsv(file: BinaryIO) -> Sheet:
    """The first rows of a text separated by tabs."""
    return separated(file, "\t")


def separated(file: BinaryIO, by: str = "") -> Sheet:
    """The first rows of a CSV, as the texts that stand there; without ``by``, what separates them is found out.

    Raises:
        InvalidValue: its first line has no end within the part that is looked at.
    """
    data = file.read(_HEAD + 1)
    cut = len(data) > _HEAD
    text = data[:_HEAD].decode("utf-8-sig", "replace").replace("\0", "")
    end = text.find("\n")
    if cut and end < 0:
        raise InvalidValue(f"the first line alone is longer than {_HEAD:,} bytes: as a table this would have too many columns to be shown")
    head = text if end < 0 else text[:end]
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=by or max(",;\t|", key=head.count))
    names, taken, columns = next(lines, []), list[list[str]](), 0
    for line in lines:
        columns = max(columns, len(line))
        taken.append([short(cell, _CELL) for cell in line[:COLUMNS]])
        if len(taken) > ROWS:
            break
    more = len(taken) > ROWS or cut
    columns = max(columns, len(names))
    return Sheet(_framed(names, taken[:ROWS], columns), None if more else len(taken), columns, more or columns > COLUMNS)


def _framed(names: list[str], lines: list[list[str]], columns: int) -> pd.DataFrame:
    import pandas as pd

    wide = min(columns, COLUMNS)
    heads = _told_apart(names[at] if at < len(names) else "" for at in range(wide))
    return pd.DataFrame([line + [""] * (wide - len(line)) for line in lines], columns=pd.Index(heads, dtype=object))


def parquet(file: BinaryIO) -> Sheet:
    """The first rows of a Parquet file.

    Raises:
        InvalidValue: its columns would be too much, or it is none.
    """
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet as pq

    try:
        found = pq.ParquetFile(file)
        about, names = found.metadata, found.schema_arrow.names
        if about.num_row_groups and _decoded(about.row_group(0)) > _DECODED:
            raise InvalidValue("decoded, its first part is too much to be shown here; save the file to open it")
        fields = list(range(min(len(names), COLUMNS)))
        batches = found.iter_batches(batch_size=ROWS, columns=[names[at] for at in fields])
        batch = next(batches, None)
        columns = [] if batch is None else [_column(batch, at) for at in range(batch.num_columns)]
        heads = names[: len(fields)] if batch is None else batch.schema.names
    except (pa.ArrowException, OSError) as error:
        raise InvalidValue(f"this does not open as a table: {short(error, 200)}") from error
    frame = pd.DataFrame(dict(enumerate(columns)))
    if not columns:
        frame = pd.DataFrame(columns=pd.RangeIndex(len(heads)))
    frame.columns = pd.Index(_told_apart(heads[:COLUMNS]), dtype=object)
    return Sheet(frame.iloc[:, :COLUMNS], about.num_rows, len(names), about.num_rows > ROWS or len(names) > COLUMNS)


def _decoded(group: Any) -> int:
    return sum(group.column(at).total_uncompressed_size for at in range(min(group.num_columns, 4 * COLUMNS)))


def _column(batch: Any, at: int) -> Any:
    import pandas as pd
    import pyarrow as pa

    column, kind = batch.column(at)[:ROWS], batch.schema.field(at).type
    types: list[tuple[Callable[[Any], bool], str]] = [
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_unsigned_integer, "UInt64"),
        (pa.types.is_integer, "Int64"),
        (pa.types.is_floating, "Float64"),
    ]
    dtype = next((name for is_such, name in types if is_such(kind)), "")
    if dtype:
        return pd.array(column.to_pylist(), dtype=dtype)
    return pd.array([_text(cell) for cell in column], dtype=object)


def _text(cell: Any) -> str | None:
    if not cell.is_valid:
        return None
    try:
        value = cell.as_py()
    except (ValueError, OverflowError, ArithmeticError):  # a day that no calendar has
        value = cell
    return short(value, _CELL)


def _told_apart(names: Iterable[str]) -> list[str]:
    """Names of columns, the second of the same with a number behind it: a frame on the page needs them apart."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        plain = short(name, 100)
        seen[plain] = seen.get(plain, 0) + 1
        found.append(plain if seen[plain] == 1 else f"{plain} ({seen[plain]})")
    return found
