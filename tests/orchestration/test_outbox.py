"""Events of the registry: each change is told to Prefect after it, at least once, also when the process died in between."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time

import pytest
from prefect import flow

from prefect_ledger import registry
from prefect_ledger.database import rows
from prefect_ledger.orchestration import outbox
from prefect_ledger.tracking import context
from prefect_ledger.tracking.ledger import Ledger
from tests.orchestration.helpers import heard
from tests.registry.helpers import ALICE, version

pytestmark = pytest.mark.usefixtures("store_url")


def model(name: str) -> str:
    """What events call a registered model."""
    return f"prefect-ledger.model.{name}"


def waiting(one: Ledger) -> int:
    """How many events wait."""
    with one.database.read() as tx:
        return int(rows(tx, "SELECT COUNT(*) FROM outbox WHERE sent IS NULL")[0][0])


@pytest.mark.long
def test_each_change_is_told_to_prefect(prefect_server: str, fresh_ledger: Ledger) -> None:
    """What a verb changed arrives at the server as an event with the whole audit row, its number and hash, by itself."""
    name = f"told-{time.time_ns()}"
    version(name=name)
    registry.transition(name, 1, "production", by=ALICE, why="better")
    found = heard(model(name), lambda events: len(events) == 3)
    wanted = ["model.created", "version.registered", "version.moved"]
    assert [one["event"] for one in found] == [f"prefect-ledger.registry.{action}" for action in wanted]
    moved, (*_, change) = found[-1], registry.history(name)
    assert moved["payload"]["hash"] == change.hash
    assert (moved["payload"]["after"], moved["payload"]["why"], moved["payload"]["actor"]) == ({"stage": "production"}, "better", "alice")
    assert moved["resource"]["prefect-ledger.stage"] == "production"
    for _ in range(100):
        if not waiting(fresh_ledger):
            break
        time.sleep(0.1)
    assert waiting(fresh_ledger) == 0


@flow
def changing(name: str) -> None:
    """A flow that changes the registry and ends at once."""
    registry.create_model(name)


@pytest.mark.long
def test_a_change_of_a_flow_that_has_ended_is_told(prefect_server: str, fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a flow changed last is sent in the background although the flow, and Prefect's client in it, have ended meanwhile."""
    name, ended, sent_from = f"ended-{time.time_ns()}", threading.Event(), outbox._sent_from
    monkeypatch.setattr(outbox, "_sent_from", lambda database: ended.wait(60) and sent_from(database))
    changing(name)
    ended.set()
    outbox.ERRAND.finish(60)
    assert waiting(fresh_ledger) == 0
    assert [one["event"] for one in heard(model(name))] == ["prefect-ledger.registry.model.created"]


@pytest.mark.long
def test_what_a_dead_process_left_is_sent_by_the_next(prefect_server: str, fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event whose process died after the change waits in the store, and whoever sends next sends it; twice sent it is one event."""
    name = f"left-{time.time_ns()}"
    monkeypatch.setattr(context, "messenger", None)  # as if the process had died before it could send
    version(name=name)
    assert waiting(fresh_ledger) == 2
    assert outbox.send_events() == 2
    with fresh_ledger.database.write() as tx:  # as if it had died after sending, before that was written down
        tx.exec_driver_sql("UPDATE outbox SET sent = NULL")
    assert outbox.send_events() == 2
    assert len({one["id"] for one in heard(model(name), lambda events: len(events) >= 2)}) == 2


@pytest.mark.long
def test_a_killed_process_loses_no_event(prefect_server: str, fresh_ledger: Ledger, store_url: str) -> None:
    """SIGKILL right after the verb returned: the change is there, and its event waits."""
    name = f"killed-{time.time_ns()}"
    program = f"""
import os, signal
from prefect_ledger import configure, registry
configure(store_url={store_url!r})
registry.create_model({name!r})
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=120)
    assert done.returncode == -9
    assert registry.get_model(name).latest == 0
    outbox.send_events()
    assert [one["event"] for one in heard(model(name))] == ["prefect-ledger.registry.model.created"]


def test_a_server_that_is_away_holds_up_nobody(fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no server at the named address the verb succeeds, and the events wait."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        version()
        outbox.ERRAND.finish(60)
    assert waiting(fresh_ledger) == 2


def test_a_block_that_tells_later_tells_once_at_its_end(fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several changes in a block that tells later are told of at its end, also when it fails; without a change nobody is told."""
    told: list[int] = []
    monkeypatch.setattr(context, "messenger", lambda: told.append(waiting(fresh_ledger)))
    with contextlib.suppress(ZeroDivisionError), context.telling_later():
        registry.create_model("one")
        registry.create_model("two")
        assert told == []
        raise ZeroDivisionError
    assert told == [2]
    with context.telling_later():
        registry.list_models()
    assert told == [2]
