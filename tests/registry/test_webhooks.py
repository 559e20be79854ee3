"""Webhooks: what changes in the registry is posted, signed, tried again, and kept where nobody takes it."""

from __future__ import annotations

import doctest
import importlib
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_ledger import registry, webhook_store, webhooks
from prefect_ledger.database import Database, rows
from prefect_ledger.errors import InvalidValue, NotFound, SchemaTooOld, TransitionRefused
from prefect_ledger.hooks import check_events
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies import Policy
from prefect_ledger.registry_events import ACTIONS
from prefect_ledger.tracking import context
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.webhooks import background, delivering
from prefect_ledger.webhooks.posting import Answer, post
from prefect_ledger.webhooks.signing import signature
from prefect_ledger.webhooks.trying import WAITS, outcome
from tests.registry.folding import agrees
from tests.registry.forking import race, start
from tests.registry.helpers import ALICE, BOB, version
from tests.registry.receiving import SECRET, Receiver, receiver

SOURCES = Path(__file__).parents[2] / "src" / "prefect_ledger"
SECOND = 1_000_000


@pytest.fixture(autouse=True)
def variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret, where whoever sends looks for it."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)


@pytest.fixture
def there() -> Iterator[Receiver]:
    """A receiver."""
    with receiver() as one:
        yield one


