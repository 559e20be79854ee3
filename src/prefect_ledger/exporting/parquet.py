"""Floor 5. Tables as Parquet: plain types that pandas, polars and DuckDB read alike, in row groups that are written as they come."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from prefect_ledger.errors import MissingExtra
from prefect_ledger.exporting.columns import Batch, Coded, Field, Kind, Values
from prefect_ledger.unfinished import sync

_GROUP = 1 << 20  # rows of a row group
_AHEAD = 64 << 20  # bytes that wait for it to be full


def arrow() -> Any:
    """pyarrow.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtra("pyarrow", "data", need="an export to Parquet (CSV and JSON need nothing)") from error
    return pa


class ParquetSheet:
    """A Parquet file: texts, int64, float64 (NaN is NaN, what is missing is null) and microseconds in UTC."""

    def __init__(self, path: Path, fields: Sequence[Field]) -> None:
        pa = arrow()
        from pyarrow import parquet

        self._path, self._fields = path, fields
        types = {"text": pa.string(), "int": pa.int64(), "float": pa.float64(), "time": pa.timestamp("us", tz="UTC")}
        self._types: dict[Kind, Any] = types  # type: ignore[assignment]
        self._held: list[Any] = []
        self._parquet = parquet
        self._writer: Any = None

    def write(self, batch: Batch) -> None:
        """Add rows."""
        if not batch.rows:
            return
        self._held.append(self._table(batch))
        if sum(one.num_rows for one in self._held) >= _GROUP or sum(one.nbytes for one in self._held) >= _AHEAD:
            self._write()

    def close(self, *, whole: bool) -> None:
        """No more come."""
        if whole and (self._held or self._writer is None):
            self._held = self._held or [self._table(Batch(0, [[] for _ in self._fields]))]
            self._write()
        if self._writer is not None:
            with contextlib.nullcontext() if whole else contextlib.suppress(OSError):
                self._writer.close()
        if whole:
            sync(self._path)

    def _write(self) -> None:
        table = arrow().concat_tables(self._held).unify_dictionaries()
        self._held = []
        if self._writer is None:
            # Without arrow's own schema, whose dictionaries readers would show as categories.
            self._writer = self._parquet.ParquetWriter(self._path, table.schema, compression="zstd", store_schema=False)
        self._writer.write_table(table, row_group_size=_GROUP)

    def _table(self, batch: Batch) -> Any:
        pa = arrow()
        columns = [self._column(field, values) for field, values in zip(self._fields, batch.columns, strict=True)]
        return pa.Table.from_arrays(columns, names=[field.name for field in self._fields])

    def _column(self, field: Field, values: Values) -> Any:
        pa = arrow()
        if isinstance(values, Coded):
            return pa.DictionaryArray.from_arrays(values.codes, pa.array(values.words, pa.string()))
        if field.kind == "time":
            return pa.array(values, pa.int64()).cast(self._types["time"])
        if field.kind == "text" and not isinstance(values, np.ndarray):
            return pa.array(values, pa.string())
        return pa.array(values, self._types[field.kind], from_pandas=False)
