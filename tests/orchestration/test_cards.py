"""What Prefect's UI is given of a run: a card for each finished attempt, from a thread that the run never waits for."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from prefect.cache_policies import INPUTS
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import Artifact
from prefect.exceptions import Abort, Pause, TerminationSignal

from prefect_ledger import log_metric, log_metrics, search_runs, tracked_flow, tracked_task
from prefect_ledger.orchestration import cards, flow_runs
from prefect_ledger.orchestration.options import Options
from prefect_ledger.queries.details import Last
from prefect_ledger.tracking.ledger import Ledger
from tests.orchestration.helpers import cards_of, run_async, table, the_run

DASHBOARD = "http://dashboard.example:8501"


def on(run_id: str) -> list[Artifact]:
    """The cards of this run, once all that wait are sent, the oldest first."""
    cards.finish(90)
    return cards_of(run_id)


def with_dashboard(ledger: Ledger, **more: Any) -> None:
    """Have the ledger know of a dashboard."""
    ledger.settings = dataclasses.replace(ledger.settings, dashboard_url=DASHBOARD, **more)


# --- what is shown --------------------------------------------------------------------------------------------------


def test_every_finished_attempt_has_a_card(ledger: Ledger) -> None:
    """Each attempt shows a link to its run and its own last metrics, returned ones too."""
    with_dashboard(ledger)

    @tracked_flow(retries=1, experiment="carded")
    def trying() -> dict[str, float]:
        from prefect.runtime import flow_run

        for step in range(3):
            log_metric("loss", step + int(flow_run.run_count or 0), step=step)
        if flow_run.run_count == 1:
            raise RuntimeError("once more")
        return {"auc": 0.9}

    trying()
    run = the_run("carded")
    found = on(run.id)
    assert sorted(one.key or "" for one in found) == ["ledger-carded-metrics"] * 2 + ["ledger-carded-run"] * 2
    first, second = (one for one in found if one.type == "table")
    assert (table(first), table(second)) == ({"loss": (3.0, 2, 3)}, {"auc": (0.9, 0, 1), "loss": (4.0, 2, 3)})
    assert first.description == f"Last metrics of ledger run {run.id[:8]}"
    assert second.description == f"Last metrics of ledger run {run.id[:8]}, attempt 2"
    links = {one.data for one in found if one.type == "markdown"}
    assert links == {f"[Run {run.id[:8]} in the dashboard]({DASHBOARD}/?run={run.id})"}


def test_a_failed_flow_and_an_async_one_have_cards(ledger: Ledger) -> None:
    """A flow that fails shows how far it came, and so does one that takes too long; an async one is shown like any other."""

    @tracked_flow
    def failing() -> None:
        log_metric("loss", 0.5)
        raise RuntimeError("no convergence")

    @tracked_flow(timeout_seconds=0.2)
    async def slow() -> None:
        import asyncio

        log_metric("loss", 0.5)
        await asyncio.sleep(60)

    @tracked_flow
    async def waiting() -> None:
        log_metric("loss", 0.5)

    failing(return_state=True)

    async def both() -> None:
        await slow(return_state=True)
        await waiting()

    run_async(both())
    for experiment in ("failing", "slow", "waiting"):
        assert [table(one) for one in on(the_run(experiment).id)] == [{"loss": (0.5, 0, 1)}]


def test_a_child_and_a_cached_task(ledger: Ledger) -> None:
    """A flow called by another has a card of its own; what a cached task brings in is shown with the rest."""

    @tracked_task(cache_policy=INPUTS, persist_result=True)
    def train(salt: str) -> int:
        log_metric("loss", 0.25, step=4)
        return 1

    @tracked_flow(experiment="inner")
    def inner(salt: str) -> None:
        train(salt)

    @tracked_flow(experiment="outer")
    def outer(salt: str) -> None:
        train(salt)
        inner(salt)

    outer(str(uuid4()))
    for experiment in ("outer", "inner"):
        assert [table(one) for one in on(the_run(experiment).id)] == [{"loss": (0.25, 4, 1)}]


def test_the_off_switch(ledger: Ledger) -> None:
    """With ``prefect_artifacts`` off nothing is shown; and nothing where there is neither a dashboard nor a metric."""

    @tracked_flow
    def silent() -> None:
        log_metric("loss", 0.5)

    @tracked_flow
    def nothing() -> None: ...

    nothing()
    assert on(the_run("nothing").id) == []
    with_dashboard(ledger, prefect_artifacts=False)
    silent()
    assert on(the_run("silent").id) == []


def test_numbers_that_are_none(ledger: Ledger) -> None:
    """NaN and the infinities, which JSON has not, are shown as words."""

    @tracked_flow
    def wild() -> None:
        log_metrics({"nan": math.nan, "up": math.inf, "down": -math.inf})

    wild()
    (card,) = on(the_run("wild").id)
    assert table(card) == {"nan": ("nan", 0, 1), "up": ("inf", 0, 1), "down": ("-inf", 0, 1)}


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "[x](javascript:alert(1))", "Ünïcode  ☃", "-" * 500, "A" * 500])
def test_an_experiment_of_any_name_has_a_card(ledger: Ledger, name: str) -> None:
    """Prefect takes the key made of any experiment's name; nothing of the name but letters and digits is in what is shown."""
    with_dashboard(ledger)

    @tracked_flow(experiment=name)
    def hostile() -> None:
        log_metric("_best_", 1)

    hostile()
    link, rows = on(the_run(name).id)
    assert re.fullmatch(r"ledger-[a-z0-9-]{8,70}-run", link.key or "")
    assert table(rows) == {r"\_best\_": (1.0, 0, 1)}
    assert not re.search(r"[<>☃]|javascript:", f"{link.data}{link.description}{rows.data}{rows.description}")


