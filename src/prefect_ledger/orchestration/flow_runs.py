"""Floor 6. A flow run as a run of the ledger: begun by its body, ended by Prefect's state hooks.

The body sees parameters, returned values and exceptions, at every attempt. Only Prefect knows how a run ended: retries, timeouts and
returned states are decided after the body. So the body says what it saw, provisionally where it cannot know, and the hooks say the
last word. Hooks run in other processes too (a runner's, when the run's own was killed): they need only the flow run's id.
"""

from __future__ import annotations

from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.exceptions import ExternalSignal, Pause, PrefectSignal
from prefect.flows import Flow
from prefect.states import Cancelled

from prefect_ledger.entities import RunStatus
from prefect_ledger.errors import RunStopped
from prefect_ledger.events import RunStatusSeen
from prefect_ledger.orchestration import cards, surroundings
from prefect_ledger.orchestration.attempts import attempt_begun, attempts_seen
from prefect_ledger.orchestration.bodies import Function, log_returned, user_function
from prefect_ledger.orchestration.context import (
    child_tags,
    experiment_of,
    open_runs,
    pack,
    pack_silence,
    resolve,
    resumptions,
    silent,
    unload,
    working,
)
from prefect_ledger.orchestration.guard import quietly
from prefect_ledger.orchestration.options import Options, options_of
from prefect_ledger.tracking import given
from prefect_ledger.tracking.context import current
from prefect_ledger.tracking.ledger import ledger
from prefect_ledger.tracking.runs import ActiveRun, now

DRAIN_SECONDS = 10.0
# What leaves a body that will go on, or whose process is being ended: such an attempt is not shown.
_LEFT = (PrefectSignal, ExternalSignal, GeneratorExit, KeyboardInterrupt, SystemExit)

_inside: dict[str, FlowVisit] = {}  # bodies that run now
_parents: dict[str, ActiveRun | None] = {}  # of sub-flows that are about to begin, where no context of ours reached; None: not tracked
_caught: dict[str, BaseException] = {}  # what the last attempt's body raised


class FlowVisit:
    """One run of a tracked flow's body: an attempt."""

    def __init__(self, flow: Flow[..., Any], flow_run: FlowRun, options: Options, run: ActiveRun) -> None:
        self.flow, self.flow_run, self.options, self.run = flow, flow_run, options, run

    def returned(self, value: Any) -> None:
        """Log what the return annotation asks for. The run's status is Prefect's to decide."""
        _inside.pop(self.run.id, None)
        cards.stir()
        cancelled = isinstance(value, State) and value.is_cancelled()
        if self.options.log_returns and not cancelled:
            _log_returned(self.run, user_function(self.flow.fn), value)
        _show(self.run)
        if cancelled:  # Prefect has no hook for it
            ledger_on_cancellation(self.flow, self.flow_run, value)

    def raised(self, error: BaseException) -> None:
        """Record the error; what becomes of the run is known later, so the status is provisional."""
        _inside.pop(self.run.id, None)
        cards.stir()
        if self._is_stopped_by(error):
            return
        _note_error(self.run, error)
        if not isinstance(error, _LEFT):
            _show(self.run)

    def instead(self, error: BaseException) -> State[Any] | None:
        """A cancelled state, where the run was asked to end and this is how it did."""
        if not self._is_stopped_by(error):
            return None
        state: State[Any] = Cancelled(message=self.run.stopped)
        self.returned(state)
        return state

    def _is_stopped_by(self, error: BaseException) -> bool:
        """A stopped task of the flow may end it with an error of its own."""
        return bool(self.run.stopped) and isinstance(error, Exception | RunStopped)


