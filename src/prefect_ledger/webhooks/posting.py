"""Floor 5. One POST: to the address that was checked, without following anybody elsewhere, and over after some seconds whatever happens."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from prefect_ledger.errors import InvalidValue
from prefect_ledger.webhooks.destination import Address, resolve

SECONDS = 10.0
_MOST = 64 << 10  # bytes of an answer that are read


class Answer(NamedTuple):
    """What came back: 0 and why, where no status did. ``retry_after`` are seconds."""

    status: int
    text: str = ""
    retry_after: float | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver says that it has it."""
        return 200 <= self.status < 300


def post(url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool, seconds: float = SECONDS) -> Answer:
    """Post ``body``; never raises for what a receiver or network does. Redirects are answers like others."""
    try:
        return _posted(_Connection(url, resolve(url, allow_private=allow_private), seconds), url, body, headers)
    except InvalidValue as error:
        return Answer(0, str(error))
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        return Answer(0, f"{type(error).__name__}: {error}")


def _posted(connection: _Connection, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    parts = urlsplit(url)
    with contextlib.closing(connection), connection.watched():
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        data = b""
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):  # the status was said: what follows is beside it
            data = answer.read(_MOST)
    return Answer(answer.status, data.decode("utf-8", "replace"), _seconds(answer.headers.get("Retry-After")))


class _Connection(http.client.HTTPConnection):
    """A connection to an address that is known already, under the name it was asked for."""

    def __init__(self, url: str, address: Address, seconds: float) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._address, self._seconds = address, seconds
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self.default_port = 443 if self._tls else 80
        super().__init__(parts.hostname, parts.port or self.default_port, timeout=seconds)

    def connect(self) -> None:
        made = socket.socket(self._address.family, socket.SOCK_STREAM)
        made.settimeout(self._seconds)
        self.sock = made
        made.connect(self._address.place)
        if self._tls is not None:
            self.sock = secure = self._tls.wrap_socket(made, server_hostname=self.host, do_handshake_on_connect=False)
            secure.do_handshake()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Cut the line when the time is over: timeouts of a socket begin anew with each byte that comes."""
        timer = threading.Timer(self._seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        if self.sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # not TLS's own, which is of the other thread


def _seconds(said: str | None) -> float | None:
    """What a Retry-After header asks for: seconds, or a date."""
    if not said:
        return None
    if said.isascii() and said.isdecimal():
        return float(said[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
