"""Minutes in which runs of four workers are killed, cancelled and retried at random, and workers too: at the end the ledger agrees."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import Flow
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import AwaitingRetry, Cancelling

from prefect_ledger.entities import Run
from prefect_ledger.errors import RunNotFound
from prefect_ledger.orchestration.attempts import bodies_begun
from tests.orchestration.stage import FILE, Stage, stage
from tests.services_real import runners

SECONDS = float(os.environ.get("LEDGER_CHAOS_SECONDS", "600"))
WORKERS, AT_ONCE = 4, 6
POOL = "chaos"
DEEDS = {"nothing": 12.0, "kill": 3.0, "retry": 3.0, "cancel": 2.0, "terminate": 1.0, "kill worker": 0.4}  # twice a second


class Chaos:
    """Four machines with a worker each, and what is done to them."""

    def __init__(self, here: Stage, seed: int) -> None:
        self.here, self.random = here, random.Random(seed)
        self.stacks = [contextlib.ExitStack() for _ in range(WORKERS)]
        self.workers: list[subprocess.Popen[bytes]] = []
        self.runs: list[str] = []
        self.deeds: dict[str, int] = {}

    def begin(self) -> None:
        """Make the pool, the deployment and the workers."""
        self.here.client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        flow: Any = Flow.from_source(source=str(FILE.parent), entrypoint=f"{FILE.name}:toils")
        flow.to_deployment("chaos", work_pool_name=POOL).apply()
        self.workers = [self._worker(number) for number in range(WORKERS)]

    def _worker(self, number: int) -> subprocess.Popen[bytes]:
        environment = self.here.environment(f"machine-{number}")
        return self.stacks[number].enter_context(runners.worker(POOL, self.here.folder, **environment))

    def end(self) -> None:
        """Stop the workers."""
        for stack in self.stacks:
            stack.close()

    def step(self) -> None:
        """See that enough is going on, and do something to something."""
        states = {str(run.id): run for run in self.states()}
        active = [run for run, one in states.items() if one.state is not None and not one.state.is_final()]
        if len(active) < AT_ONCE:
            parameters: dict[str, Any] = {"seconds": self.random.uniform(1, 12), "fails": self.random.random() < 0.4}
            self.runs.append(self.here.deployed("last", "toils/chaos", folder=str(self.here.folder), **parameters))
        (deed,) = self.random.choices(list(DEEDS), list(DEEDS.values()))
        if getattr(self, f"_{deed.replace(' ', '_')}")(states, active):
            self.deeds[deed] = self.deeds.get(deed, 0) + 1

    def states(self) -> list[FlowRun]:
        """Every run, as Prefect has it."""
        return [self.here.flow_run(run) for run in self.runs]

    def _nothing(self, _states: dict[str, FlowRun], _active: list[str]) -> bool:
        return False

    def _signal(self, states: dict[str, FlowRun], active: list[str], signum: signal.Signals) -> bool:
        running = [run for run in active if states[run].state_type is StateType.RUNNING and self.here.pid(run)]
        if not running:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.here.pid(self.random.choice(running)), signum)
        return True

    def _kill(self, states: dict[str, FlowRun], active: list[str]) -> bool:
        return self._signal(states, active, signal.SIGKILL)

    def _terminate(self, states: dict[str, FlowRun], active: list[str]) -> bool:
        return self._signal(states, active, signal.SIGTERM)

    def _cancel(self, states: dict[str, FlowRun], active: list[str]) -> bool:
        begun = [run for run in active if states[run].state_type is StateType.RUNNING]
        if wanted := begun or self.random.sample(active, min(len(active), self.random.choice([0, 0, 1]))):
            self.here.client.set_flow_run_state(UUID(self.random.choice(wanted)), Cancelling())
        return bool(wanted)

    def _retry(self, states: dict[str, FlowRun], _active: list[str]) -> bool:
        ended = [run for run, one in states.items() if one.state_type in (StateType.FAILED, StateType.CRASHED)]
        if ended:
            self.here.client.set_flow_run_state(UUID(self.random.choice(ended)), AwaitingRetry())
        return bool(ended)

    def _kill_worker(self, _states: dict[str, FlowRun], _active: list[str]) -> bool:
        number = self.random.randrange(WORKERS)
        self.workers[number].kill()
        self.workers[number].wait()
        self.workers[number] = self._worker(number)
        return True

    def settle(self, seconds: float = 90) -> None:
        """Let what goes on come to its end; what does not is killed, and then nobody is there to say so."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and any(run.state is not None and not run.state.is_final() for run in self.states()):
            time.sleep(1)
        for run in self.states():
            if run.state is not None and not run.state.is_final() and (pid := self.here.pid(str(run.id))):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def chaos(prefect_server: str, tmp_path: Path) -> Iterator[Chaos]:
    with stage(tmp_path, at_work=False) as here:
        one = Chaos(here, seed=int(os.environ.get("LEDGER_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1 << 30))
        try:
            one.begin()
            yield one
        finally:
            one.end()


@pytest.mark.soak
def test_the_ledger_agrees_with_prefect_after_chaos(chaos: Chaos, capsys: pytest.CaptureFixture[str]) -> None:
    """Run by run the ledger has Prefect's state and attempts; what a call had logged is there once; nobody is left RUNNING."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        chaos.step()
        time.sleep(0.5)
    chaos.settle()
    time.sleep(5)  # hooks of the last ones run in processes of their own
    chaos.end()
    here = chaos.here
    for machine in [f"machine-{number}" for number in range(WORKERS)]:
        assert here.command("reconcile", machine=machine).returncode == 0
    assert here.command("reconcile", "--silence", "0", machine="elsewhere").returncode == 0
    wrong = [trouble for run in chaos.states() if (trouble := disagreement(here, run))]
    with capsys.disabled():
        counts = {
            status: len(here.reader.search_runs(filter=f"status = '{status}'"))
            for status in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
        }
        print(f"\n{len(chaos.runs)} runs, done to them {chaos.deeds}, in the ledger {counts}, seen wrong {len(wrong)}")
    assert not wrong, "\n".join(wrong)
    assert here.reader.search_runs(filter="status = 'RUNNING'") == []


def disagreement(here: Stage, flow_run: FlowRun) -> str:
    """What is wrong with a run; "" when nothing is."""
    name, state = str(flow_run.id), flow_run.state
    assert state is not None
    history = here.client.read_flow_run_states(flow_run.id)
    begun = bodies_begun(history)
    try:
        run = here.reader.run(name)
    except RunNotFound:
        return "" if begun == 0 else f"{name}: Prefect began it {begun} times and the ledger never heard of it"
    if state.is_final():
        expected = {state.type.value}
    elif state.type in (StateType.SCHEDULED, StateType.PENDING):  # asked again and never begun: the attempt before speaks
        expected = {"FAILED", "CRASHED"}
    else:
        expected = {"CANCELLED" if state.type is StateType.CANCELLING else "CRASHED"}
    if state.type is StateType.CANCELLED and (before := _ended_before_it_was_cancelled(history)):
        expected |= {before}
    if run.status not in expected:
        told = ", ".join(one.type.value for one in sorted(history, key=lambda one: one.timestamp))
        return f"{name}: {run.status} ({run.status_reason}), Prefect says {state.type.value} ({state.message}) after {told}"
    if not max((attempt.number for attempt in run.attempts), default=0) <= max(begun, 1):
        return f"{name}: {len(run.attempts)} attempts, Prefect began {begun}"
    return _loss(here, run)


def _ended_before_it_was_cancelled(history: list[State[Any]]) -> str:
    """How the attempt before ended where somebody asked for another and cancelled that before it began; "" else. Prefect tells nobody
    when that is over (its server gives it up after five minutes), so the attempt before speaks."""
    types = [one.type for one in sorted(history, key=lambda one: one.timestamp)]
    ends = [at for at, one in enumerate(types) if one in (StateType.FAILED, StateType.CRASHED)]
    return types[ends[-1]].value if ends and StateType.RUNNING not in types[ends[-1] :] else ""


def _loss(here: Stage, run: Run) -> str:
    """Whether an attempt misses values whose call had returned, or has one twice."""
    for path in here.folder.glob(f"logged-{run.id}-*"):
        text = path.read_text(encoding="ascii")
        attempt = int(path.name.rpartition("-")[2])
        if not text or text == "0":
            continue
        steps = run.metric("step", attempt=attempt).steps.tolist()
        if steps != list(range(len(steps))) or len(steps) < int(text):
            return f"{run.id}: attempt {attempt} has {len(steps)} of {text} points"
    return ""
