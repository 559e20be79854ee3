"""Reconcile asks Prefect, locks and leases, and what it learns never spoils what a run's own processes say, in whatever order."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.states import Cancelling, Completed, Crashed, Failed, Paused, Running, Scheduled

from prefect_ledger import get_run, open_runs, reconcile, run_store
from prefect_ledger.database import Database, rows
from prefect_ledger.entities import Run
from prefect_ledger.errors import InvalidValue
from prefect_ledger.events import Event, RunStarted, RunStatusSeen
from prefect_ledger.leases import give_up_silent
from prefect_ledger.open_runs import Told
from prefect_ledger.orchestration import reconcile as module
from prefect_ledger.tracking.ledger import Ledger
from tests.orchestration.helpers import run_async
from tests.stores.folding import fold

A = "00000000-0000-4000-8000-00000000000a"


@flow
def nothing() -> None:
    """A flow whose runs are made by hand here."""


@pytest.fixture(scope="module")
def client(prefect_server: str) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as one:
        yield one


def begun(ledger: Ledger, client: SyncPrefectClient, state: State[Any], *, journal: str = "elsewhere") -> str:
    """A run that Prefect has in this state, and of which the ledger heard, from another machine, that it began before that."""
    run = client.create_flow_run(nothing, state=Running())
    client.set_flow_run_state(run.id, state, force=True)
    fold(ledger.database, started(str(run.id), just_now()), journal=journal)
    return str(run.id)


def just_now() -> int:
    """A second ago, µs."""
    return time.time_ns() // 1000 - 1_000_000


def started(run: str, at: int = 10, attempt: int = 1) -> Event:
    return RunStarted(run, at, attempt, experiment="far", kind="flow")


def ended(database: Database, run: str) -> tuple[str, str, bool]:
    """(status, reason, provisional) of a run."""
    with database.read() as tx:
        (found,) = rows(tx, "SELECT status, status_reason, provisional FROM runs WHERE id = ?", [run])
    return found[0], found[1], bool(found[2])


# --- Prefect --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [
        (Completed(message="all well"), "COMPLETED", ""),
        (Failed(message="password=hunter2 refused"), "FAILED", "password=******** refused"),
        (Crashed(message="node lost"), "CRASHED", "node lost"),
        (Paused(timeout_seconds=60), "PAUSED", "Paused"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isupper() else "",
)
def test_what_prefect_says_is_copied(ledger: Ledger, client: SyncPrefectClient, state: State[Any], status: str, reason: str) -> None:
    """An open run gets Prefect's state, its time and its reason, secrets masked."""
    run = begun(ledger, client, state)
    found = reconcile(silence=1e9)
    assert [(change.run, change.after, change.reason) for change in found.changes] == [(run, status, reason)]
    assert ended(ledger.database, run) == (status, reason, False)
    kept, flow_run = get_run(run), client.read_flow_run(uuid.UUID(run))
    assert flow_run.state is not None
    if kept.status.final:
        assert kept.ended_at is not None
        assert abs((kept.ended_at - flow_run.state.timestamp).total_seconds()) < 0.001


def test_a_run_of_which_hardly_anything_was_heard(ledger: Ledger, client: SyncPrefectClient) -> None:
    """A run whose start is still in the journal of a worker has Prefect's name and time until that arrives."""
    flow_run = client.create_flow_run(nothing, name="far-away", state=Running())
    with ledger.database.write() as tx:
        run_store.placeholders(tx, [str(flow_run.id)])
    client.set_flow_run_state(flow_run.id, Failed(message="no"), force=True)
    reconcile()
    run = get_run(str(flow_run.id))
    assert (run.name, run.kind, run.status, run.started_at is not None) == ("far-away", "flow", "FAILED", True)


