"""Floor 5. Connections of a server that stops: who has just come is still answered, and told not to ask here again.

A client that has connected and not yet asked, or asks again on a connection that it keeps, would otherwise be cut off half way. For
``GRACE`` seconds such connections stay, and every answer on them ends its connection in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

_Protocol: Any
try:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as _Protocol
except ImportError:
    from uvicorn.protocols.http.h11_impl import H11Protocol as _Protocol

GRACE = 1.0  # seconds
_CLOSE = (b"connection", b"close")


class Gentle(_Protocol):  # type: ignore[misc]
    """uvicorn's protocol for HTTP, its connections ended gently."""

    def shutdown(self) -> None:
        """Called for each connection when the server stops."""
        state = self.server_state
        if _CLOSE not in state.default_headers:
            state.default_headers = [*state.default_headers, _CLOSE]
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(GRACE, super().shutdown)
        else:
            super().shutdown()


async def take_waiting(listener: socket.socket, make: Callable[[], asyncio.Protocol]) -> None:
    """Take every connection that waits at ``listener``, which then listens no more: they would be reset when it is closed."""
    loop, taken = asyncio.get_running_loop(), []
    with contextlib.suppress(OSError):  # nobody waits
        while True:
            taken.append(listener.accept()[0])
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    for one in taken:
        one.setblocking(False)
        with contextlib.suppress(OSError):  # gone again
            await loop.connect_accepted_socket(make, one)
