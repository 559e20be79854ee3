"""A stage on which runs meet their fates, all at once: served flows, a worker's, scripts; one server, one store.

The runs of a test session are started together and waited for together, because each is a process that takes seconds to be there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import AwaitingRetry, Cancelling

from prefect_ledger.database import Database, rows
from prefect_ledger.entities import Run, RunStatus
from prefect_ledger.queries import Reader
from tests.services_real import runners
from tests.services_real.processes import dies_with_us, start, stop

FILE = Path(__file__).parent / "fates.py"
POOL = "fates"
Steps = Generator[Callable[[], object], None, None]
"""What a fate waits for, one thing after the other; what it does stands between."""


@dataclass
class Stage:
    """Where runs are started, and what is known of them; ``runs`` has their ids by the name of their fate."""

    folder: Path
    client: SyncPrefectClient
    store_url: str
    serving: subprocess.Popen[bytes] = field(init=False)
    worker: subprocess.Popen[bytes] = field(init=False)
    runs: dict[str, str] = field(default_factory=dict)
    before: dict[str, Run] = field(default_factory=dict)  # as the ledger had them before it was reconciled
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def environment(self, machine: str = "here") -> dict[str, str]:
        """The environment of a process on this or another machine: machines share the store, and not the folder of journals."""
        home = self.folder / machine
        return {**os.environ, "PREFECT_LEDGER_STORE_URL": self.store_url, "PREFECT_LEDGER_HOME": str(home), "DO_NOT_TRACK": "1"}

    def deployed(self, name: str, deployment: str, *, machine: str | None = None, **parameters: Any) -> str:
        """Start a run of a deployment, by a worker on another ``machine`` if one is named; returns its id."""
        found = self.client.read_deployment_by_name(deployment)
        more = None if machine is None else {"env": {"PREFECT_LEDGER_HOME": str(self.folder / machine)}}
        run = str(self.client.create_flow_run_from_deployment(found.id, parameters=parameters, job_variables=more).id)
        self.runs[name] = run
        return run

    def script(self, how: str) -> subprocess.Popen[bytes]:
        """Start the file as a script."""
        marks = self.folder / f"script-{len(self.children)}"
        marks.mkdir()
        command = [*dies_with_us(), sys.executable, str(FILE), how, str(marks)]
        child = start(command, self.folder / f"{marks.name}.log", env=self.environment(), cwd=self.folder)
        self.children.append(child)
        return child

    def script_run(self, child: subprocess.Popen[bytes], name: str) -> str:
        """The id of the run that a script began, "" as long as it did not."""
        marks = self.folder / f"script-{self.children.index(child)}"
        found = [path.name for path in marks.iterdir() if not path.name.startswith(".")]
        self.runs |= {name: found[0]} if found else {}
        return found[0] if found else ""

    def pid(self, run: str) -> int:
        """The process in which a run waits; 0 as long as it does not."""
        path = self.folder / run
        return int(path.read_text(encoding="ascii")) if path.exists() else 0

    def flow_run(self, run: str) -> FlowRun:
        """A run as Prefect has it now."""
        return self.client.read_flow_run(UUID(run))

    def is_in(self, run: str, *types: StateType) -> bool:
        """Whether Prefect has the run in one of these states."""
        return self.flow_run(run).state_type in types

    def has_ended(self, run: str) -> bool:
        """Whether Prefect knows that the run ended."""
        state = self.flow_run(run).state
        return state is not None and state.is_final()

    def is_settled(self, run: str) -> bool:
        """Whether the ledger knows how the run ended, and does not guess: those who say so do it after they told Prefect."""
        with self._database.read() as tx:
            found = rows(tx, "SELECT status, provisional FROM runs WHERE id = ?", [run])
        return bool(found) and RunStatus(found[0][0]).final and not found[0][1]

    def command(self, *words: str, machine: str = "here") -> subprocess.CompletedProcess[str]:
        """``prefect-ledger`` with these words."""
        command = [sys.executable, "-m", "prefect_ledger.cli", *words]
        return subprocess.run(
            command, env=self.environment(machine), cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )

    def run(self, name: str) -> Run:
        """The run of a fate, as the ledger has it."""
        return self.reader.run(self.runs[name])

    @property
    def reader(self) -> Reader:
        """Reading access to the store."""
        return Reader(self._database)

    def __post_init__(self) -> None:
        self._database = Database(self.store_url)

    def play(self, *plots: Steps, seconds: float = 240) -> None:
        """Let all of these happen side by side.

        Raises:
            RuntimeError: one does not come to its end; the message has the logs.
        """
        waiting = {plot: next(plot) for plot in plots}
        deadline = time.monotonic() + seconds
        while waiting:
            for plot, condition in list(waiting.items()):
                if not condition():
                    continue
                following = next(plot, None)
                if following is None:
                    del waiting[plot]
                else:
                    waiting[plot] = following
            if waiting and time.monotonic() > deadline:
                logs = "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in self.folder.glob("*.log"))
                late = [getattr(plot, "__name__", "") for plot in waiting]
                raise RuntimeError(f"still waiting: {late}; runs {self.runs}\n{logs}")
            time.sleep(0.2)


@contextlib.contextmanager
def stage(folder: Path, *, at_work: bool = True) -> Iterator[Stage]:
    """A stage with a serving process and a worker on "another machine"; whatever was started is gone afterwards."""
    with get_client(sync_client=True) as client, contextlib.ExitStack() as stack:
        here = Stage(folder, client, f"sqlite:///{folder / 'ledger.db'}")
        stack.callback(here._database.close)
        stack.callback(_end_all, here)
        here.serving = stack.enter_context(runners.serving(FILE, folder, **here.environment()))
        if at_work:
            with contextlib.suppress(Exception):  # there already, from another stage
                client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
            here.worker = stack.enter_context(runners.worker(POOL, folder, **here.environment("there")))
            flow: Any = Flow.from_source(source=str(FILE.parent), entrypoint=f"{FILE.name}:waits")
            flow.to_deployment("worked", work_pool_name=POOL).apply()
        runners.until(lambda: _served(client), here.serving, folder / "serving.log")
        yield here


def _served(client: SyncPrefectClient) -> bool:
    try:
        return all(client.read_deployment_by_name(f"{flow}/served") for flow in ("waits", "strict", "suspends", "fails-at-first"))
    except ObjectNotFound:
        return False


def _end_all(here: Stage) -> None:
    for child in here.children:
        stop(child, signal.SIGKILL)
    for path in here.folder.iterdir():
        if len(path.name) == 36 and path.is_file():
            with contextlib.suppress(ProcessLookupError, ValueError):
                pid = int(path.read_text(encoding="ascii"))
                if str(FILE.name) in _command(pid) or "prefect" in _command(pid):
                    os.kill(pid, signal.SIGKILL)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


# --- fates ----------------------------------------------------------------------------------------------------------


def killed(here: Stage, name: str, deployment: str, signum: signal.Signals) -> Steps:
    """The run's process gets a signal."""
    run = here.deployed(name, deployment, folder=str(here.folder))
    yield lambda: here.pid(run)
    os.kill(here.pid(run), signum)
    yield lambda: here.has_ended(run) and here.is_settled(run)