@pytest.fixture
def quiet(store_url: str, fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger in which nothing is sent behind one's back."""
    monkeypatch.setattr(context, "messenger", None)
    return fresh_ledger


def hook(there: Receiver, events: str = "version.*", **more: object) -> webhooks.Webhook:
    """A webhook to the receiver."""
    return webhooks.add_webhook(f"{there.url}/hook?key=1", secret_env="HOOK_SECRET", events=events, allow_private=True, **more)  # type: ignore[arg-type]


def states(one: Ledger) -> Counter[str]:
    """How many deliveries are in which state."""
    with one.database.read() as tx:
        return Counter(state for (state,) in rows(tx, "SELECT state FROM deliveries"))


def test_what_changes_is_posted_signed_and_once(quiet: Ledger, there: Receiver) -> None:
    """Each event that a webhook wants is posted once, with the whole audit row, a signature that others can check, and an id."""
    version()
    one = hook(there, "version.moved, request.*", model="chu*", by=ALICE, why="the team's channel")
    registry.transition("churn", 1, "production", by=ALICE, why="better")
    registry.set_alias("churn", "champion", 1, by=ALICE)
    version(name="fraud")
    registry.transition("fraud", 1, "production", by=ALICE)
    assert webhooks.deliver() == (1, 0, 0)
    assert webhooks.deliver() == (0, 0, 0)
    (came,) = there.came
    change = next(one for one in registry.history("churn") if one.action == "version.moved")
    payload = came.event["payload"]
    assert (came.path, came.event["event"]) == ("/hook?key=1", "prefect-ledger.registry.version.moved")
    assert (payload["hash"], payload["seq"], payload["after"], payload["actor"]) == (
        change.hash,
        change.seq,
        {"stage": "production"},
        "alice",
    )
    assert came.headers["content-type"] == "application/json"
    assert came.headers["x-prefect-ledger-event"] == "prefect-ledger.registry.version.moved"
    assert re.fullmatch(r"[0-9a-f-]{36}", came.headers["x-prefect-ledger-delivery"])
    assert came.signed()
    assert not came.signed("another key")
    assert webhooks.verify_signature(came.body, came.headers["x-prefect-ledger-signature"], SECRET)
    assert webhooks.list_webhooks() == [one]


def test_after_two_failures_the_third_try_is_taken(quiet: Ledger, there: Receiver) -> None:
    """500, 500, 200: the next try is when its wait is over and no sooner, with the same body and id, signed anew; then it is done."""
    hook(there, "version.moved")
    there.say(500, 500)
    version()
    registry.transition("churn", 1, "production", by=ALICE)
    now = time.time_ns() // 1000
    assert webhooks.deliver(now=now) == (0, 1, 0)
    assert webhooks.deliver(now=now + 9 * SECOND) == (0, 0, 0)
    now += 12 * SECOND
    assert webhooks.deliver(now=now) == (0, 1, 0)
    assert webhooks.deliver(now=now + 59 * SECOND) == (0, 0, 0)
    assert webhooks.deliver(now=now + 72 * SECOND) == (1, 0, 0)
    assert len({one.body for one in there.came}) == len({one.headers["x-prefect-ledger-delivery"] for one in there.came}) == 1
    assert len({one.headers["x-prefect-ledger-signature"] for one in there.came}) == 3
    assert all(one.signed() for one in there.came)
    assert states(quiet) == {"done": 1}


def test_who_never_answers_well_gets_eight_tries_and_the_letter_is_kept(quiet: Ledger, there: Receiver) -> None:
    """After the eighth try, a day after the seventh, a delivery is dead, with the last answer cut and masked; it can begin anew."""
    one = hook(there, "version.moved")
    there.say(*[503] * 8, text=f"down for AKIAABCDEFGHIJKLMNOP and {SECRET} {'x' * 600}")
    version()
    registry.transition("churn", 1, "production", by=ALICE)
    now = time.time_ns() // 1000
    for wait in (0, *WAITS):
        now += int(1.2 * wait * SECOND) + SECOND
        webhooks.deliver(now=now)
    assert len(there.came) == 8
    (dead,) = webhooks.dead_letters()
    assert (dead.webhook, dead.tries, dead.status, dead.state, len(dead.answer)) == (one.id, 8, 503, "dead", 500)
    assert dead.answer.startswith("down for ********")
    assert SECRET not in dead.answer
    assert [listed.dead for listed in webhooks.list_webhooks()] == [1]
    assert webhooks.troubles() == {one.id: "1 of its deliveries is dead"}
    assert webhooks.deliver(now=now + 100 * 86_400 * SECOND) == (0, 0, 0)
    assert (webhooks.retry_dead(), webhooks.dead_letters(one.id)) == (1, [])
    assert webhooks.deliver() == (1, 0, 0)
    assert webhooks.troubles() == {}


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 410])
def test_a_no_is_dead_at_once_and_nobody_is_followed(fresh_ledger: Ledger, there: Receiver, status: int) -> None:
    """Another 4xx is not asked again, and a redirect is followed nowhere: what it names never hears of it."""
    with receiver() as elsewhere:
        there.say(status, Location=f"{elsewhere.url}/stolen")
        assert webhooks.ping(hook(there, "version.registered").id).status == status
        there.say(status, Location=f"{elsewhere.url}/stolen")
        version()
        background.finish(60)
        webhooks.deliver()
        assert [dead.status for dead in webhooks.dead_letters()] == [status]
        assert elsewhere.came == []


def test_what_an_answer_means() -> None:
    """Lost connections, 408, 425, 429 and 5xx are tried again, when the table says or up to a fifth later; Retry-After is kept to."""
    for tries, wait in enumerate(WAITS, 1):
        for status in (0, 408, 425, 429, 500, 599):
            found = [outcome(Answer(status), tries, f"d{n}") for n in range(50)]
            assert all(one.state == "waiting" and wait <= one.wait < 1.2 * wait for one in found)
            assert len({one.wait for one in found}) > 40
    assert outcome(Answer(0), 8, "d").state == "dead"
    assert outcome(Answer(429, retry_after=500.0), 1, "d").wait == 500
    assert outcome(Answer(429, retry_after=1.0), 1, "d").wait >= 10
    assert outcome(Answer(503, retry_after=1e12), 1, "d").wait == 86_400
    assert {outcome(Answer(status), 1, "d").state for status in (200, 204, 299)} == {"done"}
    assert {outcome(Answer(status), 1, "d").state for status in (100, 300, 304, 403, 422, 499)} == {"dead"}


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("soon", None), ("-5", None), ("9" * 40, 999_999_999), ("", None), ("\u0667", None)],
)
def test_retry_after_is_read_or_left(there: Receiver, said: str, seconds: float | None) -> None:
    """Seconds and dates are understood, and nothing else breaks anything."""
    there.say(429, Retry_After=said.encode().decode("latin-1"))
    assert post(there.url, b"{}", {}, allow_private=True) == Answer(429, "", seconds)


