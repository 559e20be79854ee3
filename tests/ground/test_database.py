"""The database: transactions that lose nothing, a schema that is ours or is left alone, and errors in our own words."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from prefect_ledger import database as database_module
from prefect_ledger import migrations
from prefect_ledger.database import SCHEMA, VERSION_TABLE, Database, conflicts, execute, refuses, rows
from prefect_ledger.errors import ForeignDatabase, InvalidSettings, SchemaTooNew, SchemaTooOld, StoreUnavailable
from prefect_ledger.roles import VIEWS
from prefect_ledger.tables import METADATA
from tests.services_real.postgres import PostgresServer, postgres

RACERS = str(Path(__file__).parent / "racers.py")


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    store = Database(store_url)
    yield store
    store.close()


def race(count: int, *arguments: str) -> list[tuple[int, str, str]]:
    """Start processes, let them all go at once; returns (exit code, stdout, stderr) of each."""
    children = [
        subprocess.Popen(
            [sys.executable, RACERS, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(count)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    found = []
    for child in children:
        out, err = child.communicate(timeout=120)
        found.append((child.returncode, out, err))
    return found


# --- transactions ---------------------------------------------------------------------------------------------------


def test_eight_writers_lose_no_update(tmp_path: Path) -> None:
    """Eight processes that read a counter and write one more: every one of them is counted, and "locked" reaches nobody."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    database = Database(url)
    with database.write() as tx:
        tx.exec_driver_sql("INSERT INTO runs (id) VALUES ('counter')")
    assert [(code, err) for code, _, err in race(8, "count", url, "40")] == [(0, "")] * 8
    with database.read() as tx:
        assert rows(tx, "SELECT status_at FROM runs") == [(320,)]
    database.close()


def test_a_transaction_is_whole_or_not_at_all(database: Database) -> None:
    """What raises leaves nothing; what does not is there; a reader sees one moment."""
    with contextlib.suppress(ZeroDivisionError), database.write() as tx:
        execute(tx, "INSERT INTO runs (id) VALUES (?)", ["half"])
        raise ZeroDivisionError
    with database.write() as tx:
        execute(tx, "INSERT INTO runs (id, name) VALUES (?, ?)", ["whole", "a % and a ' quote"])
    with database.read() as tx:
        assert rows(tx, "SELECT id, name FROM runs WHERE name LIKE ?", ["%'%"]) == [("whole", "a % and a ' quote")]


def test_threads_share_a_database(database: Database) -> None:
    """Writers and readers in many threads at once all get through."""
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            for i in range(5):
                with database.write() as tx:
                    execute(tx, "INSERT INTO runs (id) VALUES (?)", [f"{number}-{i}"])
                with database.read() as tx:
                    assert rows(tx, "SELECT 1 FROM runs WHERE id = ?", [f"{number}-{i}"]) == [(1,)]
        except Exception as error:  # noqa: BLE001  # whatever it is, it is shown
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with database.read() as tx:
        assert rows(tx, "SELECT count(*) FROM runs") == [(60,)]


def test_usable_after_a_fork(database: Database) -> None:
    """A forked child reads and writes through the same object, on connections of its own; the parent's go on working."""
    with database.write() as tx:
        execute(tx, "INSERT INTO runs (id) VALUES (?)", ["parent"])
    for number in range(3):
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                with database.write() as tx:
                    execute(tx, "INSERT INTO runs (id) VALUES (?)", [f"child{number}"])
                with database.read() as tx:
                    found = {row[0] for row in rows(tx, "SELECT id FROM runs")}
                database.close()
                os._exit(0 if {"parent", f"child{number}"} <= found else 1)
            os._exit(2)
        with database.write() as tx:
            execute(tx, "UPDATE runs SET name = ? WHERE id = ?", [str(number), "parent"])
        assert os.waitpid(pid, 0)[1] == 0
    with database.read() as tx:
        assert len(rows(tx, "SELECT id FROM runs")) == 4
        assert rows(tx, "SELECT name FROM runs WHERE id = ?", ["parent"]) == [("2",)]


