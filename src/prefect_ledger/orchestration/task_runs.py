"""Floor 6. A task run as a step of its flow's run; outside any tracked flow, as a run of its own.

The body sees the start, each try and each exception; Prefect's hooks say the final state, also that of a task whose result came from
the cache and whose body never ran.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext, TaskRunContext
from prefect.exceptions import Abort, Pause
from prefect.tasks import Task

from prefect_ledger.events import TaskRunSeen
from prefect_ledger.orchestration import cards, surroundings
from prefect_ledger.orchestration.bodies import Function, log_returned, user_function
from prefect_ledger.orchestration.context import named_after, open_runs, run_of_task, silent, working
from prefect_ledger.orchestration.flow_runs import DRAIN_SECONDS, described, error_of
from prefect_ledger.orchestration.guard import quietly
from prefect_ledger.orchestration.options import Options, options_of
from prefect_ledger.orchestration.results import CACHED, result_seen
from prefect_ledger.tracking.context import current
from prefect_ledger.tracking.ledger import ledger
from prefect_ledger.tracking.measured import done
from prefect_ledger.tracking.runs import ActiveRun, now

_STATE = 32  # characters of a state's name that are kept
IMPATIENCE = 0.1  # seconds for a store that did not answer last time
_patience = DRAIN_SECONDS


class TaskVisit:
    """One try of a tracked task's body, as a step of a run."""

    def __init__(self, task_run: TaskRun, fn: Function, options: Options, run: ActiveRun) -> None:
        self.task_run, self.fn, self.options, self.run = task_run, fn, options, run
        working.add(run)
        self.seen("Running")

    @property
    def own(self) -> bool:
        """Whether the task is a run of its own."""
        return self.run.id == str(self.task_run.id)

    def returned(self, value: Any) -> None:
        """Log what the return annotation asks for. The final state is Prefect's to say."""
        working.discard(self.run)
        if self.options.log_returns:
            _log_returned(self.run, self.fn, value)

    def raised(self, error: BaseException) -> None:
        """Record how this try ended; Prefect may begin another."""
        working.discard(self.run)
        self._note_error(error)

    def instead(self, error: BaseException) -> None:
        """Nothing: whether the run ends for it is its flow's matter."""

    @quietly
    def seen(self, state: str, error: BaseException | None = None) -> None:
        """Say in which state the task run is."""
        if not self.own:
            self.run.say(task_run_seen(self.run, self.task_run, state, error))

    @quietly
    def _note_error(self, error: BaseException) -> None:
        if isinstance(error, GeneratorExit):
            return
        broken_off = not isinstance(error, Exception)
        state = "Paused" if isinstance(error, Pause | Abort) else "Crashed" if broken_off else "Failed"
        self.seen(state, error)
        if not self.own or isinstance(error, Pause | Abort):
            return
        reason = f"{type(error).__name__}: {error}"
        if broken_off:  # Prefect has no hook for a task that crashed
            open_runs.pop(self.run.id, None)
            self.run.finish("CRASHED", reason=reason, exception=described(error))
        else:
            self.run.status_seen("FAILED", reason=reason, provisional=True, exception=described(error))


def begin(fn: Function) -> TaskVisit | None:
    """The visit of this call of ``fn``; None when it is not Prefect that calls it for a task run, such as ``task.fn()``."""
    context = TaskRunContext.get()
    if context is None or user_function(context.task.fn) is not fn or silent():
        return None
    task_run, options = context.task_run, options_of(context.task)
    here = current()
    if options is None or (here is not None and _is_for(here, task_run)):
        return None
    run = _run_for(context.task, task_run, options, parameters=context.parameters)
    return TaskVisit(task_run, fn, options, run)


def _is_for(run: ActiveRun, task_run: TaskRun) -> bool:
    """Whether ``run`` is the handle of this try of the task run, as a step or as a run of its own."""
    place = (str(task_run.id), max(1, task_run.run_count))
    return place in ((run.task_run_id, run.try_number), (run.id, run.attempt))


def _run_for(task: Task[..., Any], task_run: TaskRun, options: Options, *, parameters: dict[str, Any] | None = None) -> ActiveRun:
    """The handle for this try: in its flow's run, else in the run entered around it, else in a run of its own."""
    run = run_of_task(task_run)
    if run is not None:
        return run
    around = current()
    if around is not None and not around.finished:
        return around.for_task(str(task_run.id), max(1, task_run.run_count))
    return _open_own(task, task_run, options, parameters)


