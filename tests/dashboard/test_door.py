"""Who comes in by the token, and who does not: asked of the real server."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from prefect_ledger.dashboard.door import Door
from prefect_ledger.dashboard.server import ask_nobody
from tests.dashboard.conftest import Filled, Served, serve


@pytest.fixture
def fresh(filled: Filled, tmp_path: Path) -> Iterator[Served]:
    """A dashboard whose token nobody has used."""
    yield from serve(filled.env, tmp_path)


def ask(served: Served, path: str, **headers: str) -> http.client.HTTPResponse:
    """One request, whose answer is read."""
    host, _, port = served.url.removeprefix("http://").partition(":")
    line = http.client.HTTPConnection(host, int(port), timeout=20)
    line.request("GET", path, headers=headers)
    answer = line.getresponse()
    answer.read()
    line.close()
    return answer


@pytest.mark.long
def test_a_token_is_good_once_and_is_gone_from_the_address(fresh: Served) -> None:
    """The first who comes with it is given a cookie that no script reads and no other site sends; the second nothing."""
    path = fresh.first.removeprefix(fresh.url)
    wrong = ask(fresh, "/?token=guessed")
    assert (wrong.status, wrong.headers["location"], wrong.headers["set-cookie"]) == (303, "/", None)
    first, second = ask(fresh, path.replace("/?", "/runs?q=a%26b&")), ask(fresh, path)
    assert (first.status, first.headers["location"]) == (303, "/runs?q=a%26b")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert (second.status, second.headers["set-cookie"]) == (303, None)


@pytest.mark.parametrize("path", ["//evil.example/?token=x", "/\\evil.example/?token=x", "///evil.example?token=x"])
def test_nobody_is_sent_to_another_host(served: Served, path: str) -> None:
    """An address that looks like a path and is a host leads back to this one."""
    answer = ask(served, path)
    assert answer.status in (303, 400, 404)
    assert not (answer.headers["location"] or "/x").startswith(("//", "/\\", "http"))


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8501", "127.0.0.1.evil.example", "localhost.evil.example", ""])
def test_another_name_for_this_machine_is_refused(served: Served, host: str) -> None:
    """A page that has its own name point to this machine reads nothing."""
    assert ask(served, "/", Host=host).status in (400, 421)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:1", "http://localhost:{port}", "null", "http://127.0.0.1:{port}.evil"]
)
def test_pages_of_other_origins_cannot_connect(served: Served, origin: str) -> None:
    """The connection that pages live by is refused to them, also to what another port of this machine shows: it has the same cookies."""
    asked = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    port = served.url.rpartition(":")[2]
    assert ask(served, "/_stcore/stream", Origin=origin.replace("{port}", port), **asked).status == 403
    assert ask(served, "/_stcore/stream", Origin=served.url, **asked).status == 101


def test_no_host_is_asked_for_our_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of another origin that connects to a dashboard for others is refused without a question to the internet."""
    from streamlit import net_util
    from streamlit.web.server.server_util import is_url_from_allowed_origins

    asked: list[str] = []
    monkeypatch.setattr(net_util, "_external_ip", None)
    monkeypatch.setattr(net_util, "_internal_ip", None)
    monkeypatch.setattr("requests.get", lambda url, **_: asked.append(url))
    ask_nobody()
    assert not is_url_from_allowed_origins("http://evil.example")
    assert asked == []


def test_a_cookie_is_good_for_its_server_alone() -> None:
    """What one server gave, another does not take; nothing, an empty text and a foreign alphabet neither."""
    one, other = Door(), Door()
    cookie = one.enter(one.token)
    assert cookie is not None
    assert one.knows({one.cookie: cookie})
    for sent in ({}, {one.cookie: ""}, {one.cookie: "ä"}, {other.cookie: cookie}):
        assert not one.knows(sent)
        assert not other.knows(sent)
    assert other.enter("ä") is None
    assert not other.knows({other.cookie: ""})


@pytest.mark.long
def test_the_person_stays_in_after_a_reload_and_in_a_second_tab(browser: Browser, fresh: Served) -> None:
    """The token is gone, the browser is known."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(fresh.first)
    expect(page.get_by_text("approver")).to_be_visible()
    page.reload()
    expect(page.get_by_text("approver")).to_be_visible()
    second = context.new_page()
    second.goto(f"{fresh.url}/models")
    expect(second.get_by_text("approver")).to_be_visible()
    context.close()