def test_what_a_killed_process_changed_is_posted_by_the_next(quiet: Ledger, there: Receiver, store_url: str) -> None:
    """SIGKILL right after the change: its event has no delivery yet, and whoever delivers next makes it and posts it."""
    hook(there, "model.created")
    program = f"""
import os, signal
from prefect_ledger import configure, registry
from prefect_ledger.tracking import context
context.messenger = lambda: os.kill(os.getpid(), signal.SIGKILL)
configure(store_url={store_url!r})
registry.create_model("churn")
"""
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=120).returncode == -9
    assert states(quiet) == {}
    assert webhooks.deliver() == (1, 0, 0)
    assert there.events == ["model.created"]


def test_a_sender_that_dies_leaves_its_delivery_to_the_next(quiet: Ledger, there: Receiver) -> None:
    """Killed while the receiver has not answered, a sender holds the delivery for a minute; then it is posted again, under the same id."""
    hook(there, "model.created")
    registry.create_model("churn")
    there.gate.clear()

    def send(_say: object) -> None:
        webhooks.deliver()

    child = start(send)
    while not there.came:
        time.sleep(0.01)
    child.kill()
    there.gate.set()
    now = time.time_ns() // 1000
    assert webhooks.deliver(now=now) == (0, 0, 0)
    assert webhooks.deliver(now=now + 61 * SECOND) == (1, 0, 0)
    assert len(there.came) == 2
    assert len({one.headers["x-prefect-ledger-delivery"] for one in there.came}) == 1


def test_who_comes_late_says_only_that_it_was_taken(quiet: Ledger, there: Receiver) -> None:
    """A sender whose minute is over, and whose delivery somebody else tries by now, gives nothing up: it says at most that it is done."""
    one = hook(there, "model.created")
    registry.create_model("churn")
    with quiet.database.write() as tx:
        webhook_store.plan(tx, 0)
        (seen,) = webhook_store.due(tx, one.id, 0)
        assert webhook_store.claim(tx, seen, 60)
        assert not webhook_store.claim(tx, seen, 60)
        (again,) = webhook_store.due(tx, one.id, 60)
        assert webhook_store.claim(tx, again, 120)
        webhook_store.settle(tx, replace(again, tries=1, state="dead", status=400), 61)
        assert webhook_store.letters(tx, "dead") == []
        webhook_store.settle(tx, replace(again, tries=1, state="done", status=200), 62)
        webhook_store.settle(tx, replace(again, tries=2, state="dead", status=400), 63)
        (done,) = webhook_store.letters(tx, "done")
        assert (done.status, webhook_store.letters(tx, "dead")) == (200, [])


def test_two_senders_at_once_deliver_once(quiet: Ledger, there: Receiver) -> None:
    """Processes that deliver at the same moment share the work: each event comes once."""
    hook(there, "model.created")
    for number in range(20):
        registry.create_model(f"churn-{number}")
    found = race(4, lambda _: list(webhooks.deliver()))
    assert sum(done for done, *_ in found) == 20
    assert Counter(one.event["payload"]["name"] for one in there.came) == {f"churn-{number}": 1 for number in range(20)}
    assert states(quiet) == {"done": 20}


