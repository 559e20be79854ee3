"""Floor 5. Where predictions go: Parquet that stands whole at its place or not at all, and apart from what is read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect_ledger import unfinished
from prefect_ledger.errors import InvalidValue, OutputExists, ScoringFailed
from prefect_ledger.scoring.sources import PARQUET, Table, arrow

_GROUP = 1 << 20  # rows of a row group
_AHEAD = 64 << 20  # bytes that wait for the row group to be full


class Output:
    """Where predictions go: a file, or with ``folder`` a folder of parts.

    Raises:
        OutputExists: something stands there, and ``overwrite`` was not said, or it is a link. InvalidValue: nothing can be written there,
        or the file's name says that it is something else than Parquet.
    """

    def __init__(self, place: str, *, overwrite: bool = False, folder: bool = False) -> None:
        if "://" in place:
            raise InvalidValue(f"predictions are written to this machine, not to {place}: copy them from here")
        self.path, self._overwrite, self._folder = Path(place).absolute(), overwrite, folder
        self._read: Sequence[Path] = ()
        if not folder and not self.path.name.lower().endswith(PARQUET):
            raise InvalidValue(f"{self.path} is written as Parquet: give it a name that ends in {', '.join(PARQUET)}")
        self.check()

    def keep_off(self, read: Sequence[Path]) -> None:
        """Refuse to be one of these files and folders, to lie in one, or to take the place of a folder that holds one; now, and
        just before the output is renamed.

        Raises:
            InvalidValue: it would.
        """
        self._read = read
        self._apart()

    def check(self) -> None:
        """Refuse a place that is taken, or from which is read. Raises as the class, and as ``keep_off``."""
        self._free()
        self._apart()

    def _free(self) -> None:
        path = self.path
        if not path.parent.is_dir():
            raise InvalidValue(f"there is no folder {path.parent} to write {path.name} into")
        if not path.exists() and not path.is_symlink():
            return
        if not self._overwrite:
            raise OutputExists(f"{path} is there already: give another place, or say --overwrite")
        if path.is_symlink():
            raise OutputExists(f"{path} is a link to {path.readlink()}: name the place that it leads to, or remove it first")
        if path.is_dir() != self._folder:
            raise OutputExists(
                f"{path} is a {'folder' if path.is_dir() else 'file'}, which is not replaced by a {self._noun}: remove it first"
            )
        if self._folder and (strange := next((one for one in path.iterdir() if one.suffix != ".parquet" or not one.is_file()), None)):
            raise OutputExists(f"{path} holds {strange.name}, which is no part of predictions: it is not replaced, remove it first")

    def _apart(self) -> None:
        """Told by files' numbers: a place has many names, by dots, links and mounts."""
        own, around = _numbers({self.path}), _numbers(_around(self.path))
        for read in self._read:
            if _numbers({read}) & around:
                raise InvalidValue(f"the output {self.path} would be a part of the source {read}: write it elsewhere")
            if self._folder and own & _numbers(_around(read)):
                raise InvalidValue(f"the output {self.path} would take the place of the source {read}, which is in it: write it elsewhere")

    @property
    def _noun(self) -> str:
        return "folder" if self._folder else "file"

    @contextlib.contextmanager
    def aside(self) -> Iterator[Path]:
        """A place to write to, file or folder; when the block ends well it becomes the output, else it goes."""
        with unfinished.aside(self.path, folder=self._folder, check=self.check) as path:
            yield path


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
        unfinished.sync(path)
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


def _numbers(paths: set[Path]) -> set[tuple[int, int]]:
    """What files and folders are, whatever they are called: device and number. Those that are not there are left out."""
    found: set[tuple[int, int]] = set()
    for path in paths:
        with contextlib.suppress(OSError):
            info = path.stat()
            found.add((info.st_dev, info.st_ino))
    return found


def _around(path: Path) -> set[Path]:
    """A place, and all folders it lies in; of a link, also those that it leads into."""
    real, folder = Path(os.path.realpath(path)), unfinished.real(path).parent
    return {path, real, *real.parents, folder, *folder.parents}
