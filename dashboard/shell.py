"""The files that Streamlit's own page consists of: kept in memory, and asked for before the page finds out that it needs them.

Streamlit reads a file from the disk, in pieces, each time it is asked for; a page asks for over a hundred, and for those that draw its
tables and charts only when the first rows have come. Here the page's HTML names them as well, so that they come with the rest. What may
be shown next is read while nobody does anything: the part that draws charts alone takes a second. What is not known here is answered
by Streamlit as ever. One step of Streamlit's through the browser's history is taken otherwise, so that Back leads back.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import mimetypes
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_ledger.headers import header

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]

_TABLE = ("DataFrame", "TextInput", "Selectbox", "Multiselect", "Button", "ButtonGroup")
NEEDS: Mapping[str, Sequence[str]] = {  # what pages show first, by Streamlit's names
    "/": ("PlotlyChart", "DataFrame", "Selectbox", "ButtonGroup", "PageLink"),
    "/runs": _TABLE,
    "/compare": (*_TABLE, "Checkbox"),
    "/run": ("DataFrame", "PageLink", "Button"),
    "/models": (*_TABLE, "Checkbox"),
    "/promotions": _TABLE,
}
LATER = (*_TABLE, "Checkbox", "PageLink", "Slider", "NumberInput", "PlotlyChart")  # what they show next; the one that takes longest last
# Run while nobody does anything: what is imported once is there when the page's own code imports it.
_IDLE = """<script>addEventListener("load", () => {
  const names = %s, page = document.documentElement;
  let touched = 0;
  for (const kind of ["keydown", "pointerdown", "wheel"])
    addEventListener(kind, () => { touched = performance.now(); }, { passive: true, capture: true });
  const next = () => {
    if (performance.now() - touched < 1000) return void setTimeout(next, 500);
    const name = names.shift();
    if (name === undefined) { page.dataset.all = "there"; return; }
    import("./static/js/" + name).catch(() => {}).then(() => requestIdleCallback(next, { timeout: 1000 }));
  };
  setTimeout(next, 2000);
});</script>"""
# Streamlit puts the parameters of the page that it goes to behind the path of the one it leaves, as a step of its own: Back would lead to
# that page without what its address said. The step is given to the page that is gone to.
_BACK = """<script>{
  const { pushState, replaceState } = history;
  let between = { url: "", at: 0 };
  history.pushState = function (state, title, url) {
    const to = new URL(url, location.href), stays = to.pathname === location.pathname;
    const goes = !stays && between.url === location.href && to.search === location.search && performance.now() - between.at < 5000;
    between = { url: stays ? to.href : "", at: performance.now() };
    return (goes ? replaceState : pushState).call(this, state, title, url);
  };
}</script>"""
_IMPORT = re.compile(r"""\b(?:from|import)["'`]\./([\w.-]+\.js)["'`]""")
_HEAD = 1 << 16  # bytes in which a script's imports stand: the builder puts them first
_SMALL = 1_400  # bytes, about a packet: not worth packing
_PACKED = ("text/", "application/javascript", "application/json", "image/svg")
_KEEP = (b"cache-control", b"public, immutable, max-age=31536000")  # their names change with their content
_LOOPBACK = ("127.", "::1", "::ffff:127.")


class Shell:
    """Middleware: answers for the page and the files below ``/static/`` that lie in ``folder``, Streamlit's own where none is named."""

    def __init__(self, app: ASGIApp, *, folder: Path | None = None) -> None:
        if folder is None:
            import streamlit

            folder = Path(streamlit.__file__).with_name("static")
        self._app, self._page = app, folder / "index.html"
        # Only what is listed here is ever read, whatever a path says.
        self._files = {f"/static/{path.relative_to(folder / 'static')}": path for path in (folder / "static").rglob("*") if path.is_file()}
        self._imports: dict[str, list[str]] = {}
        self._kept: dict[tuple[str, bool], tuple[Headers, bytes]] = {}
        if self._page.is_file():
            self._kept |= {(path, False): self._answer(path, packed=False) for path in NEEDS}  # ready before anybody asks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from memory, or have Streamlit answer."""
        path = scope["path"] if scope["type"] == "http" and scope["method"] == "GET" else ""
        if path not in self._files and not (path in NEEDS and self._page.is_file()):
            await self._app(scope, receive, send)
            return
        asked = path, _wants_packed(scope)
        if asked not in self._kept:
            self._kept[asked] = await asyncio.to_thread(self._answer, path, packed=asked[1])
        headers, body = self._kept[asked]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, path: str, *, packed: bool) -> tuple[Headers, bytes]:
        page = path not in self._files
        body = self._hinted(path) if page else self._files[path].read_bytes()
        kind = "text/html; charset=utf-8" if page else mimetypes.guess_type(path)[0] or "application/octet-stream"
        headers = [(b"content-type", kind.encode()), (b"vary", b"accept-encoding"), (b"cache-control", b"no-cache") if page else _KEEP]
        if packed and len(body) > _SMALL and kind.startswith(_PACKED):
            body = gzip.compress(body, 6, mtime=0)
            headers.append((b"content-encoding", b"gzip"))
        return [*headers, (b"content-length", str(len(body)).encode())], body

    def _hinted(self, path: str) -> bytes:
        """Streamlit's page, which is the same for each path, with hints for this one behind its own."""
        text = self._page.read_text("utf-8")
        now = [name for name in self.scripts(NEEDS[path]) if name not in text]
        links = "".join(f'<link rel="modulepreload" crossorigin href="./static/js/{name}">' for name in now)
        later = json.dumps([name for need in LATER for name in self._named(need)])
        return text.replace("</head>", f"{links}{_BACK}{_IDLE % later}</head>", 1).encode()

    def _named(self, need: str) -> list[str]:
        return [path.name for name, path in self._files.items() if name.startswith(f"/static/js/{need}.")]

    def scripts(self, needs: Sequence[str]) -> list[str]:
        """The files of these parts of Streamlit, and those that they import; a part that this Streamlit has not is left out."""
        found: dict[str, None] = {}
        waiting = [name for need in needs for name in self._named(need)]
        while waiting:
            name = waiting.pop(0)
            if name not in found and f"/static/js/{name}" in self._files:
                found[name] = None
                waiting += self._imported(name)
        return list(found)

    def _imported(self, name: str) -> list[str]:
        if name not in self._imports:
            with self._files[f"/static/js/{name}"].open("rb") as file:
                self._imports[name] = _IMPORT.findall(file.read(_HEAD).decode("utf-8", "replace"))
        return self._imports[name]


def _wants_packed(scope: Scope) -> bool:
    """Whether bytes cost more than time: not where the browser is on this machine, or whoever stands between packs them."""
    client = scope.get("client")
    return client is not None and not str(client[0]).startswith(_LOOPBACK) and "gzip" in header(scope, b"accept-encoding")
