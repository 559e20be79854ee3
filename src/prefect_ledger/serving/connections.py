"""Floor 5. Connections of a server that is full, or stops: who has just come is still answered, and told not to ask here again.

Where more are open than are kept, that is said in the form of all refusals, and the one that asked is ended. When the server stops, a
client that has connected and not yet asked, or asks again on a connection that it keeps, would be cut off half way. So for ``GRACE``
seconds such connections stay, and every answer on them ends its connection in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from prefect_ledger.serving import answers
from prefect_ledger.serving.refusals import too_many

_Protocol: Any
try:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as _Protocol
except ImportError:
    from uvicorn.protocols.http.h11_impl import H11Protocol as _Protocol

GRACE = 1.0  # seconds
_CLOSE = (b"connection", b"close")
_FULL = ((b"content-type", b"application/json"), (b"retry-after", b"1"), _CLOSE)


class Gentle(_Protocol):  # type: ignore[misc]
    """uvicorn's protocol for HTTP, its connections ended gently."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        own: Any = self
        self._most, own.limit_concurrency = own.limit_concurrency, None  # else it answers in plain text
        self._asked, own.app = own.app, self._answer

    async def _answer(self, scope: dict[str, Any], receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        if self._most is None or max(len(self.connections), len(self.tasks) - 1) < self._most:
            await self._asked(scope, receive, send)
            return
        full = too_many(self._most)
        self.logger.warning(full.message)
        body = answers.failure(full.code, full.message)
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": full.status, "headers": [*_FULL, length]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

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
