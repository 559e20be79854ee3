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
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from prefect_ledger import forks, lines
from prefect_ledger.errors import (
    ForeignDatabase,
    InvalidSettings,
    LedgerError,
    MissingExtra,
    SchemaTooNew,
    SchemaTooOld,
    StoreReplaced,
    StoreUnavailable,
)
from prefect_ledger.settings import shown_url

SCHEMA = 6  # the schema this version writes: the number that the newest migration's name begins with
OLDEST = 4  # the oldest one it can read without an upgrade
VERSION_TABLE = "ledger_schema_version"
_OLDEST_SERVER = 15  # of PostgreSQL: views that ask for their reader's rights
_LOCK_KEY = 0x1ED6E8  # PostgreSQL advisory lock for migrations
_BUSY_SECONDS = 30.0
_CLOSE_SECONDS = 5.0
_REFUSALS = ("22", "23", "54")  # classes of SQLSTATE: this value, this row, this statement too large
_READ_ONLY = "25006"
_CONFLICTS = ("40001", "40P01")  # lost against another transaction
_LIVE: weakref.WeakSet[Database] = weakref.WeakSet()
_MIGRATING = threading.Lock()  # alembic's context is one for the whole process
_LEFT_BEHIND: list[object] = []  # a parent's connections in a forked child: never used, never closed


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
        self._gate = threading.Condition()
        self._users: Counter[int] = Counter()  # threads that are in a transaction
        self._forking = False  # a fork waits for them, or is under way: no other thread may begin one
        self._stuck: set[int] = set()  # threads that a fork waited for in vain, and that have ended no transaction well since
        self._closed = False  # it was: what is opened since is given back at once
        self._torn = False  # this process was forked while SQLite was in use
        self.generation = 0  # greater each time another file was found in the place of the one in use
        self._file: tuple[int, int] | None = None  # which file the connections are of
        self._engine = _engine(url, pool_size)
        self.dialect: str = self._engine.dialect.name
        _LIVE.add(self)

    @contextlib.contextmanager
    def write(self, *, hurried: bool = False) -> Iterator[sa.Connection]:
        """One writing transaction: committed when the block ends, rolled back when it raises.

        ``hurried``: a server that does not answer is given up after a while; for those who try again.

        Raises:
            StoreUnavailable: the database cannot be reached, opened, locked in time or written.
            SchemaTooNew, SchemaTooOld, ForeignDatabase: it is not one this version may write.
        """
        self.prepare()
        with self._used(), self._writer(hurried=hurried) as conn, _left_if_read_only(conn), conn.begin():
            yield conn

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One reading transaction, all of it of a single moment of the database. Raises as :meth:`write`."""
        self.prepare()
        with self._used(), self._engine.connect() as conn:
            if self.dialect == "postgresql":  # BEGIN says so itself then, which costs no question of its own
                conn.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with conn.begin():
                yield conn

    def prepare(self) -> None:
        """Make sure the schema is there and is one this version speaks; a new database gets it. Cheap when done before.

        Raises:
            StoreReplaced: the file of an SQLite store was removed or replaced. The next call opens the one that is there, or makes one.
        """
        if self._ready:
            self._check_file()
            return
        with self._used(), self._mutex:
            if not self._ready:
                if self.version() is None:
                    self._migrate(hurried=True)
                self._check(self.version())
                self._file = self._found_file()
                self._ready = True

    def _check_file(self) -> None:
        """Never write into a file that nobody can find any more."""
        if self._file is None or (found := self._found_file()) == self._file:
            return
        with self._mutex:
            self._ready, self._file = False, None
            self.generation += 1
            self._engine.dispose()
        what = "was removed" if found is None else "was replaced by another"
        raise StoreReplaced(
            f"the file of the store {shown_url(self.url)} {what} while it was in use: what is logged from here on goes into the new one"
        )

    def _found_file(self) -> tuple[int, int] | None:
        if self.dialect != "sqlite":
            return None
        try:
            found = _sqlite_path(self.url).stat()
        except FileNotFoundError:
            return None
        except OSError:  # a folder that may not be searched now: the connections know better
            return self._file
        return found.st_dev, found.st_ino

    def version(self) -> int | None:
        """The schema's number; None for a database without one."""
        with self._used():
            if self.dialect == "sqlite" and not _is_there(_sqlite_path(self.url)):
                return None
            with self._connected(hurried=True) as conn:
                return _version(conn)

    def upgrade(self) -> tuple[int | None, int]:
        """Bring the schema to :data:`SCHEMA`; returns (before, after). Never downgrades.

        Raises:
            SchemaTooNew: a newer version wrote it.
        """
        with self._used(), self._mutex:
            before = self.version()
            if before is not None and before > SCHEMA:
                self._check(before)
            if before != SCHEMA:
                self._migrate(hurried=False)
            self._file = self._found_file()
            self._ready = True
            return before, SCHEMA

    def close(self) -> None:
        """Give the connections back. The object can be used again, but keeps none from then on: nobody would close them.

        Other threads end the transactions they are in, for a few seconds: a connection that comes back to a pool that is closed would be
        nobody's.
        """
        here = threading.get_ident()
        with self._gate:
            self._closed = True
            self._gate.wait_for(lambda: self._users.keys() <= {here}, _CLOSE_SECONDS)
            self._engine.dispose()

    def _migrate(self, *, hurried: bool) -> None:
        from prefect_ledger.migrations import create, upgrade

        if self.dialect == "sqlite":
            _create_sqlite(_sqlite_path(self.url))
            with self._engine.connect() as conn:
                _refuse_foreign(conn)  # before anything in the file is changed
            self._use_wal()
        with _MIGRATING, self._writer(hurried=hurried) as conn, conn.begin():
            self._check_server(conn)
            if self.dialect == "postgresql":  # DDL "IF NOT EXISTS" races between processes; this does not
                conn.execute(sa.text("select pg_advisory_xact_lock(:k)"), {"k": _LOCK_KEY})
            known = _version(conn)
            if known is None:
                _refuse_foreign(conn)
                create(conn)
            elif known != SCHEMA:
                upgrade(conn)

    @contextlib.contextmanager
    def _writer(self, *, hurried: bool) -> Iterator[sa.Connection]:
        with self._connected(hurried=hurried) as conn:
            yield conn.execution_options(ledger_write=True)

    @contextlib.contextmanager
    def _connected(self, *, hurried: bool) -> Iterator[sa.Connection]:
        with self._engine.connect() as conn, lines.hurried(conn) if hurried and self.dialect != "sqlite" else contextlib.nullcontext():
            yield conn

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

    def _check_server(self, conn: sa.Connection) -> None:
        found = getattr(conn.dialect, "server_version_info", None)
        if self.dialect == "postgresql" and found and found[0] < _OLDEST_SERVER:
            raise StoreUnavailable(f"{shown_url(self.url)} is PostgreSQL {found[0]}, and the ledger needs {_OLDEST_SERVER} or later")

    def _check(self, version: int | None) -> None:
        if version is not None and version > SCHEMA:
            raise SchemaTooNew(
                f"the database has schema {version}, this prefect-ledger speaks {OLDEST} to {SCHEMA}: upgrade it with"
                " pip install -U prefect-ledger (nothing was written)"
            )
        if version is None or version < OLDEST:
            raise SchemaTooOld(f"the database has schema {version}, this prefect-ledger needs {OLDEST}: run prefect-ledger db upgrade")

    @contextlib.contextmanager
    def _used(self) -> Iterator[None]:
        """While this thread uses connections: others fork when it is done, and what goes wrong is said in our words."""
        if self._torn:
            raise StoreUnavailable(f"this process was forked while {shown_url(self.url)} was in use, so it leaves it to others")
        thread = threading.get_ident()
        with self._gate:
            # Whoever is in a transaction already may go on: the fork waits for its end.
            self._gate.wait_for(lambda: not self._forking or thread in self._users)
            self._users[thread] += 1
        try:
            with self._translated():
                yield
            self._stuck.discard(thread)
        finally:
            with self._gate:
                self._users[thread] -= 1
                if not self._users[thread]:
                    del self._users[thread]
                if self._closed and not self._users:
                    self._engine.dispose()
                self._gate.notify_all()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if refuses(error):
                raise
            if "file is not a database" in str(error.orig):
                raise ForeignDatabase(f"{shown_url(self.url)} is not an SQLite database: name another file in store_url") from error
            raise StoreUnavailable(f"the store {shown_url(self.url)} cannot be used now: {_first_line(error)}") from error
        except PoolTimeout as error:
            raise StoreUnavailable(
                f"the store {shown_url(self.url)} cannot be used now: all connections of this process are busy"
            ) from error

    def _before_fork(self) -> None:
        """Let no thread be in a transaction, and no SQLite connection be open: the library's memory of its locks would be copied, but
        not the locks, and the child would write to files that others take away (seen: SIGBUS). A child of a fork that could not wait
        so long does not touch the store; what it logs is brought in by others. Nor do children of the forks that follow, which are not
        made to wait again for a store that is locked or away, until the thread has ended a transaction well."""
        here = threading.get_ident()
        with self._gate:
            self._forking = True
            self._gate.wait_for(lambda: self._users.keys() <= {here} | self._stuck, forks.patience_left())
            self._stuck |= self._users.keys() - {here}
            if self.dialect == "sqlite" and not self._users:
                self._engine.dispose()

    def _after_fork(self) -> None:
        with self._gate:
            self._forking = False
            self._gate.notify_all()

    def _in_child(self) -> None:
        # The parent's connections must be neither used nor closed here, not even by the collector.
        self._torn = self._torn or (self.dialect == "sqlite" and bool(self._users))
        _LEFT_BEHIND.append(self._engine.pool)
        self._engine.dispose(close=False)
        self._mutex, self._gate, self._forking = threading.Lock(), threading.Condition(), False
        self._users.clear()
        self._stuck.clear()


