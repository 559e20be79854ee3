"""Floor 5. Runs the server: one process, or several that share a port; it stops when what it was asked is answered."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from typing import Any

from prefect_ledger.errors import MissingExtra

_VARIABLE = "PREFECT_LEDGER_SERVING"  # from the server's process to its workers


def serve(
    reference: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    follow: float = 5.0,
    trust: bool = False,
    limits: dict[str, Any] | None = None,
) -> None:
    """Serve the model that ``reference`` means, until the process is told to stop.

    ``follow``: seconds after which it is looked whether an alias means another model by now; 0 for never. ``limits``: see ``app.Limits``.

    Raises:
        MissingExtra: uvicorn is not installed. Else as :func:`prefect_ledger.load_predictor`.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtra("uvicorn", "serve", need="serving a model") from error

    told = {"reference": reference, "follow": follow, "trust": trust, "limits": limits or {}}
    common: dict[str, Any] = {"host": host, "port": port, "log_level": "warning", "access_log": False, "timeout_graceful_shutdown": 30}
    if workers == 1:
        _one(uvicorn, _made(told), common)
        return
    shared = tempfile.mkdtemp(prefix="prefect-ledger-metrics-")
    os.environ |= {_VARIABLE: json.dumps(told), "PROMETHEUS_MULTIPROC_DIR": shared}
    try:
        uvicorn.run("prefect_ledger.serving.server:of_environment", factory=True, workers=workers, **common)
    finally:
        shutil.rmtree(shared, ignore_errors=True)


def _one(uvicorn: Any, app: Any, common: dict[str, Any]) -> None:
    """Serve in this process; a stop that was asked for is an end in order, not a death by signal."""

    class Server(uvicorn.Server):  # type: ignore[misc]
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            before = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for one, handler in before.items():
                    signal.signal(one, handler)

    Server(uvicorn.Config(app, **common)).run()


def of_environment() -> Any:
    """The application of a worker process."""
    return _made(json.loads(os.environ[_VARIABLE]))


def _made(told: dict[str, Any]) -> Any:
    from prefect_ledger.serving.app import App, Limits
    from prefect_ledger.serving.following import Followed

    known = {one.name for one in dataclasses.fields(Limits)}
    limits = Limits(**{key: value for key, value in told["limits"].items() if key in known})
    return App(Followed(told["reference"], seconds=told["follow"], trust=told["trust"]), limits)