def cancelled(here: Stage) -> Steps:
    """Somebody cancels the run."""
    run = here.deployed("cancelled", "waits/served", folder=str(here.folder))
    yield lambda: here.pid(run)
    here.client.set_flow_run_state(UUID(run), Cancelling())
    yield lambda: here.has_ended(run) and here.is_settled(run)


def refused(here: Stage) -> Steps:
    """A deployment is started with parameters that the flow does not take."""
    run = here.deployed("refused", "strict/served", depth="deep")
    yield lambda: here.has_ended(run) and here.is_settled(run)


def script(here: Stage, name: str, how: str, signum: signal.Signals) -> Steps:
    """A script gets a signal."""
    child = here.script(how)
    yield lambda: here.script_run(child, name)
    child.send_signal(signum)
    yield lambda: child.poll() is not None


def suspended_for_good(here: Stage) -> Steps:
    """Nobody resumes the run in time."""
    run = here.deployed("suspended", "suspends/served", timeout=2)
    yield lambda: here.has_ended(run)


def resumed(here: Stage) -> Steps:
    """Somebody resumes the run."""
    run = here.deployed("resumed", "suspends/served", timeout=600)
    yield lambda: here.is_in(run, StateType.PAUSED)
    here.client.resume_flow_run(UUID(run))
    yield lambda: here.has_ended(run) and here.is_settled(run)


def asked_again(here: Stage) -> Steps:
    """The run fails, by itself twice, and somebody asks for another attempt."""
    run = here.deployed("retried", "fails-at-first/served")
    yield lambda: here.is_in(run, StateType.FAILED)
    here.client.set_flow_run_state(UUID(run), AwaitingRetry())
    yield lambda: here.is_in(run, StateType.COMPLETED) and here.run("retried").status == "COMPLETED"


def worker_killed(here: Stage) -> Steps:
    """The worker is killed, and the run with it; before that, one of its runs was killed alone."""
    alone = here.deployed("killed under a worker", "waits/worked", folder=str(here.folder))
    both = here.deployed("worker killed", "waits/worked", machine="lost", folder=str(here.folder))
    yield lambda: here.pid(alone) and here.pid(both)
    os.kill(here.pid(alone), signal.SIGKILL)
    yield lambda: here.has_ended(alone) and here.is_settled(alone)  # a third process says so
    here.worker.kill()
    os.kill(here.pid(both), signal.SIGKILL)
    yield lambda: here.worker.poll() is not None
