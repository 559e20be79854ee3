"""However a run ends, the ledger says how and why: its own process where that can know, Prefect's runner, or else reconcile."""

from __future__ import annotations

import dataclasses
import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import ParameterTypeError
from prefect.states import Cancelled

from prefect_ledger import Run, reconcile, tracked_flow
from prefect_ledger.errors import RunNotFound
from prefect_ledger.tracking.ledger import Ledger
from tests.orchestration import stage as plots
from tests.orchestration.helpers import the_run
from tests.orchestration.stage import Stage, stage

# --- told by the run's own process ----------------------------------------------------------------------------------


def check(run: Run, status: str, reason: str) -> None:
    """The run ended so; Prefect says the same, and reconcile has nothing to add."""
    assert (run.status, run.ended_at is not None) == (status, True)
    assert reason in run.status_reason
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run.id).state  # type: ignore[arg-type]  # it takes texts as well
    assert state is not None
    assert state.type.value == status
    assert reconcile().changes == []


def test_a_success(ledger: Ledger) -> None:
    """A run that returns is COMPLETED."""

    @tracked_flow
    def good() -> None: ...

    good()
    check(the_run("good"), "COMPLETED", "")


def test_a_failure_after_the_last_retry(ledger: Ledger) -> None:
    """A run is FAILED when its last attempt was, with the exception of each."""

    @tracked_flow(retries=1)
    def bad() -> None:
        raise ValueError("no convergence")

    bad(return_state=True)
    run = the_run("bad")
    check(run, "FAILED", "no convergence")
    assert [(attempt.status, attempt.exception["message"]) for attempt in run.attempts] == [("FAILED", "no convergence")] * 2


def test_a_returned_cancelled_state(ledger: Ledger) -> None:
    """A run whose flow returns that it was cancelled is CANCELLED, with the reason that the state has: Prefect calls no hook for it."""

    @tracked_flow
    def gave_up() -> State[Any]:
        return Cancelled(message="no data today")

    gave_up(return_state=True)
    check(the_run("gave-up"), "CANCELLED", "no data today")


def test_refused_parameters(ledger: Ledger) -> None:
    """A run whose body never began, because of its parameters, is FAILED and says which."""

    @tracked_flow
    def strict(depth: int) -> None: ...

    with pytest.raises(ParameterTypeError):
        strict("deep")  # type: ignore[call-overload]
    check(the_run("strict"), "FAILED", "depth")


def test_a_timeout(ledger: Ledger) -> None:
    """A run that takes too long is FAILED and says so."""

    @tracked_flow(timeout_seconds=0.1)
    def slow() -> None:
        for _ in range(600):
            time.sleep(0.05)

    state: State[Any] = slow(return_state=True)
    assert state.name == "TimedOut"
    check(the_run("slow"), "FAILED", "timeout")


def test_a_system_exit(ledger: Ledger) -> None:
    """A run whose code leaves the program is CRASHED, with the code that it was left with."""

    @tracked_flow
    def leaving() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        leaving()
    run = the_run("leaving")
    check(run, "CRASHED", "")
    assert run.attempts[0].exception["type"].endswith("SystemExit")
    assert run.attempts[0].exception["message"] == "3"


# --- told by others -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fates(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Runs of deployments and scripts, every one ended in its own way, and one reconcile here and on another machine."""
    with stage(tmp_path_factory.mktemp("fates")) as here:
        here.play(
            plots.killed(here, "killed while served", "waits/served", signal.SIGKILL),
            plots.killed(here, "terminated while served", "waits/served", signal.SIGTERM),
            plots.cancelled(here),
            plots.refused(here),
            plots.suspended_for_good(here),
            plots.script(here, "script killed", "flow", signal.SIGKILL),
            plots.script(here, "script terminated", "flow", signal.SIGTERM),
            plots.script(here, "bare script killed", "bare", signal.SIGKILL),
            plots.worker_killed(here),
        )
        here.before = {name: found for name in here.runs if (found := _found(here, name)) is not None}
        done = here.command("reconcile", "--json", "--silence", "0")
        assert done.returncode == 0, done.stderr
        yield here


def _found(here: Stage, name: str) -> Run | None:
    """The run as the store has it; None where it was killed before anything was drained, and nobody has looked after it yet."""
    try:
        return here.run(name)
    except RunNotFound:
        return None


FATES = [
    ("killed while served", "CRASHED", "status code: -9", "itself"),
    ("terminated while served", "CRASHED", "termination signal", "itself"),
    ("cancelled", "CANCELLED", "cancelled", "itself"),
    ("refused", "FAILED", "depth", "itself"),
    ("killed under a worker", "CRASHED", "-9", "itself"),
    ("script terminated", "CRASHED", "termination signal", "any"),
    ("suspended", "FAILED", "never resumed", "reconcile"),
    ("script killed", "CRASHED", "killed", "any"),
    ("bare script killed", "CRASHED", "killed", "any"),
    ("worker killed", "CRASHED", "not heard of", "reconcile"),
]


@pytest.mark.parametrize(("name", "status", "reason", "by"), FATES, ids=[fate[0].replace(" ", "-") for fate in FATES])
def test_a_run_that_others_end(fates: Stage, name: str, status: str, reason: str, by: str) -> None:
    """Each run ends in the right state with the reason; where no process could know, reconcile says it."""
    run, before = fates.run(name), fates.before.get(name)
    assert (run.status, run.ended_at is not None) == (status, True), run.status_reason
    assert reason in run.status_reason
    if by != "any":  # a journal that its process did not drain to the end is found by whichever process of the ledger looks next
        assert (before is not None and before.status.final) is (by == "itself")
    if before is not None and before.status.final:  # Prefect's own word of the same end may come later, and say it otherwise
        assert dataclasses.replace(run, status_reason=before.status_reason, ended_at=before.ended_at) == before


def test_prefect_and_the_ledger_agree(fates: Stage) -> None:
    """After reconcile each run is in the state that Prefect has it in, but for those whose end Prefect was never told."""
    unheard = {"script killed", "worker killed", "bare script killed"}
    for name, run in fates.runs.items():
        if name not in unheard:
            assert str(fates.flow_run(run).state_type) == f"StateType.{fates.run(name).status}", name


def test_again_and_elsewhere(fates: Stage) -> None:
    """A second reconcile, on another machine, changes nothing."""
    before = {name: fates.run(name) for name in fates.runs}
    done = fates.command("reconcile", "--json", "--silence", "0", machine="elsewhere")
    assert json.loads(done.stdout)["changes"] == []
    assert {name: fates.run(name) for name in fates.runs} == before


def test_what_was_logged_is_kept(fates: Stage) -> None:
    """What a run logged before it died is there, however it died."""
    for name in ("killed while served", "cancelled", "script killed", "bare script killed"):
        assert fates.run(name).metrics == {"loss": 0.5}, name
