"""A receiver of webhooks: a real HTTP server on 127.0.0.1, which reads signatures with code of its own."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "a key that both sides have"


@dataclass
class Request:
    """What came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The body, read."""
        return dict(json.loads(self.body))

    def signed(self, secret: str = SECRET) -> bool:
        """Whether the signature is that of time and body."""
        parts = dict(part.split("=") for part in self.headers["x-prefect-ledger-signature"].split(","))
        wanted = hmac.new(secret.encode(), f"{parts['t']}.".encode() + self.body, hashlib.sha256).hexdigest()
        return parts == {"t": parts["t"], "v1": wanted}


@dataclass
class Receiver:
    """``answers`` are given in turn, then 200: a status, and headers and text beside it."""

    url: str = ""
    came: list[Request] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)  # nobody is answered before it is set

    def say(self, *statuses: int, text: str = "", **headers: str) -> None:
        """Answer the next ones with these."""
        self.answers += [(status, {name.replace("_", "-"): value for name, value in headers.items()}, text) for status in statuses]

    @property
    def events(self) -> list[str]:
        """The names of the events that came, without what they all begin with."""
        return [one.event["event"].removeprefix("prefect-ledger.registry.") for one in self.came]


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """A running receiver, which answers at once unless its gate is cleared."""
    here = Receiver()
    here.gate.set()
    mutex = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with mutex:
                here.came.append(Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                status, headers, text = here.answers.pop(0) if here.answers else (200, {}, "")
            here.gate.wait(60)
            with contextlib.suppress(OSError):  # who asked may be gone
                self.send_response(status)
                for name, value in {"Content-Length": str(len(text.encode())), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield here
        finally:
            here.gate.set()
            server.shutdown()
            thread.join()