def begin(fn: Function) -> FlowVisit | None:
    """The visit of this call of ``fn``; None when it is not Prefect that calls it for a flow run, such as ``flow.fn()``."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or context.flow is None or context.detached or user_function(context.flow.fn) is not fn:
        return None
    if silent():
        pack_silence(context.flow)
        return None
    flow, flow_run, options = context.flow, context.flow_run, options_of(context.flow)
    if options is None or str(flow_run.id) in _inside:
        return None
    visit = FlowVisit(flow, flow_run, options, _enter(flow, flow_run, options))
    _inside[visit.run.id] = visit
    cards.stir()
    if options.log_params:
        _log_params(visit.run, context.parameters or {})
    return visit


def _enter(flow: Flow[..., Any], flow_run: FlowRun, options: Options) -> ActiveRun:
    run_id = str(flow_run.id)
    before, parent = open_runs.get(run_id), _parent(run_id)
    run = ledger().enter(
        run_id,
        attempt=attempt_begun(flow_run, known=before is not None),
        experiment=before.experiment if before is not None else _experiment(flow, flow_run, options, parent),
        name=flow_run.name,
        kind="flow",
        parent=parent.id if parent is not None else None,
    )
    open_runs[run_id] = run
    pack(flow, run)
    if before is None:
        _tag(run, parent)
        orphan = parent is None and run_id not in _parents and flow_run.parent_task_run_id is not None
        _observe(run, flow, flow_run, capture=options.capture, orphan=orphan)
    elif before is not run:
        ledger().ended(before)
    return run


def _tag(run: ActiveRun, parent: ActiveRun | None) -> None:
    """Give a run the tags that were wanted for the one that begins next below its parent."""
    wanted = child_tags.get()
    if wanted is not None and parent is not None and parent.id == wanted[0]:
        run.set_tags(wanted[1])


def _parent(run_id: str) -> ActiveRun | None:
    """The run that this one was started in, if it is tracked."""
    parent = current() or _parents.get(run_id) or given.attach(ledger())
    return parent if parent is not None and parent.id != run_id else None


def _experiment(flow: Flow[..., Any], flow_run: FlowRun, options: Options, parent: ActiveRun | None) -> str:
    if options.experiment is None and parent is not None:
        return parent.experiment
    return experiment_of(flow_run, flow, options)


@quietly
def _observe(run: ActiveRun, flow: Flow[..., Any], flow_run: FlowRun, *, capture: bool, orphan: bool) -> None:
    surroundings.observe_flow_run(run, flow, flow_run, capture=capture, orphan=orphan)


@quietly
def _log_params(run: ActiveRun, parameters: dict[str, Any]) -> None:
    run.log_auto_params({name: value for name, value in parameters.items() if name not in ("self", "cls")})


@quietly
def _log_returned(run: ActiveRun, fn: Function, value: Any) -> None:
    log_returned(run, fn, value, is_flow=True)


@quietly
def _show(run: ActiveRun) -> None:
    cards.publish(run)


@quietly
def _note_error(run: ActiveRun, error: BaseException) -> None:
    from prefect_ledger import capture

    if isinstance(error, GeneratorExit):
        return  # the caller wants no more: Prefect has completed the run
    if isinstance(error, Pause):
        run.status_seen("PAUSED", reason=str(error))
        return
    _caught[run.id] = error
    status = "FAILED" if isinstance(error, Exception) else "CRASHED"
    run.status_seen(status, reason=f"{type(error).__name__}: {error}", provisional=True, exception=capture.exception(error))


# --- hooks --------------------------------------------------------------------------------------------------------------


def ledger_on_running(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001  # Prefect gives them by name
    """A sub-flow is about to begin, and the context is still its parent's: remember whose child it is, if nothing of ours says so."""
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None and context.flow_run.id != flow_run.id and current() is None and not silent():
        _parents[str(flow_run.id)] = resolve()


