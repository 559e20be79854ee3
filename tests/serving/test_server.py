"""The server as a process: started by the command, asked over HTTP, following a reference, stopped without losing a request."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_ledger import registry, start_run
from prefect_ledger.serving.app import App
from prefect_ledger.serving.following import Followed
from prefect_ledger.serving.server import _options
from prefect_ledger.tracking.ledger import Ledger
from tests.services_real.processes import wait_until
from tests.serving.running import Server, server


@pytest.mark.long
def test_a_model_is_served_by_the_command(columns_model: Path, tmp_path: Path) -> None:
    """It answers, and Ctrl-C or SIGTERM end it in order."""
    with server(str(columns_model), tmp_path) as one:
        status, found, _ = one.ask({"dataframe_records": [{"a": 1.0, "b": 0.5}]})
        assert status == 200
        assert round(found["predictions"][0], 6) == 1.0
    assert one.child.returncode == 0


def test_several_workers_share_the_port_and_their_counters(array_model: Path, tmp_path: Path) -> None:
    """What any of them was asked is counted by all."""
    with server(str(array_model), tmp_path, "--workers", "2") as one:
        for number in range(12):
            assert one.ask({"inputs": [[float(number + 20), 0.0]]})[0] == 200
        text = one.ask(None, "/metrics")[1].decode()
    assert 'prefect_ledger_requests_total{status="200"} 12.0' in text


@pytest.mark.long
def test_who_comes_when_all_connections_are_taken_is_refused_in_form(array_model: Path) -> None:
    """As all refusals are: JSON, and when to come again; its connection is ended, and when another has gone the next is answered."""
    app = App(Followed(str(array_model), trust=True))
    served = uvicorn.Server(uvicorn.Config(app, **{**_options(0), "limit_concurrency": 2}))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=served.run, args=([listener],))
    thread.start()
    try:
        one = Server(listener.getsockname()[1], None)
        with socket.create_connection(listener.getsockname()) as idle:
            idle.sendall(b"GET /version HTTP/1.1\r\nHost: here\r\n\r\n")
            assert idle.recv(12) == b"HTTP/1.1 200"
            for body in ({"inputs": [[1.0, 0.0]]}, None):
                status, found, headers = one.ask(body)
                assert (status, found["error_code"]) == (503, "RESOURCE_EXHAUSTED")
                assert "2 connections are open" in found["message"]
                assert (headers["retry-after"], headers["connection"]) == ("1", "close")
        while one.ask(None, "/ping")[0] != 200:
            threading.Event().wait(0.05)
        assert one.ask({"inputs": [[1.0, 0.0]]})[0] == 200
    finally:
        served.should_exit = True
        thread.join(timeout=40)
        listener.close()
        app.close()


def copies(folder: Path) -> set[str]:
    """The private copies of models that a server has now."""
    return {path.name for path in (folder / "temporary").glob("prefect-ledger-model-*")}


def _times(factor: float) -> Callable[[Any], Any]:
    return lambda data: [factor * x for x in data]


@pytest.mark.parametrize("kind", ["the latest of a run", "an alias"])
@pytest.mark.long
def test_a_reference_that_moves_is_followed_without_a_failed_request(fresh_ledger: Ledger, tmp_path: Path, kind: str) -> None:
    """While it is asked all the time, the name comes to mean another model: every answer is one of theirs and says whose.

    Each worker keeps the files of the model it serves, not of those before it, and none when it has ended.
    """
    with start_run(experiment="serving") as run:
        models = {run.log_model(_times(2.0), "m", requirements=[], register=True).id: 2.0}
        fresh_ledger.flush()
        registry.set_alias("m", "champion", 1)
        reference = "models:/m@champion" if kind == "an alias" else f"runs:/{run.id}/m"
        done, answers = threading.Event(), []
        words = ("--follow", "0.2", "--workers", "2")
        with server(reference, tmp_path, *words, home=fresh_ledger.settings.home) as one:
            both = f'prefect_ledger_models_loaded_total{{model="{next(iter(models))}"}} 2.0'
            wait_until(lambda: both in one.ask(None, "/metrics")[1].decode(), one.child, tmp_path / "serve.log", seconds=30)
            first = copies(tmp_path)

            def ask() -> None:
                while not done.is_set():
                    answers.append(one.ask({"inputs": [1.0]}))

            threads = [threading.Thread(target=ask) for _ in range(3)]
            for thread in threads:
                thread.start()
            second = run.log_model(_times(3.0), "m", requirements=[], register=True)
            models[second.id] = 3.0
            fresh_ledger.flush()
            registry.set_alias("m", "champion", 2)
            wait_until(lambda: len(copies(tmp_path)) == 2 and not copies(tmp_path) & first, one.child, tmp_path / "serve.log", seconds=30)
            wait_until(lambda: answers[-1][2].get("x-model-id") == second.id, one.child, tmp_path / "serve.log", seconds=30)
            done.set()
            for thread in threads:
                thread.join()
    assert copies(tmp_path) == set()
    assert one.child.returncode == 0
    assert {status for status, _, _ in answers} == {200}
    assert {headers["x-model-id"] for _, _, headers in answers} == set(models)
    assert all(found["predictions"] == [models[headers["x-model-id"]]] for _, found, headers in answers)


@pytest.mark.long
def test_a_stop_waits_for_what_was_asked(array_model: Path, tmp_path: Path) -> None:
    """SIGTERM while a request is worked on: it is answered, then the process ends with 0."""
    with server(str(array_model), tmp_path) as one:
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(one.ask({"inputs": [[2500.0, 0.0]]})))
        thread.start()
        threading.Event().wait(0.7)
        os.kill(one.child.pid, signal.SIGTERM)
        thread.join(20)
        one.child.wait(20)
    assert found[0][0] == 200
    assert one.child.returncode == 0


@pytest.mark.parametrize("model", ["columns_model", "array_model"])
@pytest.mark.long
def test_what_the_description_allows_is_answered_or_refused_in_form(model: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Requests made from the OpenAPI description, fitting and not: no failure of the server, always one of the described forms."""
    with server(str(request.getfixturevalue(model)), tmp_path) as one:
        operation = schemathesis.openapi.from_url(f"http://127.0.0.1:{one.port}/openapi.json")["/invocations"]["POST"]
        strategies = [operation.as_strategy(mode, media_type="application/json") for mode in schemathesis.GenerationMode]
        seen = set()

        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.one_of(strategies))
        def attack(case: Any) -> None:
            answer = case.call()
            seen.add(answer.status_code)
            assert answer.status_code in {200, 400, 404, 405, 415}, (answer.text, answer.request.body)
            if answer.content and answer.request.method != "HEAD":
                assert set(answer.json()) in ({"predictions"}, {"error_code", "message"})

        attack()
        assert 400 in seen
        assert one.ask(None, "/ping")[0] == 200