def test_the_change_itself_sends_behind_its_back(store_url: str, fresh_ledger: Ledger, there: Receiver) -> None:
    """A verb returns at once also where the receiver does not answer; its event is posted in the background, and only the first try."""
    hook(there, "model.created")
    there.gate.clear()
    there.say(500)
    registry.create_model("churn")
    there.gate.set()
    background.finish(60)
    assert there.events == ["model.created"]
    with fresh_ledger.database.write() as tx:
        tx.exec_driver_sql("UPDATE deliveries SET due = 0")
    delivering.round_of(fresh_ledger.database, first=True)
    assert len(there.came) == 1
    assert webhooks.deliver() == (1, 0, 0)


def test_where_nobody_listens_the_rest_is_not_tried_in_that_round(quiet: Ledger, there: Receiver) -> None:
    """A receiver that is away costs a round one try, not one for each event, and other webhooks nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    away = webhooks.add_webhook(nobody, secret_env="HOOK_SECRET", events="model.created", allow_private=True)
    hook(there, "model.created")
    for name in ("a", "b", "c"):
        registry.create_model(name)
    assert webhooks.deliver() == (3, 1, 0)
    assert there.events == ["model.created"] * 3
    assert [one.waiting for one in webhooks.list_webhooks()] == [3, 0]
    with quiet.database.read() as tx:
        tried = rows(tx, "SELECT tries, status, answer FROM deliveries WHERE webhook_id = ? AND tries > 0".replace("?", str(away.id)))
    assert [(tries, status, "ConnectionRefusedError" in answer) for tries, status, answer in tried] == [(1, 0, True)]


def test_without_its_secret_a_delivery_waits(quiet: Ledger, there: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the sender has no secret nothing is posted and no try is used up, and it is said; a sender that has it goes on."""
    one = hook(there, "model.created")
    registry.create_model("churn")
    monkeypatch.delenv("HOOK_SECRET")
    assert webhooks.deliver() == (0, 0, 0)
    assert webhooks.troubles() == {one.id: "its secret is missing: the environment variable HOOK_SECRET is not set here"}
    with pytest.raises(InvalidValue, match="HOOK_SECRET is not set here"):
        webhooks.ping(one.id)
    monkeypatch.setenv("HOOK_SECRET", "")
    assert webhooks.deliver() == (0, 0, 0)
    assert [listed.waiting for listed in webhooks.list_webhooks()] == [1]
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    assert webhooks.deliver() == (1, 0, 0)


def test_a_webhook_hears_what_comes_after_it_until_it_is_removed(quiet: Ledger, there: Receiver) -> None:
    """Neither the past nor its own adding is told to it, and once it is removed nothing is, also not what waited."""
    registry.create_model("before")
    one = hook(there, "*")
    registry.create_model("between")
    webhooks.deliver()
    registry.create_model("waits")
    with quiet.database.write() as tx:
        assert webhook_store.plan(tx, 0) == 1
    assert webhooks.remove_webhook(one.id, why="moved away").waiting == 1
    registry.create_model("after")
    assert webhooks.deliver() == (0, 0, 0)
    assert [came.event["payload"]["name"] for came in there.came] == ["between"]
    assert states(quiet) == {"done": 1, "dropped": 1}
    for again in (lambda: webhooks.remove_webhook(one.id), lambda: webhooks.ping(one.id), lambda: webhooks.remove_webhook(99)):
        with pytest.raises(NotFound):
            again()
    assert webhooks.list_webhooks() == []


def test_adding_and_removing_are_changes_of_the_registry(quiet: Ledger, there: Receiver) -> None:
    """Both have a row in the audit log, which everybody may read: without the path of the URL and without the secret's name."""
    one = hook(there, "request.*", model="churn*", by=ALICE, why="the channel")
    webhooks.remove_webhook(one.id, by=BOB)
    with quiet.database.read() as tx:
        told = agrees(tx)["webhooks"]
        written = [text for (text,) in rows(tx, "SELECT content FROM audit UNION ALL SELECT payload FROM outbox")]
    assert told == {one.id: (there.url, "request.*", "churn*", "alice", True, True)}
    assert not any("HOOK_SECRET" in text or "/hook" in text or SECRET in text for text in written)
    assert registry.verify_audit().whole


