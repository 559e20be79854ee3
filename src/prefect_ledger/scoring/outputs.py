"""Floor 5. Parquet that stands whole at its place or not at all: written aside under a hidden name, then renamed.

Whoever dies while writing leaves a hidden file or folder, which the next one that writes to this place takes away.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from prefect_ledger import lockfile
from prefect_ledger.errors import InvalidValue, OutputExists, ScoringFailed
from prefect_ledger.scoring.sources import Table, arrow

_GROUP = 1 << 20  # rows of a row group
_AHEAD = 64 << 20  # bytes that wait for the row group to be full


class Output:
    """Where predictions go: a file, or with ``folder`` a folder of parts.

    Raises:
        OutputExists: something stands there, and ``overwrite`` was not said. InvalidValue: nothing can be written there.
    """

    def __init__(self, place: str, *, overwrite: bool = False, folder: bool = False) -> None:
        if "://" in place:
            raise InvalidValue(f"predictions are written to this machine, not to {place}: copy them from here")
        self.path, self._overwrite, self._folder = Path(place).absolute(), overwrite, folder
        self.check()

    def check(self) -> None:
        """Refuse a place that is taken. Raises as the class."""
        path = self.path
        if not path.parent.is_dir():
            raise InvalidValue(f"there is no folder {path.parent} to write {path.name} into")
        if not path.exists() and not path.is_symlink():
            return
        if not self._overwrite:
            raise OutputExists(f"{path} is there already: give another place, or say --overwrite")
        if path.is_dir() != self._folder:
            raise OutputExists(
                f"{path} is a {'folder' if path.is_dir() else 'file'}, which is not replaced by a {self._noun}: remove it first"
            )
        if self._folder and (strange := next((one for one in path.iterdir() if one.suffix != ".parquet" or not one.is_file()), None)):
            raise OutputExists(f"{path} holds {strange.name}, which is no part of predictions: it is not replaced, remove it first")

    @property
    def _noun(self) -> str:
        return "folder" if self._folder else "file"

    @contextlib.contextmanager
    def aside(self) -> Iterator[Path]:
        """A place to write to, file or folder; when the block ends well it becomes the output, else it goes."""
        self._clear()
        path = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex[:8]}.unfinished")
        lock = lockfile.acquire(_locked(path) if self._folder else path)
        assert lock is not None  # nobody else knows the name
        try:
            if self._folder:
                path.mkdir()
            yield path
            self.check()
            if self._folder:
                self._rename_folder(path)
            else:
                path.replace(self.path)
            _sync(self.path.parent)
        finally:
            _remove(path)
            if self._folder:
                _remove(lock.path)
            lock.release()

    def _rename_folder(self, path: Path) -> None:
        _sync(path)
        if not self.path.exists():
            path.rename(self.path)
            return
        old = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex[:8]}.unfinished")
        self.path.rename(old)
        path.rename(self.path)
        _remove(old)

    def _clear(self) -> None:
        """Take away what dead writers left."""
        for left in self.path.parent.glob(f".{glob.escape(self.path.name)}.????????.unfinished"):
            lock = lockfile.acquire(_locked(left) if left.is_dir() else left)
            if lock is not None:
                _remove(left)
                _remove(lock.path)
                lock.release()


def write(
    path: Path, tables: Iterator[Table], about: Mapping[str, str], *, written: Callable[[int], object] | None = None
) -> tuple[int, Any]:
    """Write tables to a Parquet file and force it to the disk; the number of rows and the schema. ``written`` is told rows so far.

    Raises:
        ScoringFailed: a later table has other columns than the first one.
    """
    from pyarrow import parquet

    pa, rows, schema, writer = arrow("scoring"), 0, None, None
    held: list[Table] = []
    try:
        for table in tables:
            if writer is None:
                schema = table.schema.remove_metadata()
                said = {key.encode(): value.encode() for key, value in about.items()}
                writer = parquet.ParquetWriter(path, schema.with_metadata(said), compression="zstd")
            held.append(_as(table, schema, rows))
            rows += table.num_rows
            if sum(one.num_rows for one in held) >= _GROUP or sum(one.nbytes for one in held) >= _AHEAD:
                writer.write_table(pa.concat_tables(held).replace_schema_metadata(), row_group_size=_GROUP)
                held.clear()
            if written is not None:
                written(rows)
        if writer is not None and held:
            writer.write_table(pa.concat_tables(held), row_group_size=_GROUP)
    finally:
        if writer is not None:
            writer.close()
    if writer is not None:
        _sync(path)
    return rows, schema


def _as(table: Table, schema: Any, start: int) -> Table:
    """A later table in the types of the first one."""
    pa = arrow("scoring")
    table = table.replace_schema_metadata()
    if table.schema.equals(schema):
        return table
    said = f"from row {start:,} on, the output has other columns than before"
    if table.column_names != schema.names:
        raise ScoringFailed(f"{said}: {', '.join(table.column_names)}, not {', '.join(schema.names)}")
    try:
        return table.cast(schema)
    except (pa.ArrowException, ValueError) as error:
        kinds = [f"{name} was {schema.field(name).type}, now {table.schema.field(name).type}" for name in schema.names]
        changed = [kind for kind, name in zip(kinds, schema.names, strict=True) if schema.field(name).type != table.schema.field(name).type]
        raise ScoringFailed(f"{said}: {'; '.join(changed)} ({error})") from error


def _sync(path: Path) -> None:
    with contextlib.suppress(PermissionError):  # a folder cannot be opened for this everywhere
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _locked(folder: Path) -> Path:
    """The lock of a folder that is written, beside it: what is in the folder are parts alone."""
    return folder.with_name(f"{folder.name}.lock")
