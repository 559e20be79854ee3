"""The servers that the other tests lean on behave as those tests assume."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.services_real import postgres as module
from tests.services_real.postgres import PostgresServer, postgres
from tests.services_real.processes import scratch

_STARTER = """
import sys, time
from tests.services_real.postgres import postgres
with postgres() as server:
    print(server.pid, server.root, flush=True)
    time.sleep(600)
"""


def _gone(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_schema_is_empty_and_dropped_afterwards(postgres: PostgresServer) -> None:
    """Two tests on one server never see each other's tables."""
    with postgres.schema() as name, psycopg.connect(postgres.url(name).replace("+psycopg", "")) as connection:
        connection.execute("create table runs (id int)")
        assert connection.execute("select table_schema from information_schema.tables where table_name = 'runs'").fetchall() == [(name,)]
    with psycopg.connect(postgres.dsn) as connection:
        assert connection.execute("select 1 from information_schema.schemata where schema_name = %s", [name]).fetchall() == []


def test_a_schema_is_dropped_beside_somebody_who_still_reads(postgres: PostgresServer) -> None:
    """Whoever reads on in a transaction while the schema is dropped finds no more tables there, and neither is the victim of a deadlock."""
    schemas = contextlib.ExitStack()
    name = schemas.enter_context(postgres.schema())
    with psycopg.connect(postgres.url(name).replace("+psycopg", "")) as reader, ThreadPoolExecutor() as pool:
        for table in ("one", "two", "three"):
            reader.execute(f"create table {table} (id int)")
        reader.commit()
        reader.execute("select * from two")
        dropped = pool.submit(schemas.close)
        with psycopg.connect(postgres.dsn, autocommit=True) as other:
            while not other.execute("select 1 from pg_locks where not granted").fetchall():
                assert not dropped.done()
        for table in ("one", "three"):
            with pytest.raises(psycopg.errors.UndefinedTable):
                reader.execute(f"select * from {table}")
            reader.rollback()
        dropped.result(timeout=60)


def test_a_durable_server_keeps_what_was_committed_when_the_plug_is_pulled() -> None:
    """``durable`` means it: a committed row survives an immediate stop, and the same port answers again."""
    with postgres(durable=True) as server:
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("show fsync").fetchone() == ("on",)
            connection.execute("create table kept (id int)")
        server.stop(signal.SIGQUIT)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.dsn)
        server.start()
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("select count(*) from kept").fetchone() == (0,)


def _open_to_all(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in path.parents)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
@pytest.mark.skipif(not _open_to_all(module.binaries() / "postgres"), reason="nobody may not enter the folder of this environment")
def test_root_without_user_namespaces_runs_the_server_as_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where unshare is not allowed the server runs as the user nobody."""
    monkeypatch.setattr(module, "_namespaces_work", lambda: False)
    with postgres() as server:
        assert (Path("/proc") / str(server.pid)).stat().st_uid == server.user != 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_killed_test_run_leaves_no_server_and_the_next_one_sweeps_its_folder() -> None:
    """SIGKILL of the process that started a server ends the server; its folder goes with the next server's start."""
    starter = subprocess.Popen([sys.executable, "-c", _STARTER], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    with starter.stdout:
        pid, root = starter.stdout.readline().split()
    assert not _gone(int(pid))
    starter.kill()
    starter.wait()
    until = time.monotonic() + 30
    while not _gone(int(pid)) and time.monotonic() < until:
        time.sleep(0.02)
    assert _gone(int(pid))
    with scratch("ledger-pg"):
        assert not Path(root).exists()


def test_a_flow_of_this_process_runs_on_the_prefect_server(prefect_server: str, home: Path) -> None:
    """With the fixtures alone, a flow's final state is on the session's server and in no other place."""
    from prefect import flow
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import State

    @flow(name="on-the-session-server")
    def answer() -> int:
        return 42

    state: State[int] = answer(return_state=True)
    with SyncPrefectClient(prefect_server) as client:
        run = client.read_flow_run(state.state_details.flow_run_id or pytest.fail("the state names no run"))
    assert (run.state_name, os.environ["PREFECT_API_URL"], home.exists()) == ("Completed", prefect_server, False)
