"""Floor 5. Runs the server: one process, or several that share a port; it stops when what it was asked is answered."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import LedgerError, MissingExtra
from prefect_ledger.listener import address, listening, orderly

if TYPE_CHECKING:
    from prefect_ledger.serving.beside import Beside

_VARIABLE = "PREFECT_LEDGER_SERVING"  # from the server's process to its workers
_SHARED = "PROMETHEUS_MULTIPROC_DIR"  # a folder of the server and its workers: their counters, and the two files below
WORKERS = "PREFECT_LEDGER_SERVING_WORKERS"  # how many they are, where they are several
_UP, _FAILED = "up", "failed"  # a worker has opened the model; what the first one said that could not
_CONNECTIONS = 1000  # of a process; whoever else connects is told to come back


def serve(
    reference: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    follow: float = 5.0,
    trust: bool = False,
    digest: str = "",
    share_port: bool = False,
    beside: Beside | None = None,
    limits: dict[str, Any] | None = None,
    ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve the model that ``reference`` means, until the process is told to stop.

    ``follow``: seconds after which it is looked whether an alias means another model by now; 0 for never. ``digest``: of the one model that
    may be served. ``share_port``: listen beside other servers of this user that share the port. ``beside``: a model to compare with it.
    ``limits``: see ``app.Limits``. ``ready`` is told the URL once it answers.

    Raises:
        MissingExtra: uvicorn is not installed. InvalidValue: the address cannot be listened on. Else as
        :class:`prefect_ledger.serving.following.Followed`; with several workers always a LedgerError.
    """
    from prefect_ledger.serving.following import prove

    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtra("uvicorn", "serve", need="serving a model") from error

    limits = limits or {}
    told = {"reference": reference, "follow": follow, "trust": trust, "digest": digest, "limits": limits}
    told["beside"] = None if beside is None else dataclasses.asdict(beside)
    common = _options(int(limits.get("waiting", 0)))
    if workers == 1:
        app = _made(told)
        with listening(host, port, share=share_port) as listener:
            _one(uvicorn, app, listener, share_port, common, lambda: ready(address(host, listener)))
        return
    if digest:  # a worker that refuses would be started again and again
        prove(reference, digest)
    with listening(host, port, share=share_port) as listener, _watched(listener, lambda: ready(address(host, listener))):
        _several(uvicorn, told, workers, listener, common)


def _options(waiting: int) -> dict[str, Any]:
    """How uvicorn is run where ``waiting`` requests may wait."""
    return {
        "http": "prefect_ledger.serving.connections:Gentle",
        "log_level": "warning",
        "access_log": False,
        "timeout_graceful_shutdown": 30,
        "limit_concurrency": max(_CONNECTIONS, 2 * waiting),
    }


@contextlib.contextmanager
def _watched(listener: socket.socket, ready: Callable[[], None]) -> Iterator[None]:
    """``ready`` is called once a worker answers, if the block lasts so long."""
    host, port = listener.getsockname()[:2]
    own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not listened on
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            if _answers(own, port):
                ready()
                return

    thread = threading.Thread(target=watch, name="prefect-ledger-ready", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=6)


def _answers(host: str, port: int) -> bool:
    with contextlib.closing(http.client.HTTPConnection(host, port, timeout=5)) as connection:
        try:
            connection.request("GET", "/version")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
    return True


def _several(uvicorn: Any, told: dict[str, Any], workers: int, listener: socket.socket, common: dict[str, Any]) -> None:
    """Serve in several processes.

    Raises:
        LedgerError: the first that tried could not open the model.
    """
    import inspect

    from uvicorn.supervisors import Multiprocess

    shared = Path(tempfile.mkdtemp(prefix="prefect-ledger-metrics-"))
    os.environ |= {_VARIABLE: json.dumps({**told, "parent": os.getpid()}), _SHARED: str(shared), WORKERS: str(workers)}
    config = uvicorn.Config("prefect_ledger.serving.server:of_environment", factory=True, workers=workers, **common)
    older = {"target": uvicorn.Server(config).run} if "target" in inspect.signature(Multiprocess).parameters else {}
    try:
        Multiprocess(config, sockets=[listener], **older).run()
        if (failed := shared / _FAILED).exists():
            raise LedgerError(failed.read_text())
    finally:
        shutil.rmtree(shared, ignore_errors=True)


def _one(uvicorn: Any, app: Any, listener: socket.socket, share: bool, common: dict[str, Any], ready: Callable[[], None]) -> None:
    """Serve in this process until told to stop."""
    from prefect_ledger.serving.connections import take_waiting

    class Server(orderly()):  # type: ignore[misc]
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            if share:
                await take_waiting(listener, self._protocol)
            await super().shutdown(sockets)

        def _protocol(self) -> Any:
            config = self.config
            return config.http_protocol_class(config=config, server_state=self.server_state, app_state=self.lifespan.state)

    Server(uvicorn.Config(app, **common)).run(sockets=[listener])


def of_environment() -> Any:
    """The application of a worker process; the first that cannot open the model ends the server, later ones are started again."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")  # as the command does
    told, shared = json.loads(os.environ[_VARIABLE]), Path(os.environ[_SHARED])
    try:
        app = _made(told)
    except Exception as error:  # whatever a model's own code raises as it is opened
        if (shared / _UP).exists():
            raise
        (shared / _FAILED).write_text(str(error) if isinstance(error, LedgerError) else f"{type(error).__name__}: {error}")
        if os.getppid() == told["parent"]:
            os.kill(told["parent"], signal.SIGTERM)
        raise SystemExit(1) from None
    (shared / _UP).touch()
    return app


def _made(told: dict[str, Any]) -> Any:
    from prefect_ledger.serving.app import App, Limits
    from prefect_ledger.serving.following import Followed

    known = {one.name for one in dataclasses.fields(Limits)}
    limits = Limits(**{key: value for key, value in told["limits"].items() if key in known})
    followed = Followed(told["reference"], seconds=told["follow"], trust=told["trust"], digest=told["digest"])
    if told["beside"] is None:
        return App(followed, limits)
    from prefect_ledger.serving.beside import Beside
    from prefect_ledger.serving.canary import beside_app

    return beside_app(followed, limits, Beside(**told["beside"]), follow=told["follow"], trust=told["trust"])