# --- what can be shown ----------------------------------------------------------------------------------------------

_MARKDOWN = MarkdownIt("commonmark").enable(["strikethrough", "table"])


@given(st.text(st.sampled_from("ab1_-.*`[](){}<>#+!|~&;:/@\\ "), min_size=1, max_size=30))
def test_markdown_shows_any_name_as_it_is(name: str) -> None:
    """No name becomes a link, a heading, a list, emphasis or HTML; it is read as it was written, but for spaces."""
    tokens = _MARKDOWN.parse(cards.plain(name))
    if not name.strip():
        assert not tokens
        return
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert {token.type for token in tokens[1].children or ()} <= {"text", "text_special"}
    assert "".join(token.content for token in tokens[1].children or ()) == name.strip()


@pytest.mark.parametrize("name", ["loss", "train.loss", "val/auc", "f1-score", "val_auc_2", "time: total", "top 5 accuracy", "1.5"])
def test_ordinary_names_are_not_changed(name: str) -> None:
    """A name without anything that Markdown would take for its own is shown without a backslash, also where cells are plain text."""
    assert cards.plain(name) == name


def test_many_metrics_are_cut_and_said() -> None:
    """The table has the first thirty by name, and says how many more there are."""
    (made,) = cards.cards(str(uuid4()), 1, "e", "", {f"m{n:03}": Last(1.0, n, 1) for n in range(100)})
    rows = json.loads(str(made.data))
    assert [row["metric"] for row in rows] == [f"m{n:03}" for n in range(30)]
    assert "70 more" in (made.description or "")


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ("https://d.example", "https://d.example/?run=X"),
        ("https://d.example/app?view=1", "https://d.example/app?view=1&run=X"),
        ("https://d.example/runs/{run_id}/", "https://d.example/runs/X/"),
        ("https://d.example/a b)c(<d>", "https://d.example/a%20b%29c%28%3Cd%3E/?run=X"),
        ("javascript:alert(1)//", None),
        ("d.example", None),
    ],
)
def test_where_the_link_goes(setting: str, shown: str | None) -> None:
    """The link has the run where the setting wants it, cannot leave its brackets, and goes to a web page or is not made."""
    run = str(uuid4())
    found = [str(made.data) for made in cards.cards(run, 1, "e", setting, {})]
    assert found == ([] if shown is None else [f"[Run {run[:8]} in the dashboard]({shown.replace('X', run)})"])