@pytest.mark.parametrize("silence", [-5, float("nan"), float("inf")])
def test_a_silence_that_is_none_is_refused(ledger: Ledger, silence: float) -> None:
    """Seconds below 0 would take runs for lost that are heard of this moment: they are refused, and no run is touched."""
    run = ledger.enter(str(uuid.uuid4()))
    ledger.flush()
    with pytest.raises(InvalidValue, match="silence is a number of seconds from 0 on"):
        reconcile(silence=silence)
    assert get_run(run.id).status == "RUNNING"


def test_twice_and_by_several_at_once(ledger: Ledger, client: SyncPrefectClient) -> None:
    """However many reconcile at once, and again after that, a run changes once."""
    runs = {begun(ledger, client, Failed(message=f"no {number}"), journal=f"j{number}") for number in range(5)}
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: reconcile(), range(4)))
    assert sorted(change.run for one in found for change in one.changes) == sorted(runs)
    before = {run: get_run(run) for run in runs}
    assert reconcile().changes == []
    assert {run: get_run(run) for run in runs} == before


def test_a_dry_run(ledger: Ledger, client: SyncPrefectClient) -> None:
    """A dry run says what would change, and changes nothing."""
    run = begun(ledger, client, Failed(message="no"))
    silent = str(uuid.uuid4())
    fold(ledger.database, RunStarted(silent, just_now()), journal="other")
    said = {change.run: change.after for change in reconcile(dry_run=True, silence=0).changes}
    assert said == {run: "FAILED", silent: "CRASHED"}
    assert {get_run(run).status, get_run(silent).status} == {"RUNNING"}
    assert {change.run: change.after for change in reconcile(silence=0).changes} == said


def test_from_a_coroutine(ledger: Ledger, client: SyncPrefectClient) -> None:
    """It may be called where an event loop runs, at once or in a thread."""
    run = begun(ledger, client, Failed(message="no"))

    async def main() -> tuple[int, int]:
        return len(reconcile().changes), len((await asyncio.to_thread(reconcile)).changes)

    assert run_async(main()) == (1, 0)
    assert get_run(run).status == "FAILED"


