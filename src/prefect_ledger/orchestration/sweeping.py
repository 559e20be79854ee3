"""Floor 6. A sweep over a tracked flow: a Prefect flow with a task for each trial, on any task runner; the trial is a sub-flow of it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import inspect
import multiprocessing
import os
import queue
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import flow as prefect_flow
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

from prefect_ledger.errors import InvalidValue, MissingExtra, NotFound
from prefect_ledger.orchestration.bodies import user_function
from prefect_ledger.orchestration.context import child_tags
from prefect_ledger.orchestration.options import options_of
from prefect_ledger.orchestration.stopped_trials import listening
from prefect_ledger.settings import PREFIX
from prefect_ledger.sweep import sweeping, trials
from prefect_ledger.sweep.plan import Limits, Plan
from prefect_ledger.sweep.sweeping import Sweep
from prefect_ledger.sweep.trials import Trial
from prefect_ledger.tracking.context import using
from prefect_ledger.tracking.ledger import ledger
from prefect_ledger.tracking.reading import get_run

if TYPE_CHECKING:
    from prefect_ledger.tracking.runs import ActiveRun

RUNNERS = ("threads", "processes", "dask")
Source = str | Flow[..., Any]


class FlowRunner:
    """Runs trials as sub-flows in tasks of a flow that :func:`on_tasks` began.

    ``source`` is a tracked flow, or ``file.py:name`` of one, which every worker then loads by itself; ``fixed`` are parameters that are
    the same for all trials.
    """

    def __init__(self, source: Source, fixed: Mapping[str, Any] | None = None) -> None:
        self._source: Source = source if isinstance(source, Flow) else _absolute(source)
        self._fixed = dict(fixed or {})
        self._ended: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._futures: dict[int, Any] = {}
        self._sweep = ""

    @property
    def target(self) -> dict[str, Any]:
        """What is run, as facts say it."""
        shown = self._source if isinstance(self._source, str) else self._source.name
        return {"flow": shown, "fixed": self._fixed}

    def check(self, names: Collection[str]) -> None:
        """Raises NotFound: there is no such flow. InvalidValue: it is not tracked, or takes other parameters."""
        found = loaded(self._source)
        if options_of(found) is None:
            raise InvalidValue(f"the flow {found.name!r} is not tracked, so its trials would leave no runs: decorate it with @tracked_flow")
        known, needed = found.parameters.properties, found.parameters.required or []
        given = {*names, *self._fixed}
        kinds = [one.kind for one in inspect.signature(user_function(found.fn)).parameters.values()]
        if inspect.Parameter.VAR_KEYWORD not in kinds and (strange := sorted(given - set(known))):
            raise InvalidValue(f"the flow {found.name!r} has no parameter {strange[0]!r}; it has {', '.join(known) or 'none'}")
        if lacking := sorted(set(needed) - given):
            raise InvalidValue(f"the flow {found.name!r} needs {', '.join(lacking)}, which is neither looked through nor given")

    def start(self, sweep: ActiveRun, trial: Trial) -> None:
        """Submit its task."""
        about = {"id": sweep.id, "attempt": sweep.attempt, "experiment": sweep.experiment, "name": sweep.name}
        about["stoppable"] = trial.stoppable
        values = {**self._fixed, **trial.parameters}
        future = run_trial.submit(self._source, values, trial.number, about, trial.tags(sweep.id), ledger().settings.travelling())
        self._sweep, self._futures[trial.number] = sweep.id, future
        future.add_done_callback(lambda _future: self._ended.put(trial.number))

    def wait(self, seconds: float | None) -> Sequence[int]:
        """Those whose tasks ended."""
        try:
            ended = [self._ended.get(timeout=seconds)]
        except queue.Empty:
            return []
        for number in ended:
            self._futures.pop(number, None)
        return ended

    def begun(self) -> Mapping[int, str]:
        """Those whose flows run, as the store knows."""
        running = trials.of_sweep(self._sweep, "", running=True) if self._futures else []
        return {place.trial: place.run_id for place in running if place.trial in self._futures}

    def stop(self, number: int, reason: str) -> None:
        """Nothing more: its tag in the store is read where it runs."""

    def cancel(self, number: int, reason: str) -> None:  # noqa: ARG002  # Prefect asks for none
        """Take it back where it has not begun. What runs in threads and processes here is waited for; elsewhere its cluster ends it."""
        future = self._futures.pop(number, None)
        if future is None:
            return
        inner = getattr(future, "wrapped_future", None)
        taken_back = inner is not None and inner.cancel()
        if isinstance(inner, concurrent.futures.Future) and not taken_back:
            concurrent.futures.wait([inner])


def sweep_flow(
    flow: Source,
    plan: Plan | None = None,
    limits: Limits | None = None,
    *,
    task_runner: Any = None,
    fixed: Mapping[str, Any] | None = None,
    experiment: str | None = None,
    resume: str | None = None,
) -> Sweep:
    """Sweep over a tracked flow: each trial is a sub-flow, in a task on ``task_runner`` (threads, as many as run at once, if not given).

    ``flow`` is the flow, or ``file.py:name``, which every worker loads by itself; ``fixed`` are parameters that are the same for all
    trials. ``resume`` is the id of the run of a sweep to go on with, and stands instead of ``plan``.

    Raises:
        NotFound, RunNotFound: there is no such flow or sweep. InvalidValue: a plan or limits that cannot be, a flow that is not tracked or
        takes other parameters. MissingExtra.

    Example:
        >>> from prefect_ledger import tracked_flow, log_metric  # doctest: +SKIP
        >>> found = sweep_flow("train.py:train", Plan(Space.read({"depth": "2..8:int"}), "auc"), Limits(trials=20))  # doctest: +SKIP
        >>> found.best.parameters  # doctest: +SKIP
    """
    if (plan is None) == (resume is None):
        raise InvalidValue("give either the plan of a new sweep, or the id of the one to go on with as resume=")
    limits = limits or Limits()
    runner = FlowRunner(flow, fixed)
    where = ThreadPoolTaskRunner(max_workers=limits.at_once) if task_runner is None else task_runner
    if plan is None:
        assert resume is not None
        known = resume
        before = Plan.read(get_run(known).facts)
        sweeping.check(runner, before, limits.of(before))
        return on_tasks(where, lambda: sweeping.resume(runner, known, limits))
    new = replace(plan, target=plan.target or runner.target)
    sweeping.check(runner, new, limits)  # here already: in a flow, Prefect would tell of it at length
    return on_tasks(where, lambda: sweeping.sweep(runner, new, limits, experiment=experiment))


_works: dict[str, Callable[[], Sweep]] = {}  # kept here, since a flow travels to the processes of its tasks with all it holds


def on_tasks(task_runner: Any, work: Callable[[], Sweep]) -> Sweep:
    """Do ``work`` in a flow whose tasks run on ``task_runner``."""
    key, others = str(uuid.uuid4()), set(multiprocessing.active_children())
    _works[key] = work
    try:
        return _sweeping.with_options(task_runner=task_runner)(key)
    except BaseException:
        if isinstance(task_runner, ProcessPoolTaskRunner):  # a pool that is interrupted while it starts leaves workers that wait for ever
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()
        raise
    finally:
        del _works[key]


@prefect_flow(name="prefect-ledger-sweep", validate_parameters=False)
def _sweeping(key: str) -> Sweep:
    return _worked(key)


def _worked(key: str) -> Sweep:  # a function of its own, as what a decorated one names travels with it
    return _works[key]()


def task_runner(name: str, at_once: int) -> Any:
    """The task runner of this name, for so many at once on this machine.

    Raises:
        InvalidValue: no such name. MissingExtra: Dask is not installed.
    """
    if name == "threads":
        return ThreadPoolTaskRunner(max_workers=at_once)
    if name == "processes":
        return ProcessPoolTaskRunner(max_workers=at_once)
    if name != "dask":
        raise InvalidValue(f"trials run on {', '.join(RUNNERS)}, not {name!r:.60}; any other task runner can be given in Python")
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as error:
        raise MissingExtra("prefect-dask", "", need="a sweep on Dask") from error
    options = {"n_workers": at_once, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    return DaskTaskRunner(cluster_kwargs=options)


@task(name="trial", task_run_name="trial-{number}", cache_policy=NO_CACHE)
def run_trial(
    source: Any, parameters: dict[str, Any], number: int, sweep: dict[str, Any], tags: dict[str, str], settings: dict[str, str]
) -> None:
    """Call the flow below the sweep's run, wherever this is; what it logged is in the store when this returns."""
    _called(source, parameters, number, sweep, tags, settings)


