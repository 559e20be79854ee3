"""Floor 6. Under which circumstances a flow run was started, found out beside the run: nobody waits for git or the API."""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import functools
import inspect
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.flows import Flow

from prefect_ledger.events import RunStarted
from prefect_ledger.orchestration.bodies import user_function
from prefect_ledger.orchestration.guard import quietly
from prefect_ledger.tracking.ledger import ledger
from prefect_ledger.tracking.runs import ActiveRun
from prefect_ledger.tracking.surroundings import describe

EXIT_SECONDS = 5.0
_ENTRY = 64_000  # characters of parameters that are kept as what was started
HEAD_START = 0.02  # seconds that the flow goes ahead


class Beside:
    """One thread that works things off in the background; handing it something does not wait for the thread to be there."""

    def __init__(self, name: str) -> None:
        self._name, self._pid = name, 0
        self._jobs: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]] = queue.SimpleQueue()
        self._last = threading.Event()  # set when the job handed over last is done

    def do(self, work: Callable[..., None], *args: Any) -> None:
        """Have ``work(*args)`` done, with this context's settings."""
        if self._pid != os.getpid():  # a forked child has the object and not the thread
            self._pid, self._jobs = os.getpid(), queue.SimpleQueue()
            atexit.register(self.finish)  # runs before the ledger is closed: that was registered when the run began
            threading.Thread(target=self._run, args=(self._jobs,), name=self._name, daemon=True).start()
        self._last = done = threading.Event()
        self._jobs.put((functools.partial(contextvars.copy_context().run, work, *args), done))

    @property
    def waiting(self) -> int:
        """How many jobs are not begun."""
        return self._jobs.qsize()

    def finish(self, seconds: float = EXIT_SECONDS) -> None:
        """Wait until everything handed over so far is done; not at all when it is."""
        if self._pid == os.getpid():
            self._last.wait(seconds)

    @staticmethod
    def _run(jobs: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]]) -> None:
        while True:
            job, done = jobs.get()
            if jobs.empty():
                time.sleep(HEAD_START)  # else this thread would keep the interpreter while the flow waits to begin
            with contextlib.suppress(Exception):  # said already, as a warning; where warnings are errors, the next job wants its turn
                job()
            done.set()


_looking, _asking = Beside("prefect-ledger-capture"), Beside("prefect-ledger-api")


def finish() -> None:
    """Wait until the surroundings of all runs that began here are recorded."""
    _looking.finish()


def observe_flow_run(run: ActiveRun, flow: Flow[..., Any], flow_run: FlowRun, *, capture: bool, orphan: bool) -> None:
    """Record the surroundings in the background. ``orphan``: Prefect knows a parent of this run and we do not yet."""
    if flow_run.tags:
        run.set_tags({"prefect.tags": ", ".join(sorted(flow_run.tags))})
    deployed = capture and flow_run.deployment_id is not None
    name = os.environ.get("PREFECT__DEPLOYMENT_NAME") if deployed else None
    if capture:
        facts = {"prefect": prefect_facts(flow, flow_run), "deployment": name, "entry": entry_of_flow(flow, flow_run)}
        _looking.do(_describe, run, user_function(flow.fn), {key: value for key, value in facts.items() if value})
    unnamed = deployed and name is None
    if unnamed or orphan:
        _asking.do(_ask_api, run, flow_run.deployment_id if unnamed else None, flow_run.parent_task_run_id if orphan else None)


def observe_task_run(run: ActiveRun, function: Callable[..., Any]) -> None:
    """The same for a task run that is a run of its own."""
    _looking.do(_describe, run, function, {})


def prefect_facts(flow: Flow[..., Any], flow_run: FlowRun) -> dict[str, Any]:
    """What Prefect says about the run, without asking its API."""
    facts = {
        "flow": flow.name,
        "flow_version": flow.version,
        "flow_run": flow_run.name,
        "tags": sorted(flow_run.tags),
        "entrypoint": flow._entrypoint,
        "deployment_id": flow_run.deployment_id,
        "deployment_version": flow_run.deployment_version,
        "work_pool": flow_run.work_pool_name,
        "work_queue": flow_run.work_queue_name,
        "scheduled": flow_run.auto_scheduled or None,
        "created_by": flow_run.created_by.display_value if flow_run.created_by is not None else None,
    }
    return {name: str(value) if isinstance(value, UUID) else value for name, value in facts.items() if value not in (None, [])}


def entry_of_flow(flow: Flow[..., Any], flow_run: FlowRun) -> dict[str, Any]:
    """What was started: where the flow's function is, and the parameters as Prefect has them; ``unkept`` are those that it has not."""
    from prefect_ledger import capture

    context, found = FlowRunContext.get(), dict(flow_run.parameters or {})
    real = (context.parameters or {}) if context is not None else {}
    # What Prefect cannot write as JSON it replaces by its type's name.
    unkept = sorted(name for name, value in real.items() if found.get(name) == f"<{type(value).__name__}>" and not isinstance(value, str))
    function = user_function(flow.fn)
    where = {"module": _module(function), "function": getattr(function, "__qualname__", "")}
    entry = {"kind": "flow", **capture.source(function), **where, "parameters": {name: found[name] for name in found if name not in unkept}}
    if len(json.dumps(entry, default=str)) > _ENTRY:
        entry, unkept = {**entry, "parameters": {}}, sorted({*found, *unkept})
    return {**entry, "unkept": unkept} if unkept else entry


def _module(function: Callable[..., Any]) -> str:
    """The name that a function's module is imported by, also where it is the program (``python -m``)."""
    name: str = getattr(function, "__module__", None) or ""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None) if name == "__main__" else None
    return name if spec is None else spec.name


@quietly
def _describe(run: ActiveRun, function: Callable[..., Any], facts: dict[str, Any]) -> None:
    describe(run, _folder(function), ledger().settings, facts)


@quietly
def _ask_api(run: ActiveRun, deployment: UUID | None, parent_task_run: UUID | None) -> None:
    """The deployment's name; and the run whose task run stands for this one, when it was started by a flow elsewhere."""
    with get_client(sync_client=True) as client:
        if deployment is not None:
            run.describe({"deployment": client.read_deployment(deployment).name})
        if parent_task_run is not None:
            parent = client.read_task_run(parent_task_run).flow_run_id
            if parent is not None:
                run.say(started(run, parent=str(parent)))


def started(run: ActiveRun, *, parent: str | None) -> RunStarted:
    """The start of ``run`` said once more, with what was learnt since and the time it had: a later one would open an ended run again."""
    return RunStarted(
        run.id,
        run._shared.started,
        attempt=run.attempt,
        experiment=run.experiment,
        name=run.name,
        parent=parent,
        artifact_uri=run.artifact_uri,
    )


def _folder(function: Callable[..., Any]) -> Path:
    try:
        source = inspect.getsourcefile(function)
    except TypeError:
        source = None
    return Path(source).resolve().parent if source and Path(source).exists() else Path.cwd()