def test_who_may_not_set_the_policy_adds_no_webhook(quiet: Ledger, there: Receiver) -> None:
    """A webhook tells others what is decided, so it takes the right that setting the policy takes, to add and to remove one."""
    one = hook(there, by=ALICE)
    registry.set_policy(Policy(set_by=("alice",), set_identity=Strength.OS), by=ALICE)
    before = registry.audit_head()
    for who in (BOB, Identity("alice")):
        with pytest.raises(TransitionRefused, match="webhooks stay as they are"):
            hook(there, by=who)
        with pytest.raises(TransitionRefused, match="webhooks stay as they are"):
            webhooks.remove_webhook(one.id, by=who)
    assert registry.audit_head() == before
    assert webhooks.remove_webhook(one.id, by=ALICE) == one


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://127.0.0.1/x",
            "http://localhost:80/",
            "http://10.1.2.3/",
            "http://192.168.0.1/",
            "http://172.16.5.5/",
            "https://0.0.0.0/",
        ),
        *("http://169.254.169.254/latest/meta-data/", "http://100.64.0.1/", "http://[::1]/", "http://[fe80::1]/", "http://[fd00::1]/"),
        *("http://[::ffff:127.0.0.1]/", "http://[::127.0.0.1]/", "http://[64:ff9b::a00:1]/", "http://[2002:7f00:1::]/", "http://127.1/"),
        *("http://0x7f000001/", "http://2130706433/", "http://224.0.0.1/", "http://[ff02::1]/", "http://0177.0.0.1/", "http://[fec0::1]/"),
    ],
)
def test_private_addresses_are_refused_unless_they_are_wanted(fresh_ledger: Ledger, url: str) -> None:
    """However an address of this machine or network is written, no webhook leads there unasked, and nothing is added."""
    with pytest.raises(InvalidValue, match="an address of this machine or a private network"):
        webhooks.add_webhook(url, secret_env="HOOK_SECRET")
    assert webhooks.list_webhooks() == []
    assert webhooks.add_webhook(url, secret_env="HOOK_SECRET", allow_private=True).allow_private


