"""A run that is tried again is one run: its attempts can be asked for, nothing is doubled, and the last one counts."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import cloudpickle  # type: ignore[import-untyped]
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import Artifact, FlowRun, State, StateType
from prefect.states import AwaitingRetry, Crashed, Running

from prefect_ledger import get_run, tracked_flow
from prefect_ledger.entities import Run
from prefect_ledger.events import RunStarted
from prefect_ledger.orchestration import context
from prefect_ledger.orchestration.attempts import bodies_begun
from prefect_ledger.orchestration.flow_runs import ledger_on_crashed
from prefect_ledger.tracking.ledger import Ledger
from tests.orchestration import stage as plots
from tests.orchestration.helpers import cards_of, table
from tests.orchestration.stage import Stage, stage
from tests.stores.folding import fold


@pytest.fixture(scope="module")
def tried(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A run that was resumed, and one that was retried by itself and then by somebody, each process of theirs a new one."""
    with stage(tmp_path_factory.mktemp("tried"), at_work=False) as here:
        here.play(plots.resumed(here), plots.asked_again(here))
        yield here


def points(run: Run, key: str, attempt: int | None = None) -> list[tuple[int, float]]:
    """Every point of a metric."""
    series = run.metric(key, attempt=attempt)
    return list(zip(series.steps.tolist(), series.values.tolist(), strict=True))


def test_a_run_that_somebody_asked_to_try_again(tried: Stage) -> None:
    """Retries by Prefect and by a person are attempts of one run, numbered through, each with what it logged and how it ended."""
    run = tried.run("retried")
    assert (run.status, run.attempt, run.params, run.metrics["count"]) == ("COMPLETED", 3, {"count": "3"}, 3)
    assert [(one.number, one.status) for one in run.attempts] == [(1, "FAILED"), (2, "FAILED"), (3, "COMPLETED")]
    assert [one.exception.get("message") for one in run.attempts] == ["attempt 1", "attempt 2", None]
    assert [points(run, "count", number) for number in (1, 2, 3)] == [[(0, 1.0)], [(0, 2.0)], [(0, 3.0)]]
    assert points(run, "score") == [(0, 3.0), (1, 4.0), (2, 5.0)]
    assert points(run, "score", 1) == [(0, 1.0), (1, 2.0), (2, 3.0)]


def test_a_run_that_was_resumed(tried: Stage) -> None:
    """A resumed run begins its body anew, as a further attempt: what it logs again is not there twice, also what its tasks log."""
    run = tried.run("resumed")
    assert tried.flow_run(run.id).run_count == 1
    assert (run.status, run.attempt, run.metrics) == ("COMPLETED", 2, {"before": 1, "score": 12, "after": 1})
    assert [(one.number, one.status) for one in run.attempts] == [(1, "PAUSED"), (2, "COMPLETED")]
    assert points(run, "before") == points(run, "before", 1) == [(0, 1.0)]
    assert points(run, "score") == points(run, "score", 1) == [(0, 10.0), (1, 11.0), (2, 12.0)]
    assert run.summaries["score"].count == 3


def test_tries_of_a_task(tried: Stage) -> None:
    """A task that was tried twice is one step of its attempt, and its last try counts."""
    run = tried.run("retried")
    steps = [(step.attempt, step.name.partition("-")[0], step.tries, step.state) for step in run.task_runs]
    assert sorted(steps) == sorted(
        (number, *rest) for number in (1, 2, 3) for rest in (("look", 1, "Completed"), ("shaky", 2, "Completed"))
    )
    assert run.metrics["tries"] == 2
    assert points(run, "tries") == [(0, 2.0)]


def test_cards_of_processes_that_are_ended(tried: Stage) -> None:
    """Processes that a runner starts for a run send its cards before they end: one of each finished attempt, none of a suspended one."""
    shown = {"retried": [1, 2, 3], "resumed": [2]}
    for name, attempts in shown.items():
        cards = all_cards(tried.runs[name], len(attempts))
        assert [card.description for card in cards] == [
            f"Last metrics of ledger run {tried.runs[name][:8]}" + (f", attempt {number}" if number > 1 else "") for number in attempts
        ]
    assert [table(card)["count"] for card in cards_of(tried.runs["retried"])] == [(float(number), 0, 1) for number in (1, 2, 3)]


