"""Floor 5. A query on SQLite or PostgreSQL as a source: read through a cursor, in a transaction that cannot write.

The digest is of the rows as they came, so the same data in the same order has the same one.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from prefect_ledger.errors import InvalidValue, MissingExtra
from prefect_ledger.masking import mask_text
from prefect_ledger.scoring.sources import Part, Source, Table, arrow, cut
from prefect_ledger.settings import shown_url
from prefect_ledger.tracking.digests import Digest

_BLOCK = 8_192  # rows that are fetched, typed and hashed together, however large the chunks are
# PostgreSQL's numbers of types, by what Arrow calls them. Numbers of any precision become double, as models want them.
_POSTGRES = {
    16: "bool",
    17: "binary",
    18: "string",
    19: "string",
    20: "int64",
    21: "int16",
    23: "int32",
    25: "string",
    700: "float",
    701: "double",
    1042: "string",
    1043: "string",
    1082: "date32[day]",
    1700: "double",
    2950: "string",  # UUID
}


class Query(Source):
    """The rows of a query, in the order in which the database gives them."""

    def __init__(self, url: str, query: str) -> None:
        self.place, self.name = f"{shown_url(url)} {mask_text(query)}"[:2_000], "query"
        self._url, self._query = url, query
        self._stream: Rows | None = None

    def open(self, types: Mapping[str, Any], part: Part | None = None) -> Rows:  # noqa: ARG002  # a database knows its types
        self._stream = Rows(self._url, self._query, self.place)
        return self._stream

    def parts(self, rows: int) -> list[Part]:  # noqa: ARG002  # only the database could cut it, and rows without an order not at all
        return [Part(0, "")]

    def digest(self) -> str | None:
        return None

    def rows(self) -> int | None:
        return None

    def paths(self) -> Sequence[Path]:
        return (_sqlite(self._url),) if self._url.startswith("sqlite") else ()

    def check(self) -> None:
        """One transaction sees one moment."""


class Rows:
    """A query that runs."""

    def __init__(self, url: str, query: str, place: str) -> None:
        self.place, self._url = place, shown_url(url)
        self._engine = _engine(url)
        self._digest = Digest("query")
        self._open = contextlib.ExitStack()
        self._open.callback(self._engine.dispose)
        try:
            with self._asking():
                conn = self._open.enter_context(self._engine.connect())
                options = {"no_parameters": True, "stream_results": True, "max_row_buffer": _BLOCK, "yield_per": _BLOCK}
                if self._engine.dialect.name == "postgresql":
                    conn = conn.execution_options(postgresql_readonly=True)
                self._result = conn.execution_options(**options).exec_driver_sql(query)
            if not self._result.returns_rows:
                raise InvalidValue(f"the query gives no rows: {mask_text(query)[:200]}; write a SELECT")
        except BaseException:
            self.close()
            raise
        self.names: Sequence[str] = list(self._result.keys())
        if twice := next((name for name in self.names if self.names.count(name) > 1), None):
            self.close()
            raise InvalidValue(f"the query gives two columns {twice!r}: name one of them otherwise, as in {twice} AS other")
        self._kinds: list[Any] = self._known()
        self.types = {name: "" if kind is None else str(kind) for name, kind in zip(self.names, self._kinds, strict=True)}

    def chunks(self, columns: Sequence[str], rows: int) -> Iterator[Table]:
        return cut((table.select(list(columns)) for table in self._blocks()), rows)

    def digest(self) -> str:
        """The digest of the rows that were read."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """Give the connection back."""
        self._open.close()

    def _blocks(self) -> Iterator[Table]:
        from prefect_ledger.tracking.frames import of_arrow

        pa, start = arrow("scoring"), 0
        while True:
            with self._asking():
                rows = self._result.fetchmany(_BLOCK)
            if not rows:
                break
            columns = [self._column(at, values, start) for at, values in enumerate(zip(*rows, strict=True))]
            table = pa.Table.from_arrays(columns, names=list(self.names))
            self._digest.text(of_arrow(table).digest)
            yield table
            start += len(rows)
        self.types = {name: "null" if kind is None else str(kind) for name, kind in zip(self.names, self._kinds, strict=True)}

    def _column(self, at: int, values: Sequence[Any], start: int) -> Any:
        """Values with the type that the column has from its first value on."""
        pa, kind = arrow("scoring"), self._kinds[at]
        try:
            found = pa.array(values, type=kind)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            found = self._plainer(at, values, start, error)
        if kind is None and found.type != pa.null():
            self._kinds[at] = found.type
        return found

    def _plainer(self, at: int, values: Sequence[Any], start: int, error: Exception) -> Any:
        """What Arrow does not take as it is: numbers beside text in SQLite are refused, UUIDs and the like become text."""
        pa, kind, name = arrow("scoring"), self._kinds[at], self.names[at]
        plain = (bool, int, float, str, bytes)
        odd = {type(value) for value in values if value is not None and not isinstance(value, plain)}
        with contextlib.suppress(pa.ArrowException, TypeError, ValueError):
            if kind == pa.float64():
                return pa.array([None if value is None else float(value) for value in values], type=kind)
            if odd and (kind is None or kind == pa.string()):
                return pa.array([None if value is None else str(value) for value in values], type=pa.string())
        said = f"column {name!r} of the query, rows {start:,} to {start + len(values) - 1:,}: {error}"
        raise InvalidValue(f"{said}; give it one type in the query, as in CAST({name} AS DOUBLE PRECISION) AS {name}") from error

    def _known(self) -> list[Any]:
        """What PostgreSQL says of the columns; SQLite says nothing before the rows come."""
        pa = arrow("scoring")
        if self._engine.dialect.name != "postgresql" or (cursor := self._result.cursor) is None:
            return [None] * len(self.names)
        kinds = {"bool": pa.bool_(), "binary": pa.binary(), "string": pa.string(), "date32[day]": pa.date32()}
        numbers = {"int64": pa.int64(), "int32": pa.int32(), "int16": pa.int16(), "float": pa.float32(), "double": pa.float64()}
        codes: list[Any] = [column[1] for column in cursor.description or ()]
        return [{**kinds, **numbers}.get(_POSTGRES.get(code, "")) for code in codes]

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            said = mask_text(str(getattr(error, "orig", None) or error)).strip()
            raise InvalidValue(f"{self._url} does not answer the query: {said}") from None


def _engine(url: str) -> sa.Engine:
    try:
        if url.startswith("sqlite"):
            place = f"{_sqlite(url).as_uri()}?mode=ro"
            return sa.create_engine("sqlite://", creator=lambda: _connect(place), poolclass=sa.NullPool)
        return sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    except ModuleNotFoundError as error:
        raise MissingExtra("psycopg", "postgres", need="a query on PostgreSQL") from error
    except (sa.exc.ArgumentError, ValueError) as error:
        if isinstance(error, InvalidValue):
            raise
        raise InvalidValue(f"{shown_url(url)} is no database's URL: write postgresql://user:password@host:port/name") from None


def _connect(place: str) -> sqlite3.Connection:
    conn = sqlite3.connect(place, uri=True, check_same_thread=False)
    # ATTACH and VACUUM INTO make files, also of a database that is read only
    conn.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK)
    return conn


def _sqlite(url: str) -> Path:
    path = Path(url.partition("://")[2].removeprefix("/"))
    if not path.is_file():
        raise InvalidValue(f"there is no SQLite file {path}: write sqlite:///file.db, or sqlite:////folder/file.db from the root")
    return path.absolute()
