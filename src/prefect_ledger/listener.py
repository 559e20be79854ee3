"""Floor 0. The socket that a server of ours listens on, and a server of uvicorn's that ends in order."""

from __future__ import annotations

import contextlib
import functools
import signal
import socket
from collections.abc import Iterator
from typing import Any

from prefect_ledger.errors import InvalidValue


@contextlib.contextmanager
def listening(host: str, port: int, *, share: bool = False) -> Iterator[socket.socket]:
    """A socket that is bound, closed at the end; port 0 is any free one. ``share``: beside others of this user that share the port.

    Raises:
        InvalidValue: no port, or the address cannot be listened on.

    Example:
        >>> with listening("127.0.0.1", 0) as listener:
        ...     address("127.0.0.1", listener).startswith("http://127.0.0.1:")
        True
    """
    if not 0 <= port < 1 << 16:
        raise InvalidValue(f"--port {port}: a port is a number from 0 to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, where = min(found, key=lambda one: one[0] != socket.AF_INET)  # "localhost" is 127.0.0.1 where it is both
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sends at once only where this is said
    except OSError as error:
        raise InvalidValue(f"cannot listen on {host}: {error.strerror}") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            listener.bind(where)
        except OSError as error:
            raise InvalidValue(f"cannot listen on {host}:{port}: {error.strerror}; give another --port, or 0 for a free one") from error
        yield listener


def address(host: str, listener: socket.socket) -> str:
    """The URL at which a program on this machine reaches it."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # named, not listened on
    return f"http://{f'[{name}]' if ':' in name else name}:{listener.getsockname()[1]}"


@functools.cache
def orderly() -> Any:
    """uvicorn's server, but a stop that was asked for is an end in order, not a death by signal. Raises ImportError: no uvicorn."""
    import uvicorn

    class Orderly(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            before = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for one, handler in before.items():
                    signal.signal(one, handler)

    return Orderly