def _open_own(task: Task[..., Any], task_run: TaskRun, options: Options, parameters: dict[str, Any] | None) -> ActiveRun:
    run_id, attempt = str(task_run.id), max(1, task_run.run_count)
    run = ledger().enter(
        run_id, attempt=attempt, experiment=options.experiment or named_after(task), name=task_run.name or task.name, kind="task"
    )
    before, open_runs[run_id] = open_runs.get(run_id), run
    if parameters is not None and options.log_params:
        _log_params(run, parameters)
    if before is None and options.capture:
        _observe(run, user_function(task.fn))
    elif before is not None and before is not run:
        ledger().ended(before)
    return run


@quietly
def _log_params(run: ActiveRun, parameters: dict[str, Any]) -> None:
    run.log_auto_params({name: value for name, value in parameters.items() if name not in ("self", "cls")})


@quietly
def _observe(run: ActiveRun, function: Function) -> None:
    surroundings.observe_task_run(run, function)


@quietly
def _log_returned(run: ActiveRun, fn: Function, value: Any) -> None:
    log_returned(run, fn, value, is_flow=False)


def task_run_seen(run: ActiveRun, task_run: TaskRun, state: str, error: BaseException | None = None, *, final: bool = False) -> TaskRunSeen:
    """The event for a task run in ``state``, now."""
    at = now()
    ended = at if final or error is not None else None
    return TaskRunSeen(
        run.id,
        at,
        id=str(task_run.id),
        name=task_run.name or "",
        state=state[:_STATE],
        attempt=run.attempt,
        tries=max(1, task_run.run_count),
        cached=state == CACHED,
        started=_micros(task_run.start_time) or at,
        ended=_micros(task_run.end_time) or ended if final else ended,
        exception=described(error) or {},
        parent=_caller(run, task_run),
    )


def _caller(run: ActiveRun, task_run: TaskRun) -> str:
    """The task run whose body called this one, as far as it can be told from here."""
    here, own = current(), str(task_run.id)
    if here is not None and here.id == run.id:
        return "" if here.task_run_id == own else here.task_run_id
    parents = task_run.task_inputs.get("__parents__") or ()  # in another process; several where generators are open
    return str(next(iter(parents)).id) if len(parents) == 1 else ""  # type: ignore[union-attr]  # all are task runs


def _waited(task_run: TaskRun) -> int:
    """µs from when the task run was submitted until it began; its id tells when, where Prefect made one that begins with a time."""
    made = (task_run.id.int >> 80) * 1000 if task_run.id.version == 7 else _micros(task_run.expected_start_time)
    began = _micros(task_run.start_time)
    return max(0, began - made) if made is not None and began is not None else 0


def _micros(when: datetime | None) -> int | None:
    return int(when.timestamp() * 1_000_000) if when is not None else None


# --- hooks --------------------------------------------------------------------------------------------------------------


def ledger_on_completion(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> None:
    """The task completed, or its result was in the cache."""
    _settle(task, task_run, state, "COMPLETED")


def ledger_on_failure(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> None:
    """The last try failed."""
    _settle(task, task_run, state, "FAILED")


HOOKS = {"on_completion": ledger_on_completion, "on_failure": ledger_on_failure}


@quietly
def _settle(task: Task[..., Any], task_run: TaskRun, state: State[Any], status: str) -> None:
    """Say the final state of a task run; elsewhere than in the flow's process, see that everything said here is in the store."""
    options = options_of(task) or Options()
    run = _run_for(task, task_run, options)
    error = error_of(state) if status == "FAILED" else None
    if status == "COMPLETED" and (result := result_seen(run, task, task_run, state)) is not None:
        run.say(result)
    if run.id == str(task_run.id):
        open_runs.pop(run.id, None)
        reason = "taken from the cache" if state.name == CACHED else "" if error is None else state.message or ""
        run.finish(status, reason=reason, exception=described(error))
    else:
        run.say(task_run_seen(run, task_run, state.name or state.type.value.title(), error, final=True))
        done(run, waited=_waited(task_run))
    flow = FlowRunContext.get()
    if flow is not None and flow.detached:
        _drain()


def _drain() -> None:
    """Have the store take what was said here: a pool's process may be ended without a word. While the store is away, hardly wait."""
    global _patience
    _patience = DRAIN_SECONDS if ledger().flush(_patience) == 0 else IMPATIENCE
    cards.finish()  # of flows that the task called
