"""Floor 5. What is scored: a Parquet or CSV file, a folder of them, or a query. Read in chunks, so that it may be larger than memory."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from prefect_ledger.errors import InvalidValue, MissingExtra
from prefect_ledger.masking import mask_text

Table = Any  # of pyarrow, which ships no types
PARQUET = (".parquet", ".pq", ".parq")  # what its files' names end in
_URL = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a source that is scored by itself: the ``number`` of it, its file, and which row groups of a Parquet file."""

    number: int
    path: str
    groups: tuple[int, ...] = ()
    rows: int | None = None
    start: int | None = None  # the row of the source it begins at; None where nobody knows before all is read


class Stream(Protocol):
    """A source, or a part of one, that was opened: its columns are known, none of its rows was read."""

    @property
    def names(self) -> Sequence[str]:
        """The columns."""
        ...

    @property
    def types(self) -> Mapping[str, str]:
        """The columns' types, as Arrow calls them."""
        ...

    def chunks(self, columns: Sequence[str], rows: int) -> Iterator[Table]:
        """Tables of these columns in the source's order, of at most ``rows`` rows each.

        Raises:
            InvalidValue: something in there cannot be read; the message says where.
        """
        ...

    def close(self) -> None:
        """Read no more."""
        ...


class Source(ABC):
    """Something to be scored; ``place`` is where it is, without a password."""

    place: str
    name: str

    @abstractmethod
    def open(self, types: Mapping[str, Any], part: Part | None = None) -> Stream:
        """The whole of it, or a part. ``types`` are Arrow's for columns of text files whose types are known.

        Raises:
            InvalidValue: it cannot be read.
        """

    @abstractmethod
    def parts(self, rows: int) -> list[Part]:
        """Pieces of about ``rows`` rows, where it can be cut; else one."""

    @abstractmethod
    def digest(self) -> str | None:
        """sha256 as hex of files' bytes; None where it comes of the rows as they are read."""

    @abstractmethod
    def rows(self) -> int | None:
        """How many rows there are; None when nobody knows before they are read."""

    @abstractmethod
    def paths(self) -> Sequence[Path]:
        """Files and folders of this machine that are read."""

    @abstractmethod
    def check(self) -> None:
        """Refuse a source that changed since this was made.

        Raises:
            InvalidValue: it did.
        """


def source(place: str, query: str | None = None) -> Source:
    """The source at ``place``: a file, a folder, or the URL of a database beside a ``query``.

    Raises:
        InvalidValue: there is none. MissingExtra: a package that reads it is not installed.
    """
    arrow("scoring")
    scheme = found[1].lower() if (found := _URL.match(place)) else ""
    if scheme.partition("+")[0] in ("sqlite", "postgresql", "postgres"):
        if not query or not query.strip():
            raise InvalidValue(f"{mask_text(place)} is a database: say what to read from it (--query)")
        from prefect_ledger.scoring.queries import Query

        return Query(place, query)
    if query is not None:
        raise InvalidValue(f"{mask_text(place)} is no database that takes a query: write sqlite:///file.db or postgresql://user@host/name")
    if scheme and scheme != "file":
        raise InvalidValue(f"{mask_text(place)} cannot be scored where it is: files are read from this machine, so copy it here first")
    from prefect_ledger.scoring.files import Files

    return Files(place[7:] if scheme else place)


def arrow(need: str) -> Any:
    """The module pyarrow.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtra("pyarrow", "data", need=need) from error
    return pa


def cut(tables: Iterator[Table], rows: int) -> Iterator[Table]:
    """The same rows in tables of ``rows`` rows each, the last one what is left."""
    pa, held, count = arrow("scoring"), list[Table](), 0
    for table in tables:
        held.append(table)
        count += table.num_rows
        while count >= rows:
            whole = pa.concat_tables(held, promote_options="default")
            yield whole.slice(0, rows)
            held, count = [whole.slice(rows)], count - rows
    if count:
        yield pa.concat_tables(held, promote_options="default")
