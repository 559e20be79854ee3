"""A real Prefect server in a process of its own.

A new server takes ten seconds, nearly all of it for creating its tables, so the first one leaves a copy of its database in
the environment's folder, and later ones begin with that.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from tests.services_real.processes import clean_environment, dies_with_us, free_port, scratch, start, stop, wait_until

_SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
}


@contextlib.contextmanager
def prefect_server(*, fill: Callable[[sqlite3.Connection], None] | None = None) -> Iterator[str]:
    """A running server; yields its API URL. No settings of this process change: see :func:`pointed_at`.

    ``fill`` gets the server's database before it starts: for what would take minutes through the API.
    """
    with restartable_server(fill=fill) as server:
        yield server.url


class Server:
    """A server that can be away for a while."""

    def __init__(self, home: Path, migrate: str) -> None:
        self._home, self._port, self._migrate = home, free_port(), migrate
        self.url = f"http://127.0.0.1:{self._port}/api"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        env = clean_environment(PREFECT_HOME=str(self._home), PREFECT_SERVER_DATABASE_MIGRATE_ON_START=self._migrate, **_SETTINGS)
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self._port)]
        self._child = start([*dies_with_us(), *command], self._home / "log", env=env, cwd=self._home)
        wait_until(lambda: _healthy(self.url), self._child, self._home / "log", seconds=90)

    def stop(self) -> None:
        """End it."""
        stop(self._child, signal.SIGTERM)


@contextlib.contextmanager
def restartable_server(*, fill: Callable[[sqlite3.Connection], None] | None = None) -> Iterator[Server]:
    """A running server that may be stopped and started; what it knows stays."""
    with scratch("ledger-prefect") as home:
        database, cached = home / "prefect.db", _cache()
        if fill is not None and not cached.exists():
            with prefect_server():
                pass  # which leaves a copy
        known = cached.exists()
        if known:
            shutil.copyfile(cached, database)
        if fill is not None:
            with contextlib.closing(sqlite3.connect(database)) as connection:
                fill(connection)
        server = Server(home, "false" if known else "true")
        try:
            server.start()
            if not known:
                _keep(database, cached)
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def pointed_at(url: str) -> Iterator[None]:
    """Let this process and the ones it starts use the server at ``url``, until everything said to it has arrived."""
    from prefect.context import _temporary_global_settings_context, get_settings_context
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
        temporary_settings,
    )

    before = os.environ.get("PREFECT_API_URL")
    os.environ["PREFECT_API_URL"] = url
    try:
        with contextlib.ExitStack() as stack:
            # A heartbeat's thread looks up once a second, so each flow would end up to a second late.
            ours = {PREFECT_API_URL: url, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
            stack.enter_context(temporary_settings(ours))
            # New threads start with the process's settings, not with this context's.
            stack.enter_context(_temporary_global_settings_context(get_settings_context()))
            yield
            _drain()
    finally:
        if before is None:
            del os.environ["PREFECT_API_URL"]
        else:
            os.environ["PREFECT_API_URL"] = before


def _drain() -> None:
    """Wait for Prefect's background senders, which would otherwise complain when the server is gone."""
    import inspect

    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.utilities.asyncutils import run_coro_as_sync

    async def drained() -> None:
        for drain in (lambda: APILogWorker.instance().drain(), EventsWorker.drain_all):
            with contextlib.suppress(RuntimeError):  # this worker never started
                done = drain()
                if inspect.isawaitable(done):
                    await done

    run_coro_as_sync(drained())


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _cache() -> Path:
    return Path(sys.prefix) / "cache" / f"prefect-{version('prefect')}.db"


def _keep(database: Path, cached: Path) -> None:
    cached.parent.mkdir(exist_ok=True)
    part = cached.with_suffix(f".{os.getpid()}")
    with contextlib.closing(sqlite3.connect(database)) as source, contextlib.closing(sqlite3.connect(part)) as copy:
        source.backup(copy)
    part.replace(cached)
