"""The files of Streamlit's page, as the dashboard answers for them."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import streamlit
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from prefect_ledger.dashboard.shell import NEEDS, Shell

STATIC = Path(streamlit.__file__).with_name("static")


def get(path: str, host: str = "127.0.0.1", *, method: str = "GET", folder: Path | None = None) -> httpx.Response:
    """What a browser at this address gets from the shell, behind which everything is "streamlit"."""
    behind = Starlette(routes=[Route("/{path:path}", lambda _: PlainTextResponse("streamlit"))])

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(Shell(behind, folder=folder), client=(host, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path)

    with ThreadPoolExecutor(1) as pool:  # this thread may be the browser's, which has a loop that runs
        return pool.submit(lambda: asyncio.run(asked())).result()


@pytest.mark.parametrize("path", NEEDS)
def test_a_page_names_the_files_that_it_will_need(path: str) -> None:
    """Each page is Streamlit's own with more hints, none said twice, of files that are there, and those that draw tables among them."""
    text = get(path).text
    hinted = re.findall(r'modulepreload" crossorigin href="\./static/js/([^"]+)"', text)
    assert any(name.startswith("DataFrame.") for name in hinted)
    assert sorted(set(hinted)) == sorted(hinted)
    assert [name for name in hinted if not (STATIC / "static" / "js" / name).is_file()] == []
    assert text.startswith((STATIC / "index.html").read_text("utf-8").partition("</head>")[0])


def test_files_are_what_streamlit_has_and_stay_with_the_browser() -> None:
    """A file comes byte for byte, with a type that scripts need, to be kept for good; whoever is far away gets it packed."""
    path = next((STATIC / "static" / "js").glob("DataFrame.*.js"))
    for host, packed in (("127.0.0.1", False), ("192.0.2.7", True)):
        answer = get(f"/static/js/{path.name}", host)
        assert answer.content == path.read_bytes()
        assert answer.headers["content-type"].endswith("/javascript")
        assert "immutable" in answer.headers["cache-control"]
        assert (answer.headers.get("content-encoding") == "gzip") is packed
        assert (int(answer.headers["content-length"]) < path.stat().st_size) is packed
    page = get("/runs", "192.0.2.7")
    assert (page.headers["cache-control"], page.headers["content-encoding"]) == ("no-cache", "gzip")


@pytest.mark.parametrize(
    "path", ["/static/js/none.js", "/static/../index.html", "/static/%2e%2e/index.html", "/elsewhere", "/_stcore/health"]
)
def test_what_is_not_known_is_left_to_streamlit(path: str) -> None:
    """Nothing but the files that are there, by their names, and the dashboard's own pages is answered here."""
    assert get(path).text == "streamlit"
    assert get("/runs", method="POST").status_code == 405


def test_another_streamlit_has_the_page_without_hints(tmp_path: Path) -> None:
    """Where parts are called otherwise, or the page is not where it was, the dashboard works without hints."""
    (tmp_path / "static" / "js").mkdir(parents=True)
    (tmp_path / "static" / "js" / "Grid.1.js").write_text("x")
    assert get("/runs", folder=tmp_path).text == "streamlit"
    (tmp_path / "index.html").write_text("<html><head></head></html>")
    assert 'modulepreload" crossorigin' not in get("/runs", folder=tmp_path).text
    assert get("/static/js/Grid.1.js", folder=tmp_path).text == "x"
