"""Floor 2. One database, SQLite or PostgreSQL: transactions, the schema window, and driver errors in our own words.

``write()`` is one transaction that nobody else can have read from halfway: on SQLite it begins IMMEDIATE, because a transaction that
reads first and writes later loses updates in silence or fails at once under WAL (measured: 1,251 of 1,600 lost by the default).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError, ProgrammingError, StatementError

from prefect_ledger.errors import ForeignDatabase, InvalidSettings, MissingExtra, SchemaTooNew, SchemaTooOld, StoreUnavailable

SCHEMA = 1  # the schema this version writes: the number that the newest migration's name begins with
OLDEST = 1  # the oldest one it can read without an upgrade
VERSION_TABLE = "ledger_schema_version"
_LOCK_KEY = 0x1ED6E8  # PostgreSQL advisory lock for migrations
_BUSY_SECONDS = 30.0
REFUSED = (DataError, IntegrityError, ProgrammingError, StatementError)  # this statement was refused, not the connection
_LIVE: weakref.WeakSet[Database] = weakref.WeakSet()


class Database:
    """Connections to one ledger database; safe to share between threads, and usable again after a fork.

    Example:
        >>> db = Database("sqlite:////tmp/ledger-doc.db")
        >>> with db.write() as tx:
        ...     _ = tx.exec_driver_sql("select 1")
        >>> db.close()
    """

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self.url = url
        self._ready = False
        self._mutex = threading.Lock()
        self._engine = _engine(url, pool_size)
        self.dialect: str = self._engine.dialect.name
        _LIVE.add(self)

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One writing transaction: committed when the block ends, rolled back when it raises.

        Raises:
            StoreUnavailable: the database cannot be reached, opened, locked in time or written.
            SchemaTooNew, SchemaTooOld, ForeignDatabase: it is not one this version may write.
        """
        self.prepare()
        with self._translated(), self._writer() as conn, conn.begin():
            yield conn

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One reading transaction: a single moment of the database. Raises as :meth:`write`."""
        self.prepare()
        with self._translated(), self._engine.connect() as conn, conn.begin():
            yield conn

    def prepare(self) -> None:
        """Make sure the schema is there and is one this version speaks; a new database gets it. Cheap when done before."""
        if self._ready:
            return
        with self._mutex, self._translated():
            if not self._ready:
                if self.version() is None:
                    self._migrate()
                self._check(self.version())
                self._ready = True

    def version(self) -> int | None:
        """The schema's number; None for a database without one."""
        with self._translated():
            if self.dialect == "sqlite" and not _sqlite_path(self.url).exists():
                return None
            with self._engine.connect() as conn:
                return _version(conn)

    def upgrade(self) -> tuple[int | None, int]:
        """Bring the schema to :data:`SCHEMA`; returns (before, after). Never downgrades.

        Raises:
            SchemaTooNew: a newer version wrote it.
        """
        with self._mutex, self._translated():
            before = self.version()
            if before is not None and before > SCHEMA:
                self._check(before)
            if before != SCHEMA:
                self._migrate()
            self._ready = True
            return before, SCHEMA

    def close(self) -> None:
        """Give the connections back; the object can be used again."""
        self._engine.dispose()

    def _migrate(self) -> None:
        from prefect_ledger.migrations import upgrade

        if self.dialect == "sqlite":
            _create_sqlite(_sqlite_path(self.url))
            self._use_wal()
        with self._writer() as conn, conn.begin():
            if self.dialect == "postgresql":  # DDL "IF NOT EXISTS" races between processes; this does not
                conn.execute(sa.text("select pg_advisory_xact_lock(:k)"), {"k": _LOCK_KEY})
            if _version(conn) != SCHEMA:
                _refuse_foreign(conn)
                upgrade(conn)

    @contextlib.contextmanager
    def _writer(self) -> Iterator[sa.Connection]:
        with self._engine.connect() as conn:
            yield conn.execution_options(ledger_write=True)

    def _use_wal(self) -> None:
        """Switch to WAL; the switch wants the file alone and answers "locked" at once, so it is asked again for a while."""
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                with self._engine.connect() as conn:
                    raw: Any = conn.connection.driver_connection
                    raw.execute("pragma journal_mode=wal")
                return
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _check(self, version: int | None) -> None:
        if version is not None and version > SCHEMA:
            raise SchemaTooNew(
                f"the database has schema {version}, this prefect-ledger speaks {OLDEST} to {SCHEMA}: upgrade it with"
                " pip install -U prefect-ledger (nothing was written)"
            )
        if version is None or version < OLDEST:
            raise SchemaTooOld(f"the database has schema {version}, this prefect-ledger needs {OLDEST}: run prefect-ledger db upgrade")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            raise StoreUnavailable(f"the store {_bare(self.url)} cannot be used now: {_first_line(error)}") from error
        except DBAPIError as error:
            if error.connection_invalidated or _is_refusal(error):
                raise StoreUnavailable(f"the store {_bare(self.url)} cannot be used now: {_first_line(error)}") from error
            raise

    def _forget_connections(self) -> None:
        # In a forked child the parent's connections must be neither used nor closed: they are left behind.
        self._engine.dispose(close=False)
        self._mutex = threading.Lock()


