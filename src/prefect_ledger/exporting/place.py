"""Floor 5. Where an export goes: one file, or a folder with a file for each table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from prefect_ledger.errors import InvalidValue, OutputExists
from prefect_ledger.exporting.tables import TABLES

Format: TypeAlias = Literal["parquet", "csv", "json", "jsonl"]
FORMATS: tuple[Format, ...] = get_args(Format)


class Place:
    """``path`` is a file where its name ends in a format's, as in ``runs.csv``; else a folder. ``what`` are the tables that go there.

    Raises:
        InvalidValue: the name, ``format`` and ``what`` do not go together. OutputExists: it is taken.
    """

    def __init__(self, path: str | os.PathLike[str], what: Sequence[str], format: str | None, *, overwrite: bool) -> None:  # noqa: A002
        try:
            named = os.fspath(path)
        except TypeError:
            raise InvalidValue(f"an export goes to a path, text or a Path, not {type(path).__name__}") from None
        if "://" in named:
            raise InvalidValue(f"exports are written to this machine, not to {named}: copy them from here")
        if format is not None and format not in FORMATS:
            raise InvalidValue(f"format={format!r}: it is one of {', '.join(FORMATS)}")
        self.path, self._overwrite = Path(named).absolute(), overwrite
        suffix = self.path.suffix.lower().removeprefix(".")
        self.folder = suffix not in FORMATS or named.endswith(os.sep) or self.path.is_dir()
        if self.folder and suffix and format is None and not (named.endswith(os.sep) or self.path.is_dir()):
            raise InvalidValue(
                f"{self.path.name} says neither a format ({', '.join(f'.{one}' for one in FORMATS)}) nor that it is a folder:"
                f" end it with {os.sep}, or say the format"
            )
        if not self.folder and format not in (None, suffix):
            raise InvalidValue(f"{self.path.name} is named like {suffix}, but {format} was asked for")
        self.format: Format = format or ("parquet" if self.folder else suffix)  # type: ignore[assignment]
        self.tables = _tables(what, folder=self.folder)
        if not self.folder and len(self.tables) != 1:
            raise InvalidValue(f"{self.path.name} is one file, and {', '.join(self.tables)} are {len(self.tables)}: name a folder")
        self.check()

    def files(self, at: Path) -> dict[str, Path]:
        """Where each table is written, when the export as a whole is at ``at``."""
        return {table: at / f"{table}.{self.format}" if self.folder else at for table in self.tables}

    def check(self) -> None:
        """Refuse a place that is taken.

        Raises:
            OutputExists: so it is, and may not or cannot be replaced. InvalidValue: its folder is not there.
        """
        path = self.path
        if not path.parent.is_dir():
            raise InvalidValue(f"there is no folder {path.parent} to write {path.name} into")
        if path.is_symlink():
            raise OutputExists(f"{path} is a link to {path.readlink()}: name the place that it leads to, or remove it first")
        if not path.exists() or (path.is_dir() and self.folder and not any(path.iterdir())):
            return
        if not self._overwrite:
            raise OutputExists(f"{path} is there already: give another place, or say --overwrite")
        if path.is_dir() != self.folder or not (path.is_dir() or path.is_file()):
            raise OutputExists(f"{path} is no {'folder' if self.folder else 'file'}, and is not replaced by one: remove it first")
        own = {f"{table}.{one}" for table in TABLES for one in FORMATS}
        if self.folder and (strange := next((one for one in path.iterdir() if one.name not in own or not one.is_file()), None)):
            raise OutputExists(f"{path} holds {strange.name}, which is no part of an export: it is not replaced, remove it first")


def _tables(what: Sequence[str], *, folder: bool) -> tuple[str, ...]:
    """The tables that are meant, each once, in their order."""
    if isinstance(what, str):
        raise InvalidValue(f"what={what!r}: give a list, as in [{what!r}]")
    if strange := [one for one in what if one not in (*TABLES, "all")]:
        raise InvalidValue(f"what={strange[0]!r}: it is one of {', '.join(TABLES)}, or all")
    wanted = what or (("all",) if folder else ("runs",))
    return TABLES if "all" in wanted else tuple(table for table in TABLES if table in wanted)