def test_the_address_is_looked_at_again_when_it_is_sent_to(quiet: Ledger, there: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that was public when the webhook was added, and means this machine now, is not spoken to; it is resolved once a try."""
    asked: list[str] = []
    port, known = there.url.rpartition(":")[2], socket.getaddrinfo

    def lookup(host: Any, *more: Any, **options: Any) -> Any:
        if host != "hooks.example":  # a database or a server of this process's other threads
            return known(host, *more, **options)
        asked.append(host)
        where = ("93.184.216.34" if len(asked) == 1 else "127.0.0.1", int(port))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    webhooks.add_webhook(f"http://hooks.example:{port}/x", secret_env="HOOK_SECRET", events="model.created")
    allowed = webhooks.add_webhook(f"http://hooks.example:{port}/y", secret_env="HOOK_SECRET", events="model.created", allow_private=True)
    registry.create_model("churn")
    assert webhooks.deliver() == (1, 1, 0)
    assert asked == ["hooks.example"] * 4
    assert [(came.path, came.headers["host"]) for came in there.came] == [("/y", f"hooks.example:{port}")]
    assert webhooks.ping(allowed.id).taken


@pytest.mark.parametrize(
    ("url", "why"),
    [
        *(
            ("ftp://hooks.example/", "begins with https"),
            ("file:///etc/passwd", "begins with https"),
            ("hooks.example", "begins with https"),
        ),
        *(("https://alice:pass@hooks.example/", "no user"), ("https://hooks.example@127.0.0.1/", "no user"), ("https:///x", "a host")),
        *(("https://hooks.example/#x", "fragment"), ("https://hooks.example:0/", "a host"), ("https://hooks.example:99999/", "no URL")),
        *(("https://hooks.example/a b", "ASCII"), ("https://hooks.example/\r\nX: y", "ASCII"), ("https://höoks.example/", "ASCII")),
        *((f"https://hooks.example/{'x' * 2000}", "at most"), ("https://[::1/", "no URL"), ("http://a\\@b/", "ASCII")),
    ],
)
def test_urls_that_nothing_is_posted_to(fresh_ledger: Ledger, url: str, why: str) -> None:
    """Other schemes, credentials, line breaks and what is no URL are refused in words, without repeating a password."""
    with pytest.raises(InvalidValue, match=why) as said:
        webhooks.add_webhook(url, secret_env="HOOK_SECRET", allow_private=True)
    assert "pass@" not in str(said.value)


def test_events_secrets_and_models_that_cannot_be(fresh_ledger: Ledger) -> None:
    """An event that never comes, a secret that is written out, and two places for it are refused where they are typed."""
    url = "https://hooks.example"
    places: list[dict[str, Any]] = [{"secret_env": "p4ss word"}, {}, {"secret_env": "A", "secret_block": "a"}, {"secret_block": "A_b"}]
    wrong: dict[str, Any]
    for wrong in ({"events": "version.move"}, {"events": ""}, {"events": ()}, {"model": ""}, {"model": 7}):
        with pytest.raises(InvalidValue):
            webhooks.add_webhook(url, secret_env="HOOK_SECRET", **wrong)
    for where in [*places, {"secret_env": ""}]:
        with pytest.raises(InvalidValue):
            webhooks.add_webhook(url, **where)
    assert webhooks.list_webhooks() == []


def test_every_event_there_is_can_be_named() -> None:
    """The list of events that a webhook may name is that of the actions which the sources write into the log."""
    text = "".join(path.read_text() for path in SOURCES.rglob("*.py") if path.name != "registry_events.py")
    calls = re.findall(r"chain\.append\(([^,]*),|\baction = ([^\n]*)", text)
    written = {name for call in calls for part in call for name in re.findall(r'"([a-z.]+)"', part)}
    assert written == set(ACTIONS)
    assert all(check_events(one) == (one,) for one in ACTIONS)


# --- what hostile receivers and senders do ---------------------------------------------------------------------------


def test_a_receiver_that_never_ends_is_left(there: Receiver) -> None:
    """A byte now and then does not hold a sender longer than its time, and an answer without end is read as far as 64 KiB."""
    stop = threading.Event()

    def drip(server: socket.socket) -> None:
        with server, server.accept()[0] as line:
            line.recv(65536)
            while not stop.wait(0.05):
                try:
                    line.sendall(b"H")
                except OSError:
                    return

    server = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{server.getsockname()[1]}"
    thread = threading.Thread(target=drip, args=(server,))
    thread.start()
    assert post(url, b"{}", {}, allow_private=True, seconds=0.5).status == 0
    stop.set()
    thread.join()
    there.say(500, text="x" * (1 << 20))
    assert len(post(there.url, b"{}", {}, allow_private=True).text) == 64 << 10


@pytest.mark.parametrize(
    "said", [b"", b"hello\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200\r\n" + b"a: b\r\n" * 1000, b"\xff" * 70_000]
)
def test_what_is_no_http_is_tried_again(said: bytes) -> None:
    """Whatever comes back instead of HTTP is an answer without a status, and no error of ours."""

    def answer(server: socket.socket) -> None:
        with server, server.accept()[0] as line:
            line.recv(65536)
            line.sendall(said)
            line.shutdown(socket.SHUT_WR)
            while line.recv(65536):
                pass

    server = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=answer, args=(server,))
    thread.start()
    found = post(f"http://127.0.0.1:{server.getsockname()[1]}", b"{}", {}, allow_private=True)
    thread.join()
    assert found.status == 0
    assert found.text


def test_tls_of_another_name_is_refused(tmp_path: Path) -> None:
    """A server that does not prove to be the host of the URL is not told anything."""
    import ssl

    key, certificate = tmp_path / "key", tmp_path / "certificate"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate), "-subj", "/CN=other.example"]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate, key)
    server = socket.create_server(("127.0.0.1", 0))
    came: list[bytes] = []

    def answer() -> None:
        with server, server.accept()[0] as line:
            try:
                with served.wrap_socket(line, server_side=True) as secure:
                    came.append(secure.recv(10))
            except OSError:
                return

    thread = threading.Thread(target=answer)
    thread.start()
    found = post(f"https://127.0.0.1:{server.getsockname()[1]}", b"{}", {}, allow_private=True)
    thread.join()
    assert (found.status, "CERTIFICATE_VERIFY_FAILED" in found.text, came) == (0, True, [])


@given(body=st.binary(max_size=200), key=st.text(min_size=1, max_size=40), at=st.integers(0, 2**40), off=st.integers(-400, 400))
def test_a_signature_holds_for_its_body_key_and_time(body: bytes, key: str, at: int, off: int) -> None:
    """It is taken for five minutes around its time, and for no other body, key or time."""
    header = signature(body, key, at)
    assert webhooks.verify_signature(body, header, key, now=at + off) is (abs(off) <= 300)
    assert not webhooks.verify_signature(body + b" ", header, key, now=at)
    assert not webhooks.verify_signature(body, header, key + "x", now=at)
    assert not webhooks.verify_signature(body, header.replace(f"t={at}", f"t={at + 1}"), key, now=at)
    assert webhooks.verify_signature(body, f"{header},v1={'0' * 64}", key, now=at)


@given(st.one_of(st.text(max_size=200), st.just("t=1,v1="), st.just("t=" + "9" * 5000), st.just("t=1,t=2,v1=a"), st.none()))
def test_what_is_no_signature_is_not_one(header: str | None) -> None:
    """Whatever a header says, it is refused and raises nothing; so is everything where the receiver has no key."""
    assert not webhooks.verify_signature(b"{}", header, "key")
    assert not webhooks.verify_signature(b"{}", signature(b"{}", "", int(time.time())), "")


@pytest.mark.parametrize("module", ["hooks", "webhooks.signing", "webhooks.destination", "webhooks.trying", "webhooks.delivering"])
def test_examples_in_docstrings_hold(fresh_ledger: Ledger, module: str) -> None:
    """What a docstring shows is what comes out."""
    result = doctest.testmod(importlib.import_module(f"prefect_ledger.{module}"))
    assert (result.failed, result.attempted > 0) == (0, True)


def test_a_store_of_before_is_upgraded_with_what_it_has(store_url: str) -> None:
    """A ledger without webhooks says what it needs, and after the upgrade has all it had, and takes them."""
    from prefect_ledger import audit_store, migrations
    from prefect_ledger.database import OLDEST, SCHEMA

    database = Database(store_url)
    with database._engine.connect() as tx, tx.begin():
        migrations.upgrade(tx, "0002")
    with database._engine.connect().execution_options(ledger_write=True) as tx, tx.begin():
        audit_store.hold(tx).append("model.created", ALICE, model=(7, "churn"), after={"name": "churn"})
    other = Database(store_url)
    with (
        pytest.raises(SchemaTooOld, match=f"has schema 2, this prefect-ledger needs {OLDEST}: run prefect-ledger db upgrade"),
        other.read(),
    ):
        pass
    other.close()
    assert database.upgrade() == (2, SCHEMA)
    with database.read() as tx:
        assert audit_store.check(tx).whole
        assert [change.action for change in audit_store.changes(tx)] == ["model.created"]
        assert rows(tx, "SELECT COUNT(*) FROM webhooks") == [(0,)]
    database.close()