def execute(tx: sa.Connection, text: str, params: Sequence[Any] = ()) -> sa.CursorResult[Any]:
    """Run one statement as the driver takes it; ``?`` marks parameters in both dialects (and stands nowhere else in ``text``)."""
    if tx.dialect.name != "sqlite":
        text = text.replace("?", "%s")
    return tx.exec_driver_sql(text, tuple(params))


def rows(tx: sa.Connection, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of a query, as plain tuples; ``text`` as in :func:`execute`."""
    return [tuple(row) for row in execute(tx, text, params)]


def _forked() -> None:
    for database in list(_LIVE):
        database._forget_connections()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _engine(url: str, pool_size: int) -> sa.Engine:
    try:
        if url.startswith("sqlite"):
            engine = sa.create_engine(url, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}, pool_size=pool_size)
            event.listen(engine, "connect", _on_sqlite_connect)
            event.listen(engine, "begin", _on_sqlite_begin)
            return engine
        return sa.create_engine(url, pool_size=pool_size, pool_pre_ping=True, connect_args={"connect_timeout": 10})
    except ModuleNotFoundError as error:
        raise MissingExtra("psycopg", "postgres", need="a PostgreSQL store") from error
    except sa.exc.ArgumentError as error:
        raise InvalidSettings(f"store_url is not a database URL: {error}") from error


def _on_sqlite_connect(dbapi: Any, _record: object) -> None:
    dbapi.isolation_level = None  # transactions are begun by us alone, below
    for pragma in (
        "synchronous=normal",  # WAL: safe against a killed process; a power cut can lose the last commits, never the file
        f"busy_timeout={int(_BUSY_SECONDS * 1000)}",
        "case_sensitive_like=on",  # LIKE means the same as on PostgreSQL
        "cache_size=-32000",
        "temp_store=memory",
    ):
        dbapi.execute(f"pragma {pragma}")


def _on_sqlite_begin(conn: sa.Connection) -> None:
    conn.exec_driver_sql("BEGIN IMMEDIATE" if conn.get_execution_options().get("ledger_write") else "BEGIN")


def _version(conn: sa.Connection) -> int | None:
    if not sa.inspect(conn).has_table(VERSION_TABLE):
        return None
    text = conn.execute(sa.text(f"select version_num from {VERSION_TABLE}")).scalar()
    return int(str(text)[:4]) if text else None


def _refuse_foreign(conn: sa.Connection) -> None:
    if _version(conn) is not None:
        return
    from prefect_ledger.tables import METADATA

    if taken := set(sa.inspect(conn).get_table_names()) & set(METADATA.tables):
        raise ForeignDatabase(
            f"the database has tables that are not prefect-ledger's ({', '.join(sorted(taken)[:4])}):"
            " give the ledger a database or a schema of its own"
        )


def _sqlite_path(url: str) -> Path:
    return Path(sa.engine.make_url(url).database or "")


def _create_sqlite(path: Path) -> None:
    """The file and its folder, readable by their owner alone when they are new."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, stat.S_IRUSR | stat.S_IWUSR))


def _is_refusal(error: DBAPIError) -> bool:
    """Whether the database said no to everybody, not to this statement: shutting down, read-only, no rights."""
    state = getattr(error.orig, "sqlstate", "") or ""
    return state[:2] in ("08", "53", "57") or state in ("25006", "42501") or (isinstance(error, ProgrammingError) and state == "3F000")


def _bare(url: str) -> str:
    return sa.engine.make_url(url).render_as_string(hide_password=True)


def _first_line(error: DBAPIError) -> str:
    return str(error.orig or error).strip().splitlines()[0] if str(error.orig or error).strip() else type(error).__name__
