"""A server as a process, started by the command."""

from __future__ import annotations

import http.client
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.services_real.processes import clean_environment, dies_with_us, free_port, start, stop, wait_until


class Server:
    """A server that runs."""

    def __init__(self, port: int, child: Any) -> None:
        self.port, self.child = port, child

    def ask(self, body: Any, path: str = "/invocations") -> tuple[int, Any, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            if body is None:
                connection.request("GET", path)
            else:
                connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            data = answer.read()
            found = json.loads(data) if answer.headers.get_content_type() == "application/json" and data.strip() else data
            return answer.status, found, {key.lower(): value for key, value in answer.headers.items()}
        finally:
            connection.close()


@contextmanager
def server(reference: str, folder: Path, *words: str, home: Path | None = None) -> Iterator[Server]:
    """``prefect-ledger serve`` on a free port."""
    port, log = free_port(), folder / "serve.log"
    command = [*dies_with_us(), sys.executable, "-m", "prefect_ledger.cli", "serve", reference, "--port", str(port), "--trust", *words]
    home = home or folder / "ledger"
    env = clean_environment(PREFECT_LEDGER_HOME=str(home), PREFECT_HOME=str(folder / "prefect"))
    child = start(command, log, env=env, cwd=folder)
    one = Server(port, child)

    def ready() -> bool:
        try:
            return one.ask(None, "/ping")[0] == 200
        except OSError:
            return False

    try:
        wait_until(ready, child, log, seconds=60)
        yield one
    finally:
        stop(child, signal.SIGTERM)
