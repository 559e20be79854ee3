"""Floor 6. ``prefect-ledger sweep``: many runs over a space of parameters, and which of them was the best."""

from __future__ import annotations

import json as json_module
import os
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from prefect_ledger.cli.options import tag_of
from prefect_ledger.cli.render import cell, dim, print_json, say, show, status, table, warn
from prefect_ledger.errors import InvalidValue
from prefect_ledger.formats import MISSING, clean, number

if TYPE_CHECKING:
    from prefect_ledger.sweep.plan import Limits, Plan
    from prefect_ledger.sweep.sweeping import Runner, Sweep

_FLOW = re.compile(r".+\.py:\w[\w.]*")
_SHOWN = 20
_INTERRUPTED = 130


def sweep_target(
    target: str | None,
    *,
    space: Sequence[str],
    metric: str | None,
    method: str,
    direction: Literal["lower", "higher"] | None,
    seed: int,
    fixed: Sequence[str],
    limits: Limits,
    how: dict[str, str | None],
    experiment: str | None,
    resume: str | None,
    json: bool,
) -> int:
    """Sweep; returns 0, 1 where no trial has a value, 130 where it was interrupted."""
    from prefect_ledger.projects.interrupts import told_to_end
    from prefect_ledger.sweep import sweeping
    from prefect_ledger.tracking.reading import get_run

    ids: list[str] = []
    if resume is not None:
        if target is not None or space or metric is not None or fixed:
            raise InvalidValue("--resume goes on with the sweep as it was begun: leave out what is to be run, -s, -P and --metric")
        found = get_run(resume)
        ids.append(found.id)
        before = _read(found.facts)
        runner, doing = _runner(before.target, limits)
        sweeping.check(runner, before, limits.of(before))

        def work() -> Sweep:
            return sweeping.resume(runner, found.id, limits, say=_say)

    else:
        about = _asked(target, how, dict(_value(text) for text in fixed))
        runner, doing = _runner(about, limits)
        plan = _plan(space, metric, method, direction, seed, {**about, **getattr(runner, "target", {})})
        sweeping.check(runner, plan, limits)  # before the flow that it runs in, where Prefect would tell of it at length

        def work() -> Sweep:
            return sweeping.sweep(runner, plan, limits, experiment=experiment, say=_say, begun=ids.append)

    try:
        with told_to_end():
            done = doing(work)
    except (KeyboardInterrupt, SystemExit):
        if ids:
            warn(f"interrupted, and what ran was ended; to go on: prefect-ledger sweep --resume {ids[0][:8]}")
        return _INTERRUPTED
    if json:
        print_json(record(done))
    else:
        _show(done)
    return 0 if done.best is not None else 1


def record(done: Sweep) -> dict[str, Any]:
    """What came of it, for scripts."""
    places = [
        {
            "trial": one.trial,
            "run_id": one.run_id,
            "status": str(one.status),
            "stopped_early": one.stopped,
            "value": one.value,
            "parameters": dict(one.parameters),
        }
        for one in done.leaderboard
    ]
    best = done.best.run_id if done.best is not None else None
    return {"run_id": done.id, **done.plan.said(), "over": done.over, "best": best, "leaderboard": places}


def _asked(target: str | None, how: dict[str, str | None], fixed: dict[str, Any]) -> dict[str, Any]:
    """What is to be run, as a sweep keeps it."""
    if target is None:
        raise InvalidValue("say what to run: file.py:flow, or a project's place with -e ENTRY; or --resume RUN")
    if _FLOW.fullmatch(target):
        if strange := [name for name in ("entry_point", "version", "env_manager") if how[name] is not None]:
            raise InvalidValue(f"--{strange[0].replace('_', '-')} is for projects, and {target!r:.80} is a flow")
        return {"flow": target, "runner": how["runner"] or "threads", "fixed": fixed}
    if how["runner"] is not None:
        raise InvalidValue(f"--runner is for flows; trials of a project such as {target!r:.80} are programs of their own")
    about = {"entry_point": how["entry_point"] or "main", "version": how["version"], "env_manager": how["env_manager"]}
    return {"project": target, **about, "fixed": fixed}


def _runner(target: Any, limits: Limits) -> tuple[Runner, Callable[[Callable[[], Sweep]], Sweep]]:
    """Who runs the trials, and what the sweep is to be done within."""
    if "flow" in target:
        os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")  # a line for each trial is ours to say
        from prefect_ledger.orchestration.sweeping import FlowRunner, on_tasks, task_runner

        tasks, trials = task_runner(target.get("runner") or "threads", limits.at_once), FlowRunner(target["flow"], target["fixed"])
        return trials, lambda work: on_tasks(tasks, work)
    if "project" not in target:
        raise InvalidValue("the sweep does not say what was run: go on with it in Python, where it was begun")
    from prefect_ledger.sweep.projects import ProjectRunner

    place, entry = target["project"], target["entry_point"]
    runner = ProjectRunner(place, entry, version=target["version"], env_manager=target["env_manager"], fixed=dict(target["fixed"]))
    return runner, lambda work: work()


def _plan(
    space: Sequence[str],
    metric: str | None,
    method: str,
    direction: Literal["lower", "higher"] | None,
    seed: int,
    target: dict[str, Any],
) -> Plan:
    from prefect_ledger.sweep.plan import Plan
    from prefect_ledger.sweep.space import Space

    given = [tag_of(text) for text in space]
    axes = dict(given)
    if len(axes) < len(given):
        raise InvalidValue("each parameter is looked through once: a -s for each name")
    return Plan(Space.read(axes), metric or "", method, seed, direction, target=target)


def _read(facts: Any) -> Plan:
    from prefect_ledger.sweep.plan import Plan

    return Plan.read(facts)


def _value(text: str) -> tuple[str, Any]:
    """``name=value``; the value as JSON where it is that, else as text."""
    name, value = tag_of(text)
    try:
        return name, json_module.loads(value)
    except ValueError:
        return name, value


def _show(done: Sweep) -> None:
    from prefect_ledger.sweep.sweeping import WHOLE

    names = list(done.plan.space.axes)
    made = table(
        [("trial", "number"), ("run", "text"), ("status", "text"), (done.plan.metric, "number"), *((name, "value") for name in names)]
    )
    for one in done.leaderboard[:_SHOWN]:
        value = MISSING if one.value is None else number(one.value)
        values = [cell(_short(one.parameters.get(name))) for name in names]
        made.add_row(cell(one.trial), cell(one.run_id[:8]), status(str(one.status)), cell(value), *values)
    show(made)
    if len(done.leaderboard) > _SHOWN:
        dim(f"and {len(done.leaderboard) - _SHOWN:,} more; --json has all")
    if (best := done.best) is not None:
        say(f"best: run {best.run_id[:8]}, trial {best.trial}")
    more = "" if done.over.startswith(WHOLE) else f"; more trials: prefect-ledger sweep --resume {done.id[:8]} --trials N"
    dim(f"sweep {done.id[:8]}: {clean(done.over)}{more}")


def _short(value: Any) -> str:
    return number(value) if isinstance(value, float) else MISSING if value is None else str(value)


def _say(line: str) -> None:
    dim(clean(line))
