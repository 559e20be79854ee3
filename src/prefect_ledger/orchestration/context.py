"""Floor 6. Which run this code works for, as Prefect's contexts tell it: in threads, in task runners' processes, on other machines.

The run of a flow has one handle in the flow's own process, kept here from the body's start to Prefect's final state. Elsewhere a task
finds its run by the flow run's id, and what the flow knows beyond that (its experiment, its store) has travelled with the flow object.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.context import FlowRunContext, TaskRunContext
from prefect.flows import Flow
from prefect.tasks import Task

from prefect_ledger.masking import mask_name, mask_text
from prefect_ledger.names import fitted_name
from prefect_ledger.orchestration.options import Options, options_of
from prefect_ledger.settings import PREFIX, Settings
from prefect_ledger.tracking.ledger import Ledger, ledger
from prefect_ledger.tracking.runs import ActiveRun

_LUGGAGE = "_prefect_ledger_luggage"
_REMEMBERED = 1_000
_WITH_FLOW = ("store_url", "artifact_root", "block", "mode")

open_runs: dict[str, ActiveRun] = {}  # runs whose body began in this process and that have no final state yet
working: set[ActiveRun] = set()  # handles of tracked task bodies that run now
resumptions: dict[str, int] = {}  # by how much a run's attempts are ahead of Prefect's count, which leaves resumptions out
# Tags of the flow run that begins next below the run of this id: a trial has them from its first moment, also when it is killed.
child_tags: ContextVar[tuple[str, Mapping[str, str]] | None] = ContextVar("prefect_ledger_child_tags", default=None)
_tasks: dict[UUID, ActiveRun] = {}
_mutex = threading.Lock()


@dataclass(frozen=True)
class Luggage:
    """What a flow object carries to the processes of its tasks: experiments of runs that joined their parent's, where values go,
    and how often runs were resumed."""

    experiments: dict[str, str]
    settings: dict[str, str]
    resumptions: dict[str, int] = field(default_factory=dict)


def silent() -> bool:
    """Whether nothing is recorded here: as the settings of this process say, or those of the one that submitted this task to it."""
    here = FlowRunContext.get()
    if here is not None and here.detached and here.flow is not None:
        if _is_silent(here.flow):
            return True
        unpack(here.flow)
    return ledger().silent


def _is_silent(flow: Flow[..., Any]) -> bool:
    """Whether ``flow`` was sent here by a process in which nothing is recorded. It holds for this flow: a worker serves others too."""
    luggage: Luggage | None = vars(flow).get(_LUGGAGE)
    return luggage is not None and luggage.settings.get("mode") == "disabled"


@functools.cache
def _nobody() -> Ledger:
    from prefect_ledger.tracking.silent import SilentLedger

    return SilentLedger(Settings.resolve(mode="disabled"))


def resolve() -> ActiveRun | None:
    """The run that Prefect is running here, if it is tracked: asked when no run was entered in this context."""
    task = TaskRunContext.get()
    if task is not None:
        return _known_task(task.task_run)
    flow = FlowRunContext.get()
    if flow is not None and flow.flow_run is not None:
        return run_of_flow(flow.flow_run, flow.flow)
    return open_runs.get(os.environ.get("PREFECT__FLOW_RUN_ID", ""))


def _known_task(task_run: TaskRun) -> ActiveRun | None:
    """As :func:`run_of_task`, remembered: a loop that logs in a task which is not tracked asks at every point."""
    known = _tasks.get(task_run.id)
    place = (task_run.flow_run_run_count + resumptions.get(str(task_run.flow_run_id), 0), task_run.run_count)
    if known is not None and (known.attempt, known.try_number) == place and not known.finished:
        return known
    run = run_of_task(task_run)
    if run is not None:
        if len(_tasks) >= _REMEMBERED:
            _tasks.clear()
        _tasks[task_run.id] = run
    return run


def run_of_task(task_run: TaskRun) -> ActiveRun | None:
    """The handle for this try of a task run, in the run of its flow; None when the flow is not tracked."""
    flow = FlowRunContext.get()
    if flow is None or flow.flow_run is None or flow.flow_run.id != task_run.flow_run_id:
        run = open_runs.get(str(task_run.flow_run_id))
    else:
        run = run_of_flow(flow.flow_run, flow.flow, attempt=task_run.flow_run_run_count)
    return run.for_task(str(task_run.id), max(1, task_run.run_count)) if run is not None else None


def run_of_flow(flow_run: FlowRun, flow: Flow[..., Any] | None, *, attempt: int = 0) -> ActiveRun | None:
    """The handle of a flow run: the one open in this process, else one that works for it from here; None when it is not tracked."""
    run_id = str(flow_run.id)
    attempt = max(1, attempt or flow_run.run_count) + _resumed(run_id, flow)
    run = open_runs.get(run_id)
    if run is not None and run.attempt == attempt:
        return run
    options = options_of(flow)
    if options is None:
        return None
    assert flow is not None
    here = FlowRunContext.get()
    if here is not None and here.detached:
        if _is_silent(flow):
            return _nobody().enter(run_id, attempt=attempt, name=flow_run.name)
        unpack(flow)
    return ledger().enter(run_id, attempt=attempt, experiment=experiment_of(flow_run, flow, options), name=flow_run.name, owner=False)


def _resumed(run_id: str, flow: Flow[..., Any] | None) -> int:
    if run_id not in resumptions and flow is not None and _LUGGAGE in vars(flow):
        luggage: Luggage = vars(flow)[_LUGGAGE]
        return luggage.resumptions.get(run_id, 0)
    return resumptions.get(run_id, 0)


def experiment_of(flow_run: FlowRun, flow: Flow[..., Any], options: Options) -> str:
    """The experiment of a run, as far as it can be told without its parent: the one named, the one joined, the flow's name."""
    luggage: Luggage | None = vars(flow).get(_LUGGAGE)
    joined = luggage.experiments.get(str(flow_run.id)) if luggage is not None else None
    return options.experiment or joined or named_after(flow)


