"""Addresses for the bytes of artifacts: nobody can guess them, they end, and what they bring is shut in."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware

from prefect_ledger import get_run, start_run
from prefect_ledger.dashboard import raw
from prefect_ledger.dashboard.door import Guard
from prefect_ledger.entities import Artifact
from prefect_ledger.tracking.ledger import Ledger


def artifact(path: str = "notes/a.txt", sha256: str = "0" * 64) -> Artifact:
    """One that nobody has to have logged."""
    return Artifact("r", path, f"memory://x/{path}", 1, sha256)


class Clock:
    """A clock that stands."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def token_of(address: str) -> str:
    """The part of an address that nobody can guess."""
    return address.split("/")[2]


def test_an_address_ends() -> None:
    """After its life an address means nothing; asked again with half of it over, the artifact has another."""
    clock = Clock()
    shelf = raw.Shelf(life=100, clock=clock)
    first = shelf.offer(artifact())
    clock.now += 49
    assert shelf.offer(artifact()) == first
    clock.now += 2
    second = shelf.offer(artifact())
    assert second != first
    assert shelf.take(token_of(first)) is not None
    clock.now += 50
    assert shelf.take(token_of(first)) is None
    assert shelf.take(token_of(second)) is not None
    assert shelf.take("") is None


def test_addresses_are_bounded() -> None:
    """However many are offered, no more than so many are kept, and it is the oldest that end."""
    shelf = raw.Shelf(most=10)
    made = [shelf.offer(artifact(f"{at}.txt")) for at in range(50)]
    assert [shelf.take(token_of(one)) is not None for one in made] == [False] * 40 + [True] * 10
    assert len(shelf._known) == 10


def test_what_is_shown_and_what_is_saved_are_two_addresses() -> None:
    """The address of a frame's page does not save, and that of a file does not show; only pages are framed."""
    shelf = raw.Shelf()
    saved, framed = shelf.offer(artifact("p.html")), shelf.offer(artifact("p.html"), media="text/html")
    odd = shelf.offer(artifact("p.js"), media="text/javascript")
    found = [shelf.take(token_of(one)) for one in (saved, framed, odd)]
    assert [one.media for one in found if one is not None] == ["", "text/html", ""]
    assert len({saved, framed, odd}) == 3


@given(path=st.text(min_size=1).filter(lambda text: not text.endswith("/")))
def test_a_file_has_a_name_that_is_no_header(path: str) -> None:
    """Whatever a path holds, the name that the browser is told is one line of plain letters, and an address is one of ours."""
    told = raw._disposition(raw.Offer(artifact(path), "", 0.0))
    assert told.isascii()
    assert told.isprintable()
    assert told.count('"') == 2
    address = raw.Shelf().offer(artifact(path))
    assert address.startswith("/raw/")
    assert address.count("/") == 3


class Client:
    """Asks the route as the server has it, behind the guard."""

    def __init__(self) -> None:
        app = Starlette(routes=raw.routes(), middleware=[Middleware(Guard)])
        self._way = httpx.ASGITransport(app=app)

    def get(self, address: str, method: str = "GET") -> httpx.Response:
        """The answer, all of it."""

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._way, base_url="http://127.0.0.1") as client:
                return await client.request(method, address)

        with ThreadPoolExecutor(1) as pool:  # this thread may be the browser's, which has a loop that runs
            return pool.submit(anyio.run, ask).result()


@pytest.fixture
def client(fresh_ledger: Ledger) -> Client:
    """A client of the ledger of this test."""
    return Client()


def logged(data: bytes, path: str) -> Artifact:
    """An artifact with these bytes."""
    with start_run(experiment="raw") as run:
        run.log_bytes(data, path)
    [found] = get_run(run.id).artifacts
    return found


def place(one: Artifact) -> Path:
    """The file that has its bytes."""
    return Path(one.uri.removeprefix("file://"))


@pytest.mark.parametrize("size", [0, 10, 5 << 20])
def test_what_was_logged_comes_back(client: Client, size: int) -> None:
    """Small ones and large ones come whole, to be saved under their name, whatever they are."""
    one = logged(hashlib.sha256(b"x").digest() * (size // 32) + b"x" * (size % 32), "pages/ä b.html")
    answer = client.get(raw.offer(one))
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).hexdigest() == one.sha256
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment; filename=\"__b.html\"; filename*=UTF-8''%C3%A4%20b.html"
    assert answer.headers["content-length"] == str(size)


@pytest.mark.parametrize(
    ("path", "media", "kind"), [("p.html", "text/html", "text/html; charset=utf-8"), ("p.svg", "image/svg+xml", "image/svg+xml")]
)
def test_pages_come_shut_in(client: Client, path: str, media: str, kind: str) -> None:
    """A page for a frame comes as one, with a policy that gives it no origin and no network, once."""
    answer = client.get(raw.offer(logged(b"<p>x</p>", path), media=media))
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-disposition"] == "inline"
    policy = answer.headers.get_list("content-security-policy")
    assert len(policy) == 1
    parts = dict(part.strip().partition(" ")[::2] for part in policy[0].split(";"))
    assert parts["sandbox"] == "allow-scripts"
    assert parts["default-src"] == parts["connect-src"] == parts["form-action"] == parts["frame-src"] == "'none'"
    assert parts["frame-ancestors"] == "'self'"
    assert not any("http" in part or "*" in part or "'self'" in part for name, part in parts.items() if name != "frame-ancestors")
    assert answer.headers["connection-allowlist"] == "()"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("size", [10, 5 << 20])
def test_not_a_byte_comes_of_what_was_changed(client: Client, size: int) -> None:
    """Bytes that are not what was logged are not sent, not even the first of them."""
    one = logged(b"x" * size, "a.bin")
    file = place(one)
    file.write_bytes(b"x" * (size - 1) + b"y")
    answer = client.get(raw.offer(one))
    assert answer.status_code == 502
    assert "is not what was logged" in answer.text
    assert answer.headers["content-security-policy"] == raw.POLICY


def test_what_is_gone_and_what_ended_is_a_sentence(client: Client) -> None:
    """An artifact that was deleted, and an address that ended or never was one."""
    one = logged(b"x", "a.bin")
    place(one).unlink()
    answer = client.get(raw.offer(one))
    assert (answer.status_code, "it was deleted" in answer.text) == (404, True)
    ended = client.get("/raw/nobody-knows/a.bin")
    assert (ended.status_code, "This address has ended" in ended.text) == (404, True)
    assert client.get(raw.offer(one), "POST").status_code == 405


def test_a_large_artifact_is_never_whole_in_memory(fresh_ledger: Ledger) -> None:
    """What is larger than a few megabytes comes through a file, which is gone when it was read."""
    one = logged(b"x" * (raw._SMALL + 1), "a.bin")
    with raw.opened(one) as file:
        assert isinstance(file.fileno(), int)
        assert not Path(str(file.name)).exists()
        assert len(file.read()) == raw._SMALL + 1