def ledger_on_completion(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """The run completed."""
    _settle(flow, flow_run, state, RunStatus.COMPLETED)


def ledger_on_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """The last attempt failed, or the parameters were refused."""
    _settle(flow, flow_run, state, RunStatus.FAILED)


def ledger_on_crashed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """The run was broken off; asked of the runner when the run's own process is gone."""
    _settle(flow, flow_run, state, RunStatus.CRASHED)


def ledger_on_cancellation(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Somebody cancelled the run; asked of the runner."""
    _settle(flow, flow_run, state, RunStatus.CANCELLED)


HOOKS = {
    "on_completion": ledger_on_completion,
    "on_failure": ledger_on_failure,
    "on_cancellation": ledger_on_cancellation,
    "on_crashed": ledger_on_crashed,
    "on_running": ledger_on_running,
}


@quietly
def _settle(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any], status: RunStatus) -> None:
    """Say the last word on a run. Saying it again, here or elsewhere, changes nothing."""
    run_id = str(flow_run.id)
    cards.stir()
    run, error = open_runs.pop(run_id, None), _caught.pop(run_id, None) or error_of(state)
    reason = state.message or ("cancelled" if status is RunStatus.CANCELLED else state.name) or ""
    if status is RunStatus.COMPLETED:
        error, reason = None, ""  # of an earlier attempt
    if run is None:
        _settle_stranger(flow, flow_run, state, status, reason, error)
    elif any(handle.id == run_id for handle in tuple(working)):
        run.status_seen(status, reason=reason, exception=described(error))
        ledger().ended(run)  # not closed: the flow did not wait for all of its tasks, and what they log is the run's
    else:
        run.finish(status, reason=reason, exception=described(error))
    _parents.pop(run_id, None)
    resumptions.pop(run_id, None)
    unload(flow, run_id)
    told_by_runner = run is None and status in (RunStatus.CRASHED, RunStatus.CANCELLED)
    if told_by_runner or (flow_run.deployment_id is not None and flow_run.parent_task_run_id is None):
        ledger().flush(DRAIN_SECONDS)  # such processes are ended without ceremony
        cards.finish()


def _settle_stranger(
    flow: Flow[..., Any], flow_run: FlowRun, state: State[Any], status: RunStatus, reason: str, error: BaseException | None
) -> None:
    """The end of a run whose body did not begin in this process: it never began, or its process is gone."""
    run_id, options, parent = str(flow_run.id), options_of(flow) or Options(), _parent(str(flow_run.id))
    if status in (RunStatus.CRASHED, RunStatus.CANCELLED):
        flow_run = _read_again(flow_run)  # a runner's view is as old as the process it started
    never_began = flow_run.run_count == 0
    # A runner may tell of an end when somebody's next attempt has begun already.
    seen = attempts_seen(flow_run, until=state) if flow_run.deployment_id is not None else flow_run.run_count
    if seen == 0 and not never_began:
        return  # what ended then was not begun; by now it is, and speaks for itself
    attempt = seen or 0
    run = ledger().enter(
        run_id,
        attempt=max(1, attempt or flow_run.run_count),
        experiment=_experiment(flow, flow_run, options, parent),
        name=flow_run.name,
        parent=parent.id if parent is not None else None,
        owner=never_began,
    )
    if never_began:
        _tag(run, parent)
    # Of whichever attempt is the last, where it is not known.
    run.say(RunStatusSeen(run_id, now(), status.value, attempt, reason, exception=described(error) or {}))
    ledger().ended(run)


def _read_again(flow_run: FlowRun) -> FlowRun:
    try:
        with get_client(sync_client=True) as client:
            return client.read_flow_run(flow_run.id)
    except Exception:  # noqa: BLE001  # the API is away or says no: what we were given must do
        return flow_run


def error_of(state: State[Any]) -> BaseException | None:
    """The exception in a state's data, where it is at hand."""
    data = getattr(state.data, "result", state.data)
    return data if isinstance(data, BaseException) else None


def described(error: BaseException | None) -> dict[str, str] | None:
    """The exception as the ledger keeps it: type, message and traceback, masked."""
    if error is None:
        return None
    from prefect_ledger import capture

    found: dict[str, str] = capture.exception(error)
    return found