def test_pages(ledger: Ledger, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """More runs than a page holds are asked for page by page, and none is left out."""
    monkeypatch.setattr(module, "PAGE", 3)
    runs = {begun(ledger, client, Failed(message="no"), journal=f"j{number}") for number in range(8)}
    found = reconcile()
    assert {change.run for change in found.changes} == runs
    assert (found.asked, found.unknown) == (8, 0)


def test_while_prefect_is_away(ledger: Ledger, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Prefect cannot be asked, locks and leases still tell; it says so, and the next one settles what was guessed."""
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    run = begun(ledger, client, Failed(message="no"))
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES: 0}):
        found = reconcile(silence=0)
    assert found.trouble
    assert ended(ledger.database, run)[::2] == ("CRASHED", True)
    assert [(change.before, change.after) for change in reconcile().changes] == [("CRASHED", "FAILED")]
    assert ended(ledger.database, run) == ("FAILED", "no", False)


# --- lock and lease -------------------------------------------------------------------------------------------------


def test_a_lease(ledger: Ledger) -> None:
    """A run that is not heard of is CRASHED for now; the next sign of life opens it again, and the next silence ends it again."""
    fold(ledger.database, RunStarted(A, just_now(), kind="script"), journal="far")
    assert reconcile().changes == []
    assert [change.after for change in reconcile(silence=0).changes] == ["CRASHED"]
    status, reason, provisional = ended(ledger.database, A)
    assert (status, provisional) == ("CRASHED", True)
    assert "not heard of" in reason
    assert reconcile(silence=0).changes == []
    with ledger.database.write() as tx:
        run_store.touch(tx, [A], "far", time.time_ns() // 1000)
    assert ended(ledger.database, A) == ("RUNNING", "", False)
    assert [change.after for change in reconcile(silence=0).changes] == ["CRASHED"]
    fold(ledger.database, RunStatusSeen(A, just_now(), "COMPLETED", 1), journal="far-2")
    assert ended(ledger.database, A) == ("COMPLETED", "", False)
    assert reconcile(silence=0).changes == []


def test_a_lock(ledger: Ledger) -> None:
    """A run whose process lives on this machine is not lost, however long it says nothing."""
    run = ledger.start(experiment="quiet")
    ledger.flush()
    assert reconcile(silence=0).changes == []
    assert get_run(run.id).status == "RUNNING"
    with ledger.database.read() as tx:
        found = [one for one in open_runs.find_open(tx, guessed_since=0) if one.id == run.id]
    assert [change.run for change in give_up_silent(ledger.database, Path("/nowhere"), found, silence=0, dry_run=True)] == [run.id]


def test_prefect_has_it_waiting(ledger: Ledger, client: SyncPrefectClient) -> None:
    """A run that is paused or waits for its next attempt has no process, and is not lost."""
    states: tuple[State[Any], ...] = (Paused(timeout_seconds=600), Scheduled())
    for number, state in enumerate(states):
        begun(ledger, client, state, journal=f"j{number}")
    assert {change.after for change in reconcile(silence=0).changes} <= {"PAUSED", "SCHEDULED"}


def test_prefect_waits_for_it_for_ever(ledger: Ledger, client: SyncPrefectClient) -> None:
    """A run that Prefect thinks is running, and whose process is gone, is CRASHED; CANCELLED where somebody had cancelled it."""
    running, cancelled = begun(ledger, client, Running()), begun(ledger, client, Cancelling(), journal="other")
    reconcile(silence=0)
    assert (ended(ledger.database, running)[0], ended(ledger.database, cancelled)[0]) == ("CRASHED", "CANCELLED")
    assert reconcile(silence=0).changes == []


# --- what the run's own processes know -------------------------------------------------------------------------------


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    store = Database(store_url)
    yield store
    store.close()


def tell(database: Database, *told: Told) -> list[open_runs.Change]:
    with database.write() as tx:
        return open_runs.tell(tx, told)


def test_a_process_knows_better(database: Database) -> None:
    """The end that a run's own process wrote stays, whatever Prefect says later."""
    fold(database, started(A), RunStatusSeen(A, 20, "COMPLETED", 1))
    assert tell(database, Told(A, "CRASHED", 30, "zombie", count=1)) == []
    assert ended(database, A) == ("COMPLETED", "", False)


def test_told_by_several_machines_at_once(database: Database) -> None:
    """Several that bring in the same answers, on either database, change each run once between them."""
    runs = [str(uuid.uuid4()) for _ in range(20)]
    fold(database, *(started(run) for run in runs))
    told = [Told(run, "FAILED", 20, "no", count=1) for run in runs]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda part: tell(database, *part), (told, told[::-1], told)))
    assert sorted(change.run for one in found for change in one) == sorted(runs)


def test_a_guess_is_settled(database: Database) -> None:
    """Prefect's word settles what the body guessed, also where the body's clock is ahead."""
    fold(database, started(A, 1_000), RunStatusSeen(A, 2_000, "FAILED", 1, reason="ValueError: no", provisional=True))
    (change,) = tell(database, Told(A, "FAILED", 50, "Flow run encountered an exception", count=1))
    assert (change.before, change.after) == ("FAILED?", "FAILED")
    assert ended(database, A)[::2] == ("FAILED", False)


def test_a_later_attempt_wins(database: Database) -> None:
    """What Prefect said of an attempt says nothing of the next one, whichever is heard first."""
    fold(database, started(A))
    tell(database, Told(A, "FAILED", 20, "no", count=1))
    fold(database, started(A, 30, 2), journal="journal-1")
    assert ended(database, A) == ("RUNNING", "", False)
    assert tell(database, Told(A, "FAILED", 20, "no", count=1)) == []  # read before the retry, written after it