def test_a_fork_waits_for_transactions_and_leaves_no_open_file(tmp_path: Path) -> None:
    """A thread's transaction ends before the fork; the child has no descriptor of the database, whose locks it would not have."""
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    database.prepare()
    inside, leave = threading.Event(), threading.Event()

    def transaction() -> None:
        with database.write() as tx:
            execute(tx, "INSERT INTO runs (id) VALUES (?)", ["slow"])
            inside.set()
            leave.wait(20)

    thread = threading.Thread(target=transaction)
    thread.start()
    inside.wait(20)
    threading.Timer(0.2, leave.set).start()
    pid = os.fork()
    if pid == 0:
        links = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
        os._exit(sum(link.startswith(f"{tmp_path}/ledger.db") for link in links))
    assert os.waitpid(pid, 0)[1] == 0
    thread.join()
    database.close()


def test_a_child_forked_within_a_transaction_leaves_the_file_alone(tmp_path: Path) -> None:
    """Where a fork could not wait for the end of a transaction, the child does not touch SQLite: the store is unavailable to it."""
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    with database.write() as tx:
        execute(tx, "INSERT INTO runs (id) VALUES (?)", ["parent"])
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(StoreUnavailable), database.read():
                os._exit(1)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    with database.read() as tx:
        assert rows(tx, "SELECT id FROM runs") == [("parent",)]
    database.close()


