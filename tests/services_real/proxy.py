"""A TCP proxy of our own that cuts or stalls connections, to stand between a client and a real server."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit


@dataclass
class Fault:
    """What befalls connections that have carried more than ``after`` bytes ``up`` (to the server) or ``down``: ``times`` of them."""

    kind: Literal["cut", "stall"]
    way: Literal["up", "down"]
    after: int
    times: int = 1_000_000
    met: int = 0
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def meets(self, way: str, carried: int) -> bool:
        """Whether it befalls a connection that is about to have carried so much."""
        with self._mutex:
            hit = way == self.way and carried > self.after and self.met < self.times
            self.met += hit
            return hit


class Proxy:
    """Stands before one server. ``fault`` may be set and taken away at any time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.fault: Fault | None = None
        self.carried = 0
        self._open: set[socket.socket] = set()
        self._mutex = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Refuse and drop all connections from here on."""
        for one in (self._listener, *list(self._open)):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
            except OSError:
                return
            self._open |= {client, server}
            for way, source, sink in (("up", client, server), ("down", server, client)):
                threading.Thread(target=self._carry, args=(way, source, sink), daemon=True).start()

    def _carry(self, way: str, source: socket.socket, sink: socket.socket) -> None:
        carried = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                carried += len(data)
                fault = self.fault
                if fault is not None and fault.meets(way, carried):
                    if fault.kind == "stall":
                        while source.recv(1 << 16):  # taken and never handed on, until somebody gives up
                            pass
                    else:
                        self._reset(source, sink)
                    return self._end(source, sink)
                sink.sendall(data)
                with self._mutex:
                    self.carried += len(data)
        return self._end(source, sink)

    def _reset(self, *ends: socket.socket) -> None:
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _end(self, *ends: socket.socket) -> None:
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            self._open.discard(end)


@contextlib.contextmanager
def proxy(url: str) -> Iterator[Proxy]:
    """A proxy before the server at ``url``."""
    one = Proxy(url)
    try:
        yield one
    finally:
        one.close()