@contextlib.contextmanager
def _left_if_read_only(conn: sa.Connection) -> Iterator[None]:
    """Do not come back to a server that only reads: after a failover it goes on answering, and the one that writes is another."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _READ_ONLY:
            conn.invalidate()
            conn.engine.dispose()  # nor do those that were idle
        raise


def execute(tx: sa.Connection, text: str, params: Sequence[Any] = ()) -> sa.CursorResult[Any]:
    """Run one statement as the driver takes it; ``?`` marks parameters in both dialects (and stands nowhere else in ``text``)."""
    if tx.dialect.name != "sqlite":
        text = text.replace("?", "%s")
    return tx.exec_driver_sql(text, tuple(params))


def rows(tx: sa.Connection, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of a query; ``text`` as in :func:`execute`."""
    return list(execute(tx, text, params).all())


def refuses(error: BaseException) -> bool:
    """Whether ``error`` says no to what was asked and would do so again: not that the database is away, busy, full or not ours to write."""
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None)
        if state:
            return str(state)[:2] in _REFUSALS
        # Without a state it is SQLite, or the driver before it asked; "database or disk is full" and "locked" are operational there.
        trouble = isinstance(error, OperationalError) or type(error) is DatabaseError or error.connection_invalidated
        return not trouble and (isinstance(error.orig, sqlite3.Error) or not isinstance(error, sa.exc.InterfaceError))
    if isinstance(error, SQLAlchemyError):
        return isinstance(error, StatementError)
    return isinstance(error, Exception) and not isinstance(error, LedgerError | MemoryError | OSError)


