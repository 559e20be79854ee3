"""Who may change anything where nobody signs in: the browser that was opened with the address that was printed at the start.

The address carries a token that is good once. For it the browser is given a cookie, which no script can read and no other site can
send, and which is good as long as the server lives. Whoever comes without may look, and change nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from prefect_ledger.headers import header

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PARAMETER = "token"
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
# Nothing of the page comes from elsewhere, and nobody puts it into theirs. Streamlit's own code compiles styles and schemas as it runs.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:;"
    " font-src 'self' data:; media-src 'self' blob:; connect-src 'self'; worker-src 'self' blob:; frame-src 'self' data: blob:;"
    " object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Door:
    """A token that is good once, and the cookies it was changed for.

    Example:
        >>> door = Door()
        >>> cookie = door.enter(door.token)
        >>> door.knows({door.cookie: cookie}), door.enter(door.token)
        (True, None)
    """

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(24)
        self.cookie = f"ledger_door_{secrets.token_hex(4)}"  # of this server: cookies are of a host, whatever the port
        self._entered: str | None = None

    def enter(self, token: str) -> str | None:
        """The cookie for this token; None where it is not the token, or was used before."""
        if self._entered is not None or not secrets.compare_digest(token.encode(), self.token.encode()):
            return None
        self._entered = secrets.token_urlsafe(32)
        return self._entered

    def knows(self, cookies: Mapping[str, str]) -> bool:
        """Whether the browser that sent these came in by the token."""
        sent = cookies.get(self.cookie, "")
        return self._entered is not None and secrets.compare_digest(sent.encode(), self._entered.encode())


DOOR = Door()  # of this process; the pages, which Streamlit runs in it, ask it


class Guard:
    """Middleware: changes the token for the cookie, and keeps out whoever names this machine otherwise than it is called.

    ``local``: the server listens on loopback alone, so a request that names another host comes from a page that had its name
    point here. A foreign page may send requests, but learns nothing and changes nothing: answers carry a policy, and connections
    from other origins are refused, those of other ports of this machine too: cookies are of a host, whatever the port.
    """

    def __init__(self, app: ASGIApp, *, door: Door | None = None, local: bool = True) -> None:
        self._app, self._door, self._local = app, door, local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer itself, or have the application answer."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if self._local and (not _is_local(scope) or (scope["type"] == "websocket" and _is_foreign(scope))):
            await _refuse(scope, receive, send)
            return
        if scope["type"] == "http" and (answer := self._exchange(scope)) is not None:
            await answer(scope, receive, send)
            return

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                message = {**message, "headers": [*message["headers"], *(pair for pair in _HEADERS if pair[0] not in there)]}
            await send(message)

        await self._app(scope, receive, sending)

    def _exchange(self, scope: Scope) -> ASGIApp | None:
        """Back to the same address without its token; with the cookie, where the token was good."""
        from starlette.responses import RedirectResponse

        asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        tokens = [value for name, value in asked if name == PARAMETER]
        if self._door is None or not tokens or scope["method"] != "GET":
            return None
        rest = urlencode([(name, value) for name, value in asked if name != PARAMETER])
        # The path as it came, below this host: one that begins with two slashes would lead to another.
        path = "/" + scope["path"].lstrip("/\\")
        response = RedirectResponse(
            path + (f"?{rest}" if rest else ""), 303, {"cache-control": "no-store", "referrer-policy": "no-referrer"}
        )
        if (cookie := self._door.enter(tokens[0])) is not None:
            response.set_cookie(self._door.cookie, cookie, httponly=True, samesite="strict", path="/")
        return response


def _is_local(scope: Scope) -> bool:
    host = header(scope, b"host")
    bare = host if host.endswith("]") else host.rpartition(":")[0] or host
    return bare.lower() in _LOCAL


def _is_foreign(scope: Scope) -> bool:
    """Whether a page of another origin asks. Streamlit takes every port of this machine for its own."""
    from streamlit.web.server.server_util import is_allowed_origin

    origin = header(scope, b"origin")  # none: no browser asks
    return bool(origin) and origin.partition("://")[2].lower() != header(scope, b"host").lower() and not is_allowed_origin(origin)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    from starlette.responses import PlainTextResponse

    said = "This dashboard answers to localhost and 127.0.0.1 alone.\n"
    await PlainTextResponse(said, 421, {"cache-control": "no-store"})(scope, receive, send)
