"""A server as a process, started by the command."""

from __future__ import annotations

import http.client
import json
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.services_real.processes import clean_environment, dies_with_us, start, stop, wait_until


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
    """``prefect-ledger serve`` on a free port, which it says when it can be asked; its temporary files are in ``folder/temporary``."""
    log, temporary = folder / "serve.log", folder / "temporary"
    temporary.mkdir(exist_ok=True)
    command = [*dies_with_us(), sys.executable, "-m", "prefect_ledger.cli", "serve", reference, "--port", "0", "--trust", *words]
    home = home or folder / "ledger"
    env = clean_environment(PREFECT_LEDGER_HOME=str(home), PREFECT_HOME=str(folder / "prefect"), TMPDIR=str(temporary))
    child = start(command, log, env=env, cwd=folder)

    def said() -> re.Match[str] | None:
        return re.search(r"serving .* at http://127\.0\.0\.1:(\d+): POST", log.read_text(errors="replace"))

    try:
        wait_until(lambda: said() is not None, child, log, seconds=60)
        found = said()
        assert found is not None
        one = Server(int(found[1]), child)
        assert one.ask(None, "/ping")[0] == 200
        yield one
    finally:
        stop(child, signal.SIGTERM)
