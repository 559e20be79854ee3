"""Floor 5. The server as an ASGI application: ``/invocations`` in MLflow's formats, and what tells of it.

``POST /invocations``; ``GET /ping``, ``/health``, ``/version``, ``/metadata``, ``/metrics``, ``/openapi.json``, ``/docs``. Every answer
says in its headers which model gave it. Nothing that was sent is put into a page, and no answer holds a traceback.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from prefect_ledger.headers import header
from prefect_ledger.serving import answers, pages
from prefect_ledger.serving.following import Followed
from prefect_ledger.serving.held import Held, Share
from prefect_ledger.serving.meters import CONTENT_TYPE, Meters
from prefect_ledger.serving.refusals import Refused, broken, stuck, too_large
from prefect_ledger.serving.served import Served, named

if TYPE_CHECKING:
    from prefect_ledger.models.predictor import Predictor

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]
log = logging.getLogger("prefect_ledger.serving")
_NO_HEADERS: Headers = ()
_LATER = ((b"retry-after", b"1"),)
_JSON, _TEXT = b"application/json", b"text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server takes: bytes of a body, seconds for an answer, requests that wait, rows asked at once, threads that ask, bytes of
    all bodies at once.

    ``rows``: None for a thousand of a framework's model, and each request alone of a model that runs code of its own.
    ``bodies``: 0 for eight times ``body``.
    """

    body: int = 16 << 20
    seconds: float = 60.0
    waiting: int = 100
    rows: int | None = None
    threads: int = 1
    bodies: int = 0


class App:
    """Serves the model of ``followed``."""

    def __init__(self, followed: Followed, limits: Limits | None = None) -> None:
        self.followed, self._limits = followed, limits or Limits()
        self.held = Held(self._limits.bodies or 8 * self._limits.body)
        self._meters = Meters(lambda: self.scorer.waiting)
        self._served = Served(followed, self._limits, self._loaded)
        self.scorer = self._served.scorer
        self.scorer.batches = self._meters.batch.observe
        self._gets: dict[str, Callable[[Message], tuple[bytes, bytes]]] = {
            "/ping": self._ping,
            "/health": self._ping,
            "/version": lambda _: (pages.version(), _TEXT),
            "/metadata": lambda _: (pages.metadata(followed.current, followed.reference), _JSON),
            "/metrics": lambda _: (self._meters.text(), CONTENT_TYPE.encode()),
            "/openapi.json": lambda _: (orjson.dumps(pages.openapi(followed.current, self._gets)), _JSON),
            "/docs": lambda scope: (pages.docs(followed.current, scope.get("server"), self._gets), b"text/html; charset=utf-8"),
        }

    def _loaded(self, predictor: Predictor) -> None:
        self._meters.models.labels(named(predictor)).inc()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def close(self) -> None:
        """Answer what waits, then stop."""
        self._served.close()

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if path == "/invocations" and method == "POST":
            await self._invocations(scope, receive, send)
        elif path in self._gets and method in ("GET", "HEAD"):
            status, headers = HTTPStatus.OK, _NO_HEADERS
            try:
                body, kind = self._gets[path](scope)
            except Refused as refused:
                status, headers = HTTPStatus(refused.status), _LATER
                body, kind = answers.failure(refused.code, refused.message), _JSON
            await _respond(send, status, body, kind, headers, head=method == "HEAD")
        else:
            known = path in self._gets or path == "/invocations"
            status = HTTPStatus.METHOD_NOT_ALLOWED if known else HTTPStatus.NOT_FOUND
            allow = [(b"allow", b"POST" if path == "/invocations" else b"GET, HEAD")] if known else []
            words = "this path is asked with another method" if known else "there is nothing at this path; /docs says what there is"
            await _respond(send, status, answers.failure("ENDPOINT_NOT_FOUND" if not known else "BAD_REQUEST", words), _JSON, allow)

    def _ping(self, _scope: Message) -> tuple[bytes, bytes]:
        if self.scorer.stuck(self._limits.seconds):
            raise stuck(self._limits.seconds)
        return b"\n", _JSON

    async def _invocations(self, scope: Message, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = _NO_HEADERS
        share = Share(self.held)
        try:
            body = await self._body(scope, receive, share)
            if body is None:
                return
            started = time.perf_counter()
            status, answer, headers = await self._answered(scope, body)
        except Refused as refused:
            status, answer = refused.status, answers.failure(refused.code, refused.message)
            if status == HTTPStatus.SERVICE_UNAVAILABLE:
                headers = _LATER
        except Exception:  # nobody is shown a traceback
            reference = uuid.uuid4().hex[:12]
            log.exception("a request failed (%s)", reference)
            failed = broken(reference)
            status, answer = failed.status, answers.failure(failed.code, failed.message)
        finally:
            share.end()
        self._meters.answered(int(status), time.perf_counter() - started)
        await _respond(send, status, answer, _JSON, headers)

    async def _answered(self, scope: Message, body: bytes) -> tuple[int, bytes, Headers]:
        found = await self._served.answer(scope.get("client"), header(scope, b"content-type"), body)
        return HTTPStatus.OK, found.body, told(found.predictor)

    async def _body(self, scope: Message, receive: Receive, share: Share) -> bytes | None:
        """The body; None when the one who asks has gone."""
        limit = self._limits.body
        if (length := header(scope, b"content-length")).isdigit() and int(length) > limit:
            raise too_large(limit)
        parts, size = [], 0
        async with _deadline(self._limits.seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                part = message.get("body", b"")
                size += len(part)
                if size > limit:
                    raise too_large(limit)
                share.grow(size)
                parts.append(part)
                if not message.get("more_body"):
                    return parts[0] if len(parts) == 1 else b"".join(parts)


@contextlib.asynccontextmanager
async def _deadline(seconds: float) -> AsyncIterator[None]:
    """A body that does not come in time is refused."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        words = f"the body did not come within {seconds:g} seconds"
        raise Refused(words, status=HTTPStatus.REQUEST_TIMEOUT, code="DEADLINE_EXCEEDED") from None


def told(predictor: Predictor) -> list[tuple[bytes, bytes]]:
    """Which model gave an answer, as headers."""
    names = ((b"x-model-id", "model_id"), (b"x-model-version", "version"))
    return [(key, str(predictor.about[name]).encode()) for key, name in names if predictor.about.get(name)]


async def _respond(send: Send, status: int, body: bytes, kind: bytes, headers: Headers = (), *, head: bool = False) -> None:
    sent = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"x-content-type-options", b"nosniff"), *headers]
    await send({"type": "http.response.start", "status": int(status), "headers": sent})
    await send({"type": "http.response.body", "body": b"" if head else body})