# --- when it is shown -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Pause(), Abort(), GeneratorExit(), KeyboardInterrupt(), SystemExit(3), TerminationSignal(15)])
def test_what_goes_on_or_is_torn_down_has_no_card(ledger: Ledger, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that is left to be entered again, or because its process has to end, has not finished its attempt."""
    published: list[object] = []
    monkeypatch.setattr(cards, "publish", published.append)
    visit = flow_runs.FlowVisit(None, None, Options(), ledger.enter(str(uuid4()), experiment="left"))  # type: ignore[arg-type]
    visit.raised(error)
    assert published == []
    visit.raised(RuntimeError("no convergence"))
    assert published == [visit.run]
    visit.run.finish("FAILED")


@pytest.mark.long
def test_cards_wait_until_flows_are_at_rest(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """While flows follow one another nothing is sent, so that no request meets one of theirs; once they rest, or end, all is."""

    @tracked_flow(experiment="restless")
    def quick(number: int) -> None:
        log_metric("number", number)

    monkeypatch.setattr(cards, "REST_SECONDS", 60.0)
    for number in range(3):
        quick(number)
    assert cards._cards.waiting >= 2
    assert not cards._cards._last.is_set()
    assert sorted(table(one)["number"][0] for run in search_runs("restless") for one in on(run.id)) == [0, 1, 2]
    monkeypatch.setattr(cards, "REST_SECONDS", 0.01)
    quick(3)
    assert cards._cards._last.wait(30)


def test_a_flow_that_ends_lets_a_request_arrive(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is on its way when a flow begins or ends is waited for, a moment at most; then none is made until there is rest."""
    made = cards._Cards()
    made.do(lambda: None)
    monkeypatch.setattr(cards, "REST_SECONDS", 60.0)
    monkeypatch.setattr(cards, "ARRIVAL_SECONDS", 30.0)
    order: list[str] = []

    def request() -> None:
        with made.sending() as may:
            assert may
            sent.set()
            stirred.wait(30)
            order.append("arrived")

    def flow() -> None:
        stirred.set()
        made.stir()
        order.append("ended")

    sent, stirred = threading.Event(), threading.Event()
    made._stirred = -1e9
    threads = [threading.Thread(target=request), threading.Thread(target=flow)]
    threads[0].start()
    assert sent.wait(30)
    threads[1].start()
    for thread in threads:
        thread.join(60)
    assert order == ["arrived", "ended"]
    later = threading.Thread(target=request)
    later.start()
    later.join(0.2)
    assert later.is_alive()  # at rest in a minute
    made.finish(0.0)
    made._hurry.set()
    later.join(60)
    assert order == ["arrived", "ended", "arrived"]


def test_of_too_many_the_latest_are_kept(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows that never rest do not pile up cards without end."""
    monkeypatch.setattr(cards, "REST_SECONDS", 0.2)
    monkeypatch.setattr(cards, "MOST_WAITING", 1)

    @tracked_flow(experiment="many")
    def quick(number: int) -> None:
        log_metric("number", number)

    for number in range(4):
        quick(number)
    shown = sorted(table(one)["number"][0] for run in search_runs("many") for one in on(run.id))
    assert 1 <= len(shown) <= 4
    assert shown[-1] == 3


# --- a server that does not take it ---------------------------------------------------------------------------------


class _Refusing(BaseHTTPRequestHandler):
    """Knows nothing of artifacts, nor of anything else."""

    def do_GET(self) -> None:
        self.send_error(404)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def refusing() -> Iterator[str]:
    """A server that has no artifacts."""
    with HTTPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()
        thread.join()


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and does not answer."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/api"


@pytest.fixture
def gone() -> str:
    """Where no server is."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{server.getsockname()[1]}/api"


EXIT = """
import sys
from prefect_ledger import log_metric, tracked_flow
from prefect_ledger.orchestration import cards

@tracked_flow(experiment="leaving")
def leaving():
    log_metric("loss", 0.5)

cards.REST_SECONDS = 600.0
cards._Cards.finish.__defaults__ = (60.0,)  # a busy machine takes its time
leaving()
"""


@pytest.mark.long
def test_a_program_that_ends(ledger: Ledger) -> None:
    """A program whose flow was its last word sends the card before it ends, and says nothing of it."""
    quiet = {**os.environ, "PREFECT_LOGGING_LEVEL": "WARNING"}
    done = subprocess.run([sys.executable, "-c", EXIT], env=quiet, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [table(one) for one in cards_of(the_run("leaving").id)] == [{"loss": (0.5, 0, 1)}]


@pytest.mark.parametrize("server", ["refusing", "silent", "gone"])
def test_no_artifacts_no_harm(ledger: Ledger, server: str, request: pytest.FixtureRequest) -> None:
    """Where the server has no artifacts, hangs or is gone, the run ends as ever, without a word, and waits for nothing."""
    url, ended = request.getfixturevalue(server), threading.Event()

    def elsewhere(*_: object, **__: object) -> SyncPrefectClient:
        ended.wait(30)
        return SyncPrefectClient(url, httpx_settings={"timeout": 0.2})

    @tracked_flow
    def going_on() -> int:
        log_metric("loss", 0.5)
        return 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cards, "get_client", elsewhere)
        assert going_on() == 1
        assert not cards._cards._last.is_set()
        patch.setattr("prefect.client.base.PREFECT_CLIENT_MAX_RETRIES", SimpleNamespace(value=lambda: 0))
        ended.set()
        cards.finish(30)
        assert cards._cards._last.is_set()
    run = the_run("going-on")
    assert (run.status, list(run.notes)) == ("COMPLETED", [])
    assert on(run.id) == []


def test_a_store_that_is_away(ledger: Ledger) -> None:
    """While the store cannot be had there is a link and no table."""
    with_dashboard(ledger)

    @tracked_flow
    def away() -> None:
        log_metric("loss", 0.5)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "flush", lambda timeout=0.0: 1)
        away()
        cards.finish(30)
    assert [one.type for one in on(the_run("away").id)] == ["markdown"]