def _called(
    source: Source, parameters: dict[str, Any], number: int, sweep: dict[str, Any], tags: dict[str, str], settings: dict[str, str]
) -> None:
    for name, value in settings.items():
        os.environ.setdefault(f"{PREFIX}{name.upper()}", value)
    run = ledger().enter(sweep["id"], attempt=sweep["attempt"], experiment=sweep["experiment"], name=sweep["name"], owner=False)
    token = child_tags.set((run.id, tags))
    try:
        with using(run), listening(run.id, number) if sweep["stoppable"] else contextlib.nullcontext():
            loaded(source)(**parameters, return_state=True)
    finally:
        child_tags.reset(token)
        ledger().flush()


def loaded(source: Source) -> Flow[..., Any]:
    """The flow.

    Raises:
        NotFound: there is none.
    """
    return source if isinstance(source, Flow) else _loaded(source)


@functools.lru_cache(maxsize=8)
def _loaded(source: str) -> Flow[..., Any]:
    try:
        found: Flow[..., Any] = load_flow_from_entrypoint(source, use_placeholder_flow=False)
    except Exception as error:  # whatever a stranger's module raises when it is imported
        raise NotFound(f"the flow {source} cannot be loaded: {type(error).__name__}: {error}") from error
    return found


def _absolute(source: str) -> str:
    """``file.py:name`` with the file's whole path: workers may be started elsewhere."""
    file, found, name = source.rpartition(":")
    if not found or not file or not name:
        raise InvalidValue(f"a flow is said as file.py:name, not {source!r:.80}")
    if not Path(file).is_file():
        raise NotFound(f"there is no file {file}")
    return f"{Path(file).resolve()}:{name}"
