"""The dashboard's server: Streamlit's application behind our door, in one process, ready once everything it needs is imported."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from prefect_ledger.errors import InvalidValue, LedgerError, MissingExtra
from prefect_ledger.listener import address, listening, orderly

_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
_WARM = ("pandas", "pyarrow", "plotly.graph_objects", "prefect_ledger.registry", "prefect_ledger.queries", "prefect_ledger.dashboard.main")
_MESSAGE = 64 << 20  # bytes that a browser may be sent at once
# Nothing is sent to anybody, no file is watched, and a failure is told by us; the rest is how it looks.
_OPTIONS: dict[str, Any] = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "server.enableStaticServing": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.maxMessageSize": _MESSAGE >> 20,
    "server.maxUploadSize": 1,
    "theme.baseFontSize": 14,
    "theme.baseRadius": "small",
    "theme.headingFontSizes": ["1.6rem", "1.3rem", "1.1rem", "1rem", "1rem", "1rem"],
    "theme.paddingBottom": "1rem",
    "theme.paddingTop": "3.5rem",
    "theme.light.primaryColor": "#1f5fbf",
    "theme.dark.primaryColor": "#6ea8ff",
}


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line and serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m prefect_ledger.dashboard", description="Serve the dashboard.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--public", action="store_true")
    asked = parser.parse_args(words)
    try:
        serve(host=asked.host, port=asked.port, public=asked.public, ready=lambda url: print(url, flush=True))  # noqa: T201 - that is what it is for
    except LedgerError as error:
        sys.exit(f"error: {error}")


def serve(*, host: str = "127.0.0.1", port: int = 8501, public: bool = False, ready: Callable[[str], None] = lambda _url: None) -> None:
    """Serve the dashboard of the process's ledger until told to stop.

    ``ready`` is told the address once it answers: with a token, good once, where nobody signs in. ``public``: have it answer on other
    addresses than loopback although nobody signs in; then anybody who reaches it may look, and nobody can change anything.

    Raises:
        MissingExtra: Streamlit is not installed. InvalidValue: the address cannot be listened on, or is open to others without sign-in.
    """
    for package in ("streamlit", "plotly", "pandas"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "dashboard", need="the dashboard")
    import uvicorn
    from streamlit.web import bootstrap

    from . import people
    from .door import DOOR

    bootstrap.load_config_options(_OPTIONS)
    ask_nobody()
    local, signed = host in _LOCAL, people.signs_in()
    if not local and not signed and not public:
        raise InvalidValue(
            f"--host {host}: others could reach the dashboard, and nobody signs in. Set up sign-in (see the guide to the dashboard), or say"
            " --public: then anybody who reaches it may look, and nobody can change anything"
        )
    door = DOOR if local and not signed else None
    with listening(host, port) as listener:
        app = application(local=local and not signed, door=door is not None)
        query = f"/?token={DOOR.token}" if door else ""
        _run(uvicorn, app, listener, lambda: ready(address(host, listener) + query))


def ask_nobody() -> None:
    """Have Streamlit not ask a host of the internet for this machine's address there, which it does, and has everybody wait for, whenever
    a page of another origin connects: that it is not known it takes for an answer."""
    from streamlit import net_util

    net_util._external_ip = net_util._internal_ip = ""


def application(*, local: bool, door: bool) -> Any:
    """The ASGI application."""
    from starlette.middleware import Middleware
    from streamlit.starlette import App

    from . import raw
    from .door import DOOR, Guard
    from .shell import Shell

    guard = Middleware(Guard, door=DOOR if door else None, local=local)
    return App(
        Path(__file__).with_name("app.py"),
        routes=raw.routes(),
        lifespan=_warm,
        middleware=[guard, Middleware(Shell)],
        on_script_error=_told,
    )


@contextlib.asynccontextmanager
async def _warm(_app: Any) -> AsyncIterator[None]:
    """What the first page needs, before anybody asks for it: an import that a page waits for is an import that a person waits for."""
    from streamlit.runtime.pages_manager import PagesManager

    PagesManager.uses_pages_directory = False  # else the first address of a page runs its file by itself, before anything navigates
    for name in _WARM:
        importlib.import_module(name)
    try:
        from prefect_ledger import search_runs

        search_runs(limit=1)
    except LedgerError as error:
        logging.getLogger("prefect_ledger.dashboard").warning("%s", error)  # the pages say so too, until it is there
    yield


def _told(error: Exception) -> bool:
    """Trouble in what a button calls, as a sentence; returns that it was told."""
    from .main import say

    say(error)
    return True


def _run(uvicorn: Any, app: Any, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve in this process until told to stop."""

    class Server(orderly()):  # type: ignore[misc]
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

    config = uvicorn.Config(app, log_level="warning", access_log=False, ws_max_size=_MESSAGE, timeout_graceful_shutdown=2)
    Server(config).run(sockets=[listener])