def all_cards(run: str, many: int) -> list[Artifact]:
    """So many cards of a run whose last process has ended or is about to; a minute is enough for that."""
    for _ in range(600):
        if len(found := cards_of(run)) >= many:
            return found
        time.sleep(0.1)
    raise AssertionError(f"no card of attempt {many}")


def test_one_run_each(tried: Stage) -> None:
    """No attempt made a run of its own; reconcile has nothing to say."""
    assert {run.id for run in tried.reader.search_runs()} == set(tried.runs.values())
    done = tried.command("reconcile")
    assert (done.returncode, done.stdout) == (0, "nothing to reconcile\n"), done.stderr


@pytest.mark.parametrize("before", [[Running()], []], ids=["begun", "never-begun"])
def test_a_crash_that_is_told_late(ledger: Ledger, before: list[State]) -> None:
    """A runner that tells of a crash when somebody's next attempt has begun ends the attempt that crashed, and not the one that runs."""

    @tracked_flow
    def hasty() -> None: ...

    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run_from_deployment(client.create_deployment(client.create_flow(hasty), "tried-again"))
        run = str(flow_run.id)
        for state in (*before, Crashed(message="killed")):
            client.set_flow_run_state(flow_run.id, state, force=True)
        crashed = client.read_flow_run(flow_run.id)
        for state in (AwaitingRetry(), Running()):
            client.set_flow_run_state(flow_run.id, state, force=True)
    number = len(before) + 1
    fold(ledger.database, RunStarted(run, time.time_ns() // 1000 - 500_000, number, experiment="hasty", kind="flow"), journal="next")
    assert crashed.state is not None
    ledger_on_crashed(hasty, crashed, crashed.state)
    ledger.flush()
    found = get_run(run)
    assert (found.status, found.attempt) == ("RUNNING", number)
    assert [(one.number, one.status) for one in found.attempts] == [(1, "CRASHED")] * len(before) + [(number, "RUNNING")]


def test_resumptions_travel_with_the_flow(ledger: Ledger) -> None:
    """A task in a process of its own works for the attempt of the flow that it belongs to, also where that was resumed."""

    @tracked_flow
    def far() -> None: ...

    run_id = str(uuid.uuid4())
    context.resumptions[run_id] = 2
    try:
        run = ledger.enter(run_id, attempt=3, experiment="far", name="far")
        context.pack(far, run)
        travelled = cloudpickle.loads(cloudpickle.dumps(far))
    finally:
        del context.resumptions[run_id]
    flow_run = FlowRun(id=uuid.UUID(run_id), flow_id=uuid.uuid4(), name="far", run_count=1)
    found = context.run_of_flow(flow_run, travelled, attempt=1)
    assert found is not None
    assert found.attempt == 3
    context.unload(far, run_id)
    assert not vars(far)[context._LUGGAGE].resumptions


@pytest.mark.parametrize(
    ("states", "begun"),
    [
        ("SCHEDULED PENDING RUNNING", 1),
        ("PENDING RUNNING FAILED SCHEDULED PENDING RUNNING", 2),
        ("PENDING RUNNING PAUSED RUNNING COMPLETED", 1),
        ("PENDING RUNNING PAUSED SCHEDULED PENDING RUNNING PAUSED SCHEDULED PENDING RUNNING SCHEDULED RUNNING", 4),
        ("SCHEDULED CANCELLED", 0),
    ],
)
def test_how_often_a_body_began(states: str, begun: int) -> None:
    """A body begins at every Running, but for the one that ends a pause it waited through."""
    seen = [State(type=StateType(kind), timestamp=datetime.fromtimestamp(at, UTC)) for at, kind in enumerate(states.split())]
    assert bodies_begun(list(reversed(seen))) == begun
