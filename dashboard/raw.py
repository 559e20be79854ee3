"""Bytes of artifacts for browsers, by addresses that nobody can guess and that end.

A page asks :func:`offer` for an address; whoever has it gets the bytes, streamed, for a quarter of an hour. They come with a policy that
gives them no network, no place in our pages' origin, and nothing of what the browser knows of us, whatever they are.
"""

from __future__ import annotations

import io
import secrets
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from prefect_ledger.entities import Artifact
from prefect_ledger.errors import ArtifactCorrupt, ArtifactNotFound, ArtifactsUnavailable, LedgerError
from prefect_ledger.tracking.ledger import ledger

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

LIFE = 900.0  # seconds that an address is good
MOST = 2_000  # addresses; the oldest ends first
AT_ONCE = 4  # artifacts that are fetched at the same time
_SMALL = 4 << 20  # bytes that are held in memory; others go through a file without a name
_CHUNK = 256 << 10
_FRAMED = {"text/html": "text/html; charset=utf-8", "image/svg+xml": "image/svg+xml"}  # what may stand in the inner frame
POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline';"
    " img-src data: blob:; font-src data:; media-src data: blob:; connect-src 'none'; frame-src 'none'; worker-src 'none';"
    " object-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    # What the policy of content is not about: names that are looked up, lines that are opened ahead, conversations, going elsewhere.
    "connection-allowlist": "()",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-dns-prefetch-control": "off",
    "cache-control": "no-store",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), clipboard-read=(), clipboard-write=(), display-capture=(), usb=()",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """What an address means, until when (of ``time.monotonic``); ``media``: as what it stands in a frame, "" for a file to be saved."""

    artifact: Artifact
    media: str
    until: float


class Shelf:
    """Addresses that are good now. Safe to use from several threads.

    Example:
        >>> shelf = Shelf()
        >>> address = shelf.offer(Artifact("r", "notes/a.txt", "memory://a", 1, "0" * 64))
        >>> address.startswith("/raw/") and address.endswith("/a.txt"), shelf.take(address.split("/")[2]).artifact.path
        (True, 'notes/a.txt')
    """

    def __init__(self, *, life: float = LIFE, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._life, self._most, self._clock = life, most, clock
        self._offers: OrderedDict[str, Offer] = OrderedDict()
        self._known: dict[tuple[str, str, str, str], str] = {}
        self._mutex = threading.Lock()

    def offer(self, artifact: Artifact, *, media: str = "") -> str:
        """An address for the artifact. The same again while it has half of its life left, so that a page shown anew loads nothing anew."""
        kind = media if media in _FRAMED else ""
        place = (artifact.uri, artifact.sha256, artifact.path, kind)
        with self._mutex:
            now = self._clock()
            token = self._known.get(place, "")
            known = self._offers.get(token)
            if known is None or known.until - now < self._life / 2:
                token = secrets.token_urlsafe(24)
                self._offers[token] = Offer(artifact, kind, now + self._life)
                self._known[place] = token
                self._forget(now)
        return f"/raw/{token}/{quote(_name(artifact.path), safe='')}"

    def take(self, token: str) -> Offer | None:
        """What the address means; None where it ended, or never was one."""
        with self._mutex:
            found = self._offers.get(token)
            return found if found is not None and found.until > self._clock() else None

    def _forget(self, now: float) -> None:
        while self._offers:
            token, oldest = next(iter(self._offers.items()))
            if oldest.until > now and len(self._offers) <= self._most:
                return
            del self._offers[token]
            one = oldest.artifact
            place = (one.uri, one.sha256, one.path, oldest.media)
            if self._known.get(place) == token:
                del self._known[place]


SHELF = Shelf()  # of this process; the pages, which Streamlit runs in it, put on it what the server then gives


def offer(artifact: Artifact, *, media: str = "") -> str:
    """An address below this server, good for a quarter of an hour: of a file to be saved, or, with ``media`` "text/html" or
    "image/svg+xml", of a page for a frame."""
    return SHELF.offer(artifact, media=media)


def opened(artifact: Artifact) -> BinaryIO:
    """The bytes of an artifact, all of them checked before the first can be read; a private copy, so that nobody changes them then.

    Raises:
        ArtifactNotFound, ArtifactCorrupt, ArtifactsUnavailable. OSError: no room here for the copy.
    """
    store = ledger().artifacts
    if artifact.size <= _SMALL:
        return io.BytesIO(store.read_bytes(artifact.uri, sha256=artifact.sha256))
    folder = tempfile.mkdtemp(prefix="ledger-raw-")
    try:
        return store.download(artifact.uri, f"{folder}/bytes", sha256=artifact.sha256, progress=False).open("rb")
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # the open file stays until it is closed


def routes() -> list[Any]:
    """What the server answers below ``/raw``."""
    import anyio
    from starlette.routing import Route

    limit = anyio.CapacityLimiter(AT_ONCE)

    async def answer(request: Request) -> Response:
        return await _answer(request, limit)

    return [Route("/raw/{token}/{name:path}", answer, methods=["GET"])]


async def _answer(request: Request, limit: Any) -> Response:
    import anyio
    from starlette.responses import StreamingResponse

    found = SHELF.take(request.path_params["token"])
    if found is None:
        return _said(404, "This address has ended: open the artifact in the dashboard again.")
    try:
        file = await anyio.to_thread.run_sync(opened, found.artifact, limiter=limit)
    except LedgerError as error:
        return _said(_code(error), str(error))
    except OSError as error:
        return _said(503, f"The artifact cannot be copied for you now: {error.strerror or error}.")
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    headers = {**_HEADERS, "content-length": str(size), "content-disposition": _disposition(found)}
    return StreamingResponse(_chunks(file), headers=headers, media_type=_FRAMED.get(found.media, "application/octet-stream"))


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    import anyio

    with file:
        while data := await anyio.to_thread.run_sync(file.read, _CHUNK):
            yield data


def _said(code: int, sentence: str) -> Response:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(f"{sentence}\n", code, _HEADERS)


def _code(error: LedgerError) -> int:
    if isinstance(error, ArtifactNotFound):
        return 404
    return 502 if isinstance(error, ArtifactCorrupt) else 503 if isinstance(error, ArtifactsUnavailable) else 500


def _name(path: str) -> str:
    return path.rpartition("/")[2] or "artifact"


def _disposition(found: Offer) -> str:
    if found.media:
        return "inline"
    name = _name(found.artifact.path)
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"