def test_a_late_journal(database: Database) -> None:
    """An attempt whose start is heard after its end, which Prefect told, has that end; the one before keeps its own."""
    fold(database, started(A), RunStatusSeen(A, 20, "PAUSED", 1))
    tell(database, Told(A, "CRASHED", 40, "killed", count=1 + 1))
    fold(database, started(A, 30, 2), journal="journal-1")
    with database.read() as tx:
        assert rows(tx, "SELECT attempt, status FROM attempts ORDER BY attempt") == [(1, "PAUSED"), (2, "CRASHED")]
    assert ended(database, A) == ("CRASHED", "killed", False)


def test_paused_and_running(database: Database) -> None:
    """A pause that the body waits through is seen by asking, and so is its end."""
    fold(database, started(A))
    tell(database, Told(A, "PAUSED", 20, "Paused", count=1))
    tell(database, Told(A, "RUNNING", 15, count=1))  # an older answer
    assert ended(database, A)[0] == "PAUSED"
    tell(database, Told(A, "RUNNING", 30, count=1))
    assert ended(database, A)[0] == "RUNNING"


LATEST = 61
final = st.sampled_from(["COMPLETED", "FAILED", "CRASHED", "CANCELLED"])
tolds = st.builds(
    Told,
    run=st.just(A),
    status=st.sampled_from(["RUNNING", "PAUSED", "SCHEDULED", open_runs.CANCELLING]) | final,
    at=st.integers(1, LATEST),
    count=st.integers(0, 3),
    started=st.none() | st.integers(1, 60),
)
saids = st.one_of(
    st.builds(RunStarted, run=st.just(A), at=st.integers(1, 60), attempt=st.integers(1, 3)),
    st.builds(RunStatusSeen, run=st.just(A), at=st.integers(1, 60), status=final | st.just("PAUSED"), attempt=st.integers(0, 3)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(saids, max_size=4), told=tolds)
@example(said=[], told=Told("00000000-0000-4000-8000-00000000000a", "PAUSED", 1, "", "", 1, 2))
def test_telling_twice_is_telling_once(said: list[Any], told: Told) -> None:
    """Whatever was said of a run: told what Prefect says once more, there is nothing to add, and a final word ends it."""
    from prefect_ledger import standing

    words: dict[str, list[Any]] = {}
    for event in said:
        if isinstance(event, RunStarted):
            words = standing.merge(words, {f"<started.{event.attempt}": [event.at], f"said.{event.attempt}": [event.at, 1, "RUNNING", ""]})
        else:
            words = standing.merge(words, {f"said.{event.attempt}": standing.status_word(event.at, event.status)})
    once = standing.merge(words, open_runs.answer(words, told))
    assert standing.merge(once, open_runs.answer(once, told)) == once
    before = standing.stand(words).last
    if before.status in run_store.FINAL:
        assert once == words
    elif told.status in run_store.FINAL and (told.count == before.number or told.at == LATEST):
        assert standing.stand(once).last.status == told.status


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command(ledger: Ledger, client: SyncPrefectClient, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says each change and why, as JSON for scripts, and 'nothing to reconcile' when there was none."""
    from prefect_ledger.cli import main

    run = begun(ledger, client, Failed(message="no"))
    assert main(["reconcile", "--dry-run"]) == 0
    assert capsys.readouterr().out == f"{run[:8]}  RUNNING -> FAILED  no\n"
    assert main(["reconcile", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changes"] == [{"run": run, "before": "RUNNING", "after": "FAILED", "reason": "no"}]
    assert main(["reconcile"]) == 0
    assert capsys.readouterr().out == "nothing to reconcile\n"


def test_the_flow(ledger: Ledger, client: SyncPrefectClient) -> None:
    """The flow does the same and gives back what changed."""
    from prefect_ledger.flows.reconcile import reconcile_runs

    run = begun(ledger, client, Failed(message="no"))
    assert reconcile_runs() == [{"run": run, "before": "RUNNING", "after": "FAILED", "reason": "no"}]
    kept: Run = get_run(run)
    assert kept.status == "FAILED"
