"""A place that nobody should reach: it counts who did, by TCP and by UDP."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Trap:
    """Listens on ``port`` of loopback; ``reached`` are the first bytes of whoever came."""

    def __init__(self) -> None:
        self.reached: list[bytes] = []
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._listen, self._hear)]
        for one in self._threads:
            one.start()

    def _listen(self) -> None:
        while True:
            try:
                line, _ = self._tcp.accept()
            except OSError:
                return
            with line:
                line.settimeout(2)
                try:
                    self.reached.append(line.recv(200))
                except OSError:
                    self.reached.append(b"somebody who said nothing")

    def _hear(self) -> None:
        while True:
            try:
                said, _ = self._udp.recvfrom(200)
            except OSError:
                return
            if said == b"end":
                return
            self.reached.append(said)

    def close(self) -> None:
        """Listen no more."""
        with contextlib.suppress(OSError):
            self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", ("127.0.0.1", self.port))
        for one in self._threads:
            one.join(5)
        self._udp.close()


@contextlib.contextmanager
def trap() -> Iterator[Trap]:
    """A trap until the block ends."""
    one = Trap()
    try:
        yield one
    finally:
        one.close()
