"""Floor 5. What runs and their tasks use: a meter around each body, a look at the machine while a run is open, both said in the journal."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prefect_ledger import watch as watching
from prefect_ledger.events import UsageSeen
from prefect_ledger.meters import Meter
from prefect_ledger.tracking import context

if TYPE_CHECKING:
    from prefect_ledger.tracking.runs import ActiveRun


def watch(run: ActiveRun) -> None:
    """Log on ``run`` what the machine does, until it ends; nothing where the settings switch it off."""
    settings = run._ledger.settings
    if settings.watch:
        watching.watch.add(run, seconds=settings.watch_seconds, also=functools.partial(say_all, run))


def start(run: ActiveRun) -> None:
    """Count from here to the run's end as the run's own."""
    if run._ledger.settings.watch:
        _meter(run).start()


@contextlib.contextmanager
def metered(run: ActiveRun) -> Iterator[None]:
    """Count what the block uses as used by ``run``: by the task run, where it is the handle of one."""
    if not run._ledger.settings.watch:
        yield
        return
    meter = _meter(run)
    meter.start()
    try:
        yield
    except BaseException as error:
        meter.stop(failed=isinstance(error, Exception))  # others break off, and are not tried again
        raise
    meter.stop()


def done(run: ActiveRun, *, waited: int) -> None:
    """The task run of this handle has its final state: say what it used. ``waited``: µs until it began."""
    meter = run._shared.meters.pop(run.task_run_id, None)
    if meter is not None:
        meter.waited = max(0, waited)
        _say(run, run.task_run_id, meter)


def ended(run: ActiveRun) -> None:
    """The run, or this attempt of it, has ended here: look no more, and say what it used."""
    watching.watch.drop(run)
    meter = run._shared.meters.get("")
    if meter is not None and run.kind == "script":
        meter.stop()
    say_all(run)


def say_all(run: ActiveRun) -> None:
    """Say what the run and those of its tasks that are not done have used until now."""
    for task, meter in list(run._shared.meters.items()):
        _say(run, task, meter)


def _meter(run: ActiveRun) -> Meter:
    meters = run._shared.meters
    meter = meters.get(run.task_run_id)
    if meter is None:
        around = context.current()
        if around is not None:
            outer = around._shared.meters.get(around.task_run_id)
        else:  # a thread made by hand
            outer = meters.get("") if run.task_run_id else None
        meter = meters.setdefault(run.task_run_id, Meter(outer))
    return meter


def _say(run: ActiveRun, task: str, meter: Meter) -> None:
    from prefect_ledger.tracking.runs import now

    used = ran, lost, cpu, gpu = tuple(nanoseconds // 1000 for nanoseconds in meter.read())
    if used != meter.said:
        meter.said = used
        run.say(UsageSeen(run.id, now(), run.attempt, task=task, waited=meter.waited, ran=ran, retried=lost, cpu=cpu, gpu=gpu))