def test_many_busy_readers_are_told_of_in_our_words(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When all connections of a process are in use for too long, that is StoreUnavailable like any other trouble."""
    database = Database(store_url, pool_size=1)
    database.prepare()
    pool: Any = database._engine.pool
    monkeypatch.setattr(pool, "_max_overflow", 0)
    monkeypatch.setattr(pool, "_timeout", 0.05)
    with database.read(), pytest.raises(StoreUnavailable, match="busy"), database.read():
        pass
    database.close()


# --- the schema -------------------------------------------------------------------------------------------------------


def shape(connection: sa.Connection) -> dict[str, Any]:
    """All that can be told of tables, without the order of columns."""
    inspector = sa.inspect(connection)
    found: dict[str, Any] = {}
    for name in inspector.get_table_names():
        if name == VERSION_TABLE:
            continue
        columns = {
            c["name"]: (str(c["type"]), c["nullable"], re.sub(r"nextval\(.*\)|::[a-z ]+", "", str(c["default"])))
            for c in inspector.get_columns(name)
        }
        found[name] = {
            "columns": columns,
            "pk": inspector.get_pk_constraint(name),
            "unique": sorted(inspector.get_unique_constraints(name), key=str),
            "indexes": sorted(inspector.get_indexes(name), key=str),
        }
        if connection.dialect.name == "sqlite":
            text = rows(connection, "SELECT sql FROM sqlite_master WHERE name = ?", [name])[0][0]
            found[name]["rowid"] = "WITHOUT ROWID" not in text
    return found


def test_migrations_make_what_the_tables_say(database: Database) -> None:
    """A store made by migrations has the tables, columns, defaults, keys and indexes that ``tables`` declares, no more and no less."""
    database.prepare()
    with database.read() as tx:
        # Alembic does not read SQLite's empty defaults as empty; the shapes below hold the defaults there.
        options = {"compare_type": True, "compare_server_default": database.dialect != "sqlite", "version_table": VERSION_TABLE}
        assert compare_metadata(MigrationContext.configure(tx, opts=options), METADATA) == []
        migrated = shape(tx)
    with database.write() as tx:
        for view in VIEWS:
            tx.exec_driver_sql(f"DROP VIEW {view}")
        METADATA.drop_all(tx)
        METADATA.create_all(tx)
        declared = shape(tx)
    assert migrated == declared


def test_the_schema_number_is_the_newest_migrations() -> None:
    """SCHEMA is what the one head of the migrations begins with; every migration has a number of four digits, in one line."""
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert int(str(scripts.get_current_head())[:4]) == SCHEMA
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True)
    assert all(re.fullmatch(r"\d{4}", revision[:4]) for revision in revisions)


def test_a_new_store_has_the_default_experiment_and_private_files(tmp_path: Path) -> None:
    """Preparing makes the folder and the file for their owner alone, in WAL mode, with the experiment 0."""
    path = tmp_path / "a" / "b" / "ledger.db"
    database = Database(f"sqlite:///{path}")
    assert database.version() is None
    assert not path.exists()
    database.prepare()
    with database.read() as tx:
        assert rows(tx, "SELECT id, name, lifecycle FROM experiments") == [(0, "Default", "active")]
        assert rows(tx, "pragma journal_mode") == [("wal",)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    database.close()


def test_a_server_that_is_too_old_is_refused_in_words(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PostgreSQL that has not what the schema is made of is told with both numbers before anything is made in it."""
    monkeypatch.setattr(database_module, "_OLDEST_SERVER", 99)
    one = Database(postgres_url)
    with pytest.raises(StoreUnavailable, match=r"is PostgreSQL \d+, and the ledger needs 99 or later"):
        one.prepare()
    assert one.version() is None
    one.close()


@pytest.mark.parametrize("reads", [True, False])
def test_a_newer_schema_is_refused_by_name_and_left_alone(database: Database, store_url: str, *, reads: bool) -> None:
    """A store that a newer version wrote is neither read nor written, and the message says both numbers and what to do."""
    database.prepare()
    with database.write() as tx:
        tx.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    before = _content(database)
    other = Database(store_url)
    with pytest.raises(SchemaTooNew, match=rf"schema 9999.*to {SCHEMA}.*pip install -U"), other.read() if reads else other.write():
        pass
    with pytest.raises(SchemaTooNew):
        other.upgrade()
    assert other.version() == 9999
    other.close()
    assert _content(database) == before


def test_an_older_schema_asks_for_an_upgrade(database: Database, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store below what this version can read says so; it is not upgraded unasked."""
    database.prepare()
    monkeypatch.setattr(database_module, "SCHEMA", SCHEMA + 1)
    monkeypatch.setattr(database_module, "OLDEST", SCHEMA + 1)
    other = Database(store_url)
    with pytest.raises(SchemaTooOld, match="db upgrade"), other.read():
        pass
    other.close()


def test_upgrading_says_from_where_to_where(database: Database) -> None:
    """An upgrade of a new store makes it; a second one does nothing."""
    assert database.upgrade() == (None, SCHEMA)
    assert database.upgrade() == (SCHEMA, SCHEMA)


def test_foreign_tables_are_refused_and_left_alone(store_url: str) -> None:
    """A database that has tables of our names, made by somebody else, is not touched."""
    engine = sa.create_engine(store_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE runs (x int)")
        connection.exec_driver_sql("INSERT INTO runs VALUES (7)")
    path = Path(store_url.partition(":///")[2])
    before = path.read_bytes() if store_url.startswith("sqlite") else b""
    database = Database(store_url)
    for _ in range(2):
        with pytest.raises(ForeignDatabase, match="runs"), database.write():
            pass
    database.close()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT x FROM runs").all() == [(7,)]
        assert sa.inspect(connection).get_table_names() == ["runs"]
    engine.dispose()
    assert not before or path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A text file named as the store is not ours to overwrite."""
    path = tmp_path / "notes.txt"
    path.write_text("dear diary " * 100)
    database = Database(f"sqlite:///{path}")
    with pytest.raises(ForeignDatabase, match=r"notes\.txt"), database.read():
        pass
    database.close()
    assert path.read_text() == "dear diary " * 100


def test_a_version_table_of_somebody_else_is_refused(database: Database, store_url: str) -> None:
    """A version that is no number of ours is not taken for one."""
    database.prepare()
    with database.write() as tx:
        tx.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = 'ae1027a6acf'")
    other = Database(store_url)
    with pytest.raises(ForeignDatabase, match="ae1027a6acf"), other.read():
        pass
    other.close()


def test_six_processes_make_one_store(store_url: str) -> None:
    """Six processes that find no store at the same moment make it once, and all of them can use it."""
    assert race(6, "create", store_url) == [(0, f"{SCHEMA} 1\n", "")] * 6


def test_threads_make_two_stores_at_once(tmp_path: Path, postgres_url: str) -> None:
    """Two new stores made in one process at the same time do not get into each other's migration."""
    databases = [Database(f"sqlite:///{tmp_path}/{n}.db") for n in range(3)] + [Database(postgres_url)]
    threads = [threading.Thread(target=database.prepare) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [database.version() for database in databases] == [SCHEMA] * 4
    for database in databases:
        database.close()


def _content(database: Database) -> list[Any]:
    found: list[Any] = []
    with database._engine.connect() as connection:
        for table in [*sorted(METADATA.tables), VERSION_TABLE]:
            found.append((table, connection.exec_driver_sql(f"SELECT * FROM {table}").all()))
    return found


# --- trouble ----------------------------------------------------------------------------------------------------------


def test_a_store_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    """A folder that is a file, one that cannot be made, a file that is a folder: StoreUnavailable, naming the place."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "ledger.db", Path("/proc/nowhere/ledger.db"), tmp_path / "folder"):
        database = Database(f"sqlite:///{path}")
        for attempt in (database.read, database.write):
            with pytest.raises(StoreUnavailable, match=re.escape(str(path))), attempt():
                pass
        database.close()


def test_a_folder_that_is_made_later_is_found(tmp_path: Path) -> None:
    """The same object works once the trouble is over."""
    (tmp_path / "place").write_text("")
    database = Database(f"sqlite:///{tmp_path}/place/ledger.db")
    with pytest.raises(StoreUnavailable), database.write():
        pass
    (tmp_path / "place").unlink()
    with database.write() as tx:
        execute(tx, "INSERT INTO runs (id) VALUES (?)", ["a"])
    database.close()


READ_ONLY = """
import sys
from prefect_ledger.database import Database, rows
from prefect_ledger.errors import StoreUnavailable
database = Database(sys.argv[1])
try:
    with database.write() as tx:
        tx.exec_driver_sql("INSERT INTO runs (id) VALUES ('x')")
except StoreUnavailable as error:
    print(error)
"""


def test_a_read_only_store_is_unavailable_for_writing(tmp_path: Path) -> None:
    """On a file system that is mounted read-only, writing says that the store cannot be written."""
    probe = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "true"], capture_output=True, check=False)
    if shutil.which("unshare") is None or probe.returncode != 0:
        pytest.skip(f"no user namespaces here: {probe.stderr.decode().strip()}")
    url = f"sqlite:///{tmp_path}/place/ledger.db"
    database = Database(url)
    database.prepare()
    database.close()
    mount = f'mount --bind "{tmp_path}/place" "{tmp_path}/place" && mount -o remount,ro,bind "{tmp_path}/place"'
    command = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        f'{mount} && exec "$0" -c "$1" "$2"',
        sys.executable,
        READ_ONLY,
        url,
    ]
    out = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if "mount:" in out.stderr:
        pytest.skip(f"mounting is not allowed here: {out.stderr.strip()}")
    assert (out.returncode, out.stderr) == (0, "")
    assert "cannot be used now" in out.stdout


def test_postgresql_stopped_is_unavailable_and_works_again() -> None:
    """While the server is away every use is StoreUnavailable; when it is back the same object works, its dead connections forgotten."""
    with postgres() as server:
        database = Database(server.url())
        with database.write() as tx:
            execute(tx, "INSERT INTO runs (id) VALUES (?)", ["before"])
        with pytest.raises(StoreUnavailable):
            _stopped_halfway(database, server)
        for attempt in (database.read, database.write):
            with pytest.raises(StoreUnavailable, match="cannot be used now"), attempt():
                pass
        server.start()
        with database.write() as tx:
            execute(tx, "INSERT INTO runs (id) VALUES (?)", ["after"])
        with database.read() as tx:
            assert {row[0] for row in rows(tx, "SELECT id FROM runs")} == {"before", "after"}
        database.close()


def _stopped_halfway(database: Database, server: PostgresServer) -> None:
    with database.write() as tx:
        server.stop()
        execute(tx, "INSERT INTO runs (id) VALUES (?)", ["during"])


@pytest.mark.parametrize("url", ["postgresql+psycopg://h:port/db", "postgresql+psycopg://u:p@h:5x/db"])
def test_a_url_that_does_not_parse_is_a_setting_to_mend(url: str) -> None:
    """A port that is no number is an error of the settings, with what to write instead."""
    with pytest.raises(InvalidSettings, match="%40"):
        Database(url)


def test_what_is_refused_and_what_is_trouble(database: Database) -> None:
    """A value too wide, a row that is there, a number too large are refusals; lost connections, locks and full disks are not."""
    statements: list[tuple[str, list[Any]]] = [
        ("INSERT INTO runs (id) VALUES (?), (?)", ["twice", "twice"]),
        ("INSERT INTO runs (id, status_at) VALUES (?, ?)", ["big", 2**80]),
        ("INSERT INTO runs (id) VALUES (?)", [object()]),
    ]
    for text, params in statements:
        with pytest.raises(Exception) as caught, database.write() as tx:  # noqa: PT011  # which class it is, is the driver's affair
            execute(tx, text, params)
        assert refuses(caught.value), caught.value
        assert not conflicts(caught.value)
    assert not refuses(StoreUnavailable("away"))
    assert not refuses(OSError("disk"))
    assert not refuses(MemoryError())
    assert not refuses(KeyboardInterrupt())
    full = sa.exc.OperationalError("", (), sqlite3.OperationalError("database or disk is full"))
    assert not refuses(full)


def test_two_that_wait_for_each_other_are_a_conflict(postgres_url: str) -> None:
    """A deadlock on PostgreSQL is StoreUnavailable for one of the two, known as a conflict that may be tried again."""
    database = Database(postgres_url)
    with database.write() as tx:
        execute(tx, "INSERT INTO runs (id) VALUES (?), (?)", ["a", "b"])
    both, caught = threading.Barrier(2), []

    def work(first: str, second: str) -> None:
        try:
            with database.write() as tx:
                execute(tx, "UPDATE runs SET name = ? WHERE id = ?", ["x", first])
                both.wait(20)
                execute(tx, "UPDATE runs SET name = ? WHERE id = ?", ["x", second])
        except StoreUnavailable as error:
            caught.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(caught) == 1
    assert conflicts(caught[0])
    database.close()


def test_what_is_used_after_it_was_closed_keeps_no_connection(store_url: str) -> None:
    """A closed database is usable, and each transaction gives its connection back: a thread that comes late leaves nothing open."""
    database = Database(store_url)
    with database.read() as tx:
        assert rows(tx, "SELECT 1") == [(1,)]
    pool = database._engine.pool
    assert isinstance(pool, sa.QueuePool)
    assert pool.checkedin() == 1
    database.close()
    with database.read() as tx:
        assert rows(tx, "SELECT 1") == [(1,)]
    after = database._engine.pool
    assert isinstance(after, sa.QueuePool)
    assert (after.checkedin(), after.checkedout()) == (0, 0)


def test_closing_waits_for_who_is_in_a_transaction(store_url: str) -> None:
    """Another thread's transaction ends before the connections are given back, and its connection with them."""
    database, begun, go_on = Database(store_url), threading.Event(), threading.Event()

    def reads() -> None:
        with database.read() as tx:
            begun.set()
            go_on.wait(10)
            assert rows(tx, "SELECT 1") == [(1,)]

    thread, closer = threading.Thread(target=reads), threading.Thread(target=database.close)
    thread.start()
    assert begun.wait(10)
    closer.start()
    closer.join(0.3)
    assert closer.is_alive()
    go_on.set()
    thread.join(10)
    closer.join(10)
    pool = database._engine.pool
    assert isinstance(pool, sa.QueuePool)
    assert (pool.checkedin(), pool.checkedout()) == (0, 0)