def named_after(decorated: Flow[..., Any] | Task[..., Any]) -> str:
    """The experiment that has a flow's or a task's name: as Prefect takes it, but for what no experiment's name may have."""
    return fitted_name(mask_name(decorated.name))


def pack(flow: Flow[..., Any], run: ActiveRun) -> None:
    """Have ``flow`` carry what the processes of its tasks need to know of ``run``. No password travels."""
    settings = ledger().settings
    told = any(settings.origin.get(name) != "default" for name in ("home", "journal_root", *_WITH_FLOW))
    given = settings.travelling() if told else {}
    if any(mask_text(value) != value for value in given.values()):
        given = {}
    joined = {} if run.experiment == named_after(flow) else {run.id: run.experiment}
    resumed = {run.id: resumptions[run.id]} if resumptions.get(run.id) else {}
    if not joined and not given and not resumed and _LUGGAGE not in vars(flow):
        return
    with _mutex:
        before: Luggage | None = vars(flow).get(_LUGGAGE)
        # Replaced, never changed: another thread may be pickling it.
        vars(flow)[_LUGGAGE] = Luggage(
            {**(before.experiments if before else {}), **joined}, given, {**(before.resumptions if before else {}), **resumed}
        )


def pack_silence(flow: Flow[..., Any]) -> None:
    """Have ``flow`` tell the processes of its tasks that nothing is recorded."""
    with _mutex:
        vars(flow)[_LUGGAGE] = Luggage({}, {"mode": ledger().settings.mode})


def unload(flow: Flow[..., Any], run_id: str) -> None:
    """The run is over: its entry need not travel any more."""
    with _mutex:
        before: Luggage | None = vars(flow).get(_LUGGAGE)
        if before is not None and (run_id in before.experiments or run_id in before.resumptions):
            rest = {known: name for known, name in before.experiments.items() if known != run_id}
            others = {known: number for known, number in before.resumptions.items() if known != run_id}
            vars(flow)[_LUGGAGE] = Luggage(rest, before.settings, others)


def unpack(flow: Flow[..., Any]) -> None:
    """Let what was set for the flow's process hold in this one too, where nothing else was said."""
    luggage: Luggage | None = vars(flow).get(_LUGGAGE)
    for name, value in luggage.settings.items() if luggage is not None else ():
        os.environ.setdefault(f"{PREFIX}{name.upper()}", value)
