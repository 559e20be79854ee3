"""Floor 5. Parquet and CSV files as a source: read a piece at a time, only the columns that are wanted."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.scoring.sources import PARQUET, Part, Source, Table, arrow, cut

_CSV = (".csv", ".csv.gz", ".csv.bz2", ".csv.zst")
_PIECE = 1 << 20  # bytes of a column that are read at once, however large its row group
_BLOCK = 4 << 20  # bytes of a CSV file that are read at once: a row must fit


class Files(Source):
    """A Parquet or CSV file, or a folder of files of one kind, in the order of their paths."""

    def __init__(self, place: str) -> None:
        path = Path(place)
        self.place, self.name = str(path.absolute()), path.name
        self.path = path.absolute()
        self.files, self.csv = _found(self.path)
        self._seen = self._look()

    def open(self, types: Mapping[str, Any], part: Part | None = None) -> Parquet | Csv:
        files = self.files if part is None else (Path(part.path),)
        return Csv(files, types) if self.csv else Parquet(files, part.groups if part else ())

    def parts(self, rows: int) -> list[Part]:
        if self.csv:  # a line break may stand within quotes: only from the start can one tell
            return [Part(number, str(path)) for number, path in enumerate(self.files)]
        found: list[Part] = []
        start = 0
        for path in self.files:
            with _opened(path) as file:
                sizes = [file.metadata.row_group(at).num_rows for at in range(file.metadata.num_row_groups)]
            for groups in _together(sizes, rows):
                count = sum(sizes[at] for at in groups)
                found.append(Part(len(found), str(path), groups, count, start))
                start += count
        return found

    def digest(self) -> str | None:
        from prefect_ledger.tracking.datasets import describe

        return describe(self.path, name="source").digest

    def rows(self) -> int | None:
        if self.csv:
            return None
        total = 0
        for path in self.files:
            with _opened(path) as file:
                total += file.metadata.num_rows
        return total

    def paths(self) -> Sequence[Path]:
        return (self.path, *self.files)

    def check(self) -> None:
        if self._look() != self._seen:
            raise InvalidValue(f"{self.place} changed while it was scored: score it again when it stays as it is")

    def _look(self) -> list[tuple[Path, int, int]]:
        with contextlib.suppress(FileNotFoundError):
            return [(path, info.st_size, info.st_mtime_ns) for path in _found(self.path)[0] for info in (path.stat(),)]
        return []


class Parquet:
    """Parquet files that were opened; the first one says what the columns are."""

    def __init__(self, files: Sequence[Path], groups: Sequence[int]) -> None:
        self._files, self._groups = files, groups
        with _opened(files[0]) as file:
            self.schema = file.schema_arrow
        self.names: Sequence[str] = self.schema.names
        self.types = {field.name: str(field.type) for field in self.schema}
        if len(self.types) < len(self.names):
            raise InvalidValue(f"{files[0]} has two columns of one name")

    def chunks(self, columns: Sequence[str], rows: int) -> Iterator[Table]:
        return cut(self._batches(columns, rows), rows) if len(self._files) > 1 else self._batches(columns, rows)

    def _batches(self, columns: Sequence[str], rows: int) -> Iterator[Table]:
        pa = arrow("scoring")
        wanted = pa.schema([self.schema.field(name) for name in columns])
        for path in self._files:
            with _opened(path) as file, _reading(path):
                if lacks := [name for name in columns if name not in file.schema_arrow.names]:
                    raise InvalidValue(f"{path} lacks the column {lacks[0]!r}, which {self._files[0].name} has")
                groups = list(self._groups) or None
                for batch in file.iter_batches(batch_size=rows, columns=list(columns), row_groups=groups):
                    table = pa.Table.from_batches([batch]).select(list(columns))
                    yield table.replace_schema_metadata() if table.schema.equals(wanted) else _cast(table, wanted, path)

    def close(self) -> None:
        """Nothing is held open between two chunks' readers."""