def conflicts(error: BaseException) -> bool:
    """Whether the transaction lost against another one, and may win when it is tried again."""
    return getattr(getattr(error.__cause__ or error, "orig", None), "sqlstate", None) in _CONFLICTS


_held: list[Database] = []


def _before_fork() -> None:
    for database in list(_LIVE):
        database._before_fork()
        _held.append(database)


def _after_fork() -> None:
    while _held:
        _held.pop()._after_fork()


def _in_child() -> None:
    global _MIGRATING
    _MIGRATING = threading.Lock()
    _held.clear()
    for database in list(_LIVE):
        database._in_child()


forks.around(1, before=_before_fork, in_parent=_after_fork, in_child=_in_child)


def _engine(url: str, pool_size: int) -> sa.Engine:
    try:
        if url.startswith("sqlite"):
            place = sa.URL.create("sqlite", database=str(_sqlite_path(url)))  # SQLAlchemy 2.1 would read '%20' in it as a space
            engine = sa.create_engine(place, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}, pool_size=pool_size)
            event.listen(engine, "connect", _on_sqlite_connect)
            event.listen(engine, "begin", _on_sqlite_begin)
            return engine
        engine = sa.create_engine(url, pool_size=pool_size, pool_pre_ping=True)
        lines.give_up_on_silence(engine)
        return engine
    except ModuleNotFoundError as error:
        raise MissingExtra("psycopg", "postgres", need="a PostgreSQL store") from error
    except (sa.exc.ArgumentError, ValueError):  # whose message may quote a part of the password
        raise InvalidSettings(
            f"store_url {shown_url(url)} is no database URL: write postgresql://user:password@host:port/database, and in the password"
            " %40 for '@', %2F for '/', %3A for ':'"
        ) from None


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
    text = str(conn.execute(sa.text(f"select version_num from {VERSION_TABLE}")).scalar() or "")
    if text and not text[:4].isdigit():
        raise ForeignDatabase(f"the database has a table {VERSION_TABLE} that is not prefect-ledger's: it says {text[:40]!r}")
    return int(text[:4]) if text else None


def _refuse_foreign(conn: sa.Connection) -> None:
    if _version(conn) is not None:
        return
    from prefect_ledger.migrations import table_names  # not our tables themselves: SQLModel takes half a second to load

    if taken := set(sa.inspect(conn).get_table_names()) & table_names(conn.dialect.name):
        raise ForeignDatabase(
            f"the database has tables that are not prefect-ledger's ({', '.join(sorted(taken)[:4])}):"
            " give the ledger a database or a schema of its own"
        )


def _sqlite_path(url: str) -> Path:
    return Path(url.partition(":///")[2])


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that may not be searched; opening the file will say so in the database's own words
        return True


def _create_sqlite(path: Path) -> None:
    """The file and its folder, readable by their owner alone when they are new."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, stat.S_IRUSR | stat.S_IWUSR))
    except OSError as error:
        raise StoreUnavailable(f"the store {path} cannot be made: {error.strerror or error}") from error


def _first_line(error: DBAPIError) -> str:
    return str(error.orig or error).strip().splitlines()[0] if str(error.orig or error).strip() else type(error).__name__
