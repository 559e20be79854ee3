"""Floor 6. ``prefect-ledger rerun``: a run once more, and whether it came out the same."""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prefect_ledger.cli.options import tag_of
from prefect_ledger.cli.render import cell, dim, print_json, say, show, table, warn
from prefect_ledger.errors import InvalidValue
from prefect_ledger.formats import MISSING, clean, count, number, short

if TYPE_CHECKING:
    from prefect_ledger.rerun import Plan, Rerun
    from prefect_ledger.verdict import Difference, Tolerance, Verdict

NOT_REPRODUCED = 4
_SHOWN = 20  # lines of causes, and of metrics
_COLORS = {"identical": "green", "within tolerance": "yellow", "different": "red"}


def rerun_run(
    run: str,
    *,
    parameters: Sequence[str],
    verify: bool,
    tolerances: Sequence[str],
    ignore: Sequence[str],
    env_manager: str | None,
    in_deployment: bool,
    dry_run: bool,
    json: bool,
) -> int:
    """Run it again; returns 0, 1 where its program failed, 4 where it did not come out the same."""
    from prefect_ledger.rerun import planned, rerun

    changed = dict(_parameter(text) for text in parameters)
    asked = _tolerances(tolerances)
    if (asked or ignore) and not verify:
        raise InvalidValue("--tolerance and --ignore say how runs are compared: add --verify")
    if dry_run:
        return _shown(planned(run, changed), json=json)
    deploy = None
    if in_deployment:
        from prefect_ledger.orchestration.reruns import by_deployment

        deploy = by_deployment
    done = rerun(run, changed, verify=verify, tolerances=asked, ignore=ignore, env_manager=env_manager, deploy=deploy, say=_say)
    if json:
        print_json(record(done))
    else:
        say(f"run {done.run.id} repeats {done.before.id[:8]}: {done.run.status}")
        if done.verdict is not None:
            show_verdict(done.verdict)
    if done.verdict is not None and done.verdict.result == "different":
        return NOT_REPRODUCED
    return 1 if done.exit_code else 0


def show_verdict(verdict: Verdict) -> None:
    """The verdict, what differed first, and each metric that is not the same."""
    from rich.text import Text

    say(Text(str(verdict.result), style=f"bold {_COLORS[str(verdict.result)]}"))
    if not verdict.metrics:
        warn("there is no metric to compare, so nothing shows that it came out the same")
    if verdict.differences:
        causes = table([("differs", "text"), ("what", "text"), ("then", "value"), ("now", "value")])
        for one in verdict.differences[:_SHOWN]:
            causes.add_row(cell(one.cause), cell(one.name), cell(_value(one.before)), cell(_value(one.after)))
        show(causes)
        if len(verdict.differences) > _SHOWN:
            dim(f"and {len(verdict.differences) - _SHOWN:,} more; --json has all")
    moved = [one for one in verdict.metrics if one.result != "identical"]
    if moved:
        made = table([("metric", "text"), ("result", "text"), ("from step", "number"), ("furthest", "number"), ("points", "number")])
        for metric in moved[:_SHOWN]:
            step = MISSING if metric.first_step is None else f"{metric.first_step:,}"
            told = str(metric.result) + (f" ({metric.why})" if metric.why else "")
            made.add_row(cell(metric.key), cell(told), cell(step), cell(number(metric.furthest)), cell(f"{metric.points:,}"))
        show(made)
    same = len(verdict.metrics) - len(moved)
    dim(f"{count(same, 'metric')} the same point by point" + (f"; not compared: {len(verdict.ignored)}" if verdict.ignored else ""))


def record(done: Rerun) -> dict[str, Any]:
    """What came of it, for scripts."""
    found: dict[str, Any] = {"run": done.run.id, "of": done.before.id, "status": str(done.run.status), "exit_code": done.exit_code}
    found["lacking"] = list(done.plan.lacking)
    if (verdict := done.verdict) is not None:
        found["verdict"] = str(verdict.result)
        found["differences"] = [_record(one) for one in verdict.differences]
        names = ("key", "points", "first_step", "furthest", "why")
        found["metrics"] = [{"result": str(one.result), **{name: getattr(one, name) for name in names}} for one in verdict.metrics]
        found["ignored"] = list(verdict.ignored)
    return found


def _record(one: Difference) -> dict[str, Any]:
    return {"cause": one.cause, "name": one.name, "before": one.before, "after": one.after}


def _shown(plan: Plan, *, json: bool) -> int:
    if json:
        code = {"commit": plan.recorded.code.commit, "remote": plan.recorded.code.remote, "changes": len(plan.recorded.code.patch)}
        print_json({"of": plan.recorded.id, "command": plan.command, "code": code, "lacking": list(plan.lacking)})
        return 0
    say(plan.command)
    if plan.recorded.code.commit:
        changes = f", with {len(plan.recorded.code.patch):,} bytes of changes" if plan.recorded.code.patch else ""
        dim(f"at commit {plan.recorded.code.commit[:12]}{changes}")
    for sentence in plan.lacking:
        warn(clean(sentence))
    return 0


def _say(line: str) -> None:
    dim(clean(line))


def _value(value: Any) -> str:
    return MISSING if value is None else short(value, 40)


def _parameter(text: str) -> tuple[str, Any]:
    """``name=value``; the value as JSON where it is that, else as text."""
    name, value = tag_of(text)
    try:
        return name, json_module.loads(value)
    except ValueError:
        return name, value


def _tolerances(texts: Sequence[str]) -> dict[str, Tolerance]:
    from prefect_ledger.verdict import Tolerance

    found = {}
    for text in texts:
        name, _, said = text.rpartition("=")
        found[name or "*"] = Tolerance.read(said)
    return found