class Csv:
    """CSV files with a header that were opened. Types are those that are given, else what the first four megabytes look like."""

    def __init__(self, files: Sequence[Path], types: Mapping[str, Any]) -> None:
        self._files, self._given = files, dict(types)
        with self._reader(files[0], None) as reader:
            self.schema = reader.schema
        self.names: Sequence[str] = self.schema.names
        self.types = {field.name: str(field.type) for field in self.schema}
        if len(self.types) < len(self.names):
            raise InvalidValue(f"{files[0]} has two columns of one name")

    def chunks(self, columns: Sequence[str], rows: int) -> Iterator[Table]:
        return cut(self._blocks(columns), rows)

    def _blocks(self, columns: Sequence[str]) -> Iterator[Table]:
        pa = arrow("scoring")
        for path in self._files:
            with self._reader(path, columns) as reader, _reading(path):
                for batch in reader:
                    yield pa.Table.from_batches([batch])

    @contextlib.contextmanager
    def _reader(self, path: Path, columns: Sequence[str] | None) -> Iterator[Any]:
        from pyarrow import csv

        types = self._given if columns is None else {name: self.schema.field(name).type for name in columns}
        convert = csv.ConvertOptions(column_types=types, include_columns=None if columns is None else list(columns))
        with _reading(path):
            how = csv.ReadOptions(use_threads=False, block_size=_BLOCK), csv.ParseOptions(newlines_in_values=True), convert
            reader = csv.open_csv(path, *how)
        with reader:
            yield reader

    def close(self) -> None:
        """Nothing is held open between two chunks' readers."""


def _found(path: Path) -> tuple[tuple[Path, ...], bool]:
    """The files, and whether they are CSV."""
    if path.is_file():
        files = [path]
    elif path.is_dir():
        files = sorted(one for one in _below(path) if one.name.lower().endswith((*PARQUET, *_CSV)))
        if not files:
            raise InvalidValue(f"the folder {path} holds no file that ends in {', '.join((*PARQUET, *_CSV))}")
    else:
        raise InvalidValue(f"there is no file or folder {path} to score")
    kinds = {one.name.lower().endswith(_CSV) for one in files}
    if len(kinds) > 1:
        raise InvalidValue(f"the folder {path} holds Parquet and CSV: score one kind at a time")
    if files == [path] and not path.name.lower().endswith((*PARQUET, *_CSV)):
        raise InvalidValue(f"{path} is neither Parquet nor CSV by its name: it ends in {', '.join((*PARQUET, *_CSV))}")
    return tuple(files), kinds == {True}


def _below(folder: Path) -> Iterator[Path]:
    """Files that are meant: those whose path has no name with a dot or an underscore before it, as writers use for what is not whole."""
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name[0] not in "._"]
        yield from (Path(root, name) for name in names if name[0] not in "._")


def _together(sizes: Sequence[int], rows: int) -> Iterator[tuple[int, ...]]:
    """Neighbouring row groups of about ``rows`` rows together."""
    held: list[int] = []
    count = 0
    for at, size in enumerate(sizes):
        if held and count + size > rows:
            yield tuple(held)
            held, count = [], 0
        held.append(at)
        count += size
    if count:
        yield tuple(held)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from pyarrow import parquet

    with _reading(path):
        file = parquet.ParquetFile(path, buffer_size=_PIECE, pre_buffer=False)
    with file:
        yield file


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    pa = arrow("scoring")
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        said = str(error)
        if "Empty CSV file" in said:
            raise InvalidValue(f"{path} is empty: there is nothing to score") from error
        raise InvalidValue(f"{path} cannot be read: {said}") from error


def _cast(table: Table, wanted: Any, path: Path) -> Table:
    pa = arrow("scoring")
    try:
        return table.cast(wanted)
    except (pa.ArrowException, ValueError) as error:
        raise InvalidValue(f"{path} has other types than the files before it: {error}") from error
