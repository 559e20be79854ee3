"""Floor 6. Everything about one run on a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from rich.text import Text

from prefect_ledger.cli.alerts_table import alerts_table
from prefect_ledger.cli.models import models_table
from prefect_ledger.cli.render import Kind, cell, console, heading, pairs, show, status, table
from prefect_ledger.cli.runs_table import runs_table
from prefect_ledger.comparison import flat
from prefect_ledger.entities import Attempt, Dataset, Run, Summary, TaskRun
from prefect_ledger.errors import MetricNotFound
from prefect_ledger.events import MODEL, MODEL_FILE
from prefect_ledger.formats import MISSING, count, duration, listed, moment, number, paragraph, short, size
from prefect_ledger.usage import Usage, Used, added

_BARS = "▁▂▃▄▅▆▇█"
_FROM: tuple[tuple[()], tuple[tuple[str, Literal["text"]]]] = ((), (("from", "text"),))  # a column for what came by link
_OF_MODELS = (MODEL, MODEL_FILE)  # what a model's files are among the artifacts; they are shown as one model
_WIDE = 110  # characters, below which first and mean are left out
_CURVES = 60  # so that a run with a thousand metrics is shown at once too


def show_run(run: Run, *, packages: bool = False) -> None:
    """Write the page to stdout; sections that would be empty are left out."""
    show(pairs(_head(run)))
    _section("description", [Text(paragraph(run.description))] if run.description else [])
    _section("parameters", [pairs(sorted(run.params.items()))] if run.params else [])
    _section("metrics", _metrics(run))
    _section("usage", _usage(run.usage))
    _section("machine", _watched(run.watched))
    _section("tags", [pairs(sorted(run.tags.items()))] if run.tags else [])
    _section("datasets", _datasets(run.datasets))
    _section("models", [models_table(models, run_id=run.id)] if (models := run.models) else [])
    _section("artifacts", _artifacts(run))
    _section("child runs", _children(run.children))
    _section("task runs", _tasks(run.task_runs, run.usage.tasks))
    _section("attempts", _attempts(run.attempts))
    _section("alerts", [alerts_table(alerts)] if (alerts := run.alerts) else [])
    _section("notes", [cell(f"• {note}") for note in run.notes])
    facts = dict(run.facts)
    installed = facts.pop("packages", {})
    _section("surroundings", [pairs(_facts(facts, installed))] if facts or installed else [])
    _section("packages", [pairs(sorted(installed.items()))] if packages and installed else [])
    _section("error", list(_errors(run)))


def _section(title: str, parts: Sequence[Any]) -> None:
    if parts:
        heading(title)
        show(*parts)


def _head(run: Run) -> Iterator[tuple[str, object]]:
    yield "run", cell(run.name, "bold")
    yield "id", run.id
    yield "experiment", run.experiment or MISSING
    yield "status", status(str(run.status)) if not run.status_reason else f"{run.status}: {run.status_reason}"
    if run.lifecycle != "active":
        erasing = "erasing: gc has taken away what it had logged; prefect-ledger gc says what keeps it from ending"
        yield "lifecycle", erasing if run.lifecycle == "erasing" else run.lifecycle
    yield "started", moment(run.started_at)
    yield "took", duration(run.duration)
    if run.attempt > 1:
        yield "attempt", run.attempt
    for name, value in (("parent", run.parent_id), ("user", run.user), ("kind", run.kind), ("artifacts at", run.artifact_uri)):
        if value:
            yield name, value


def _metrics(run: Run) -> list[Any]:
    summaries = run.summaries
    if not summaries:
        return []
    wide = console().width >= _WIDE
    names = ("last", *(("first",) if wide else ()), "min", "at", "max", "at", *(("mean",) if wide else ()), "points")
    linked = any(one.sources for one in summaries.values())
    made = table([("metric", "text"), *((name, "number") for name in names), ("", "text"), *_FROM[linked]])
    for at, (key, one) in enumerate(sorted(summaries.items())):
        curve = _curve(run, one, 24 if wide else 14) if at < _CURVES else ""
        source = [cell(", ".join(run[:8] for run in one.sources), "dim")] if linked else []
        made.add_row(cell(key), *(cell(text) for text in _numbers(one, wide=wide)), cell(curve, "cyan"), *source)
    return [made]


def _numbers(one: Summary, *, wide: bool) -> list[str]:
    points = f"{one.count:,}" + (f" ({one.nan:,} NaN)" if one.nan else "")
    low, high = ("" if step is None else f"{step:,}" for step in (one.min_step, one.max_step))
    first, mean = ([number(one.first)], [number(one.mean)]) if wide else ([], [])
    return [number(one.last), *first, number(one.min), low, number(one.max), high, *mean, points]


def _curve(run: Run, one: Summary, width: int) -> str:
    """The series in a line of at most ``width`` bars; nothing for a single point."""
    if one.count < 2 or one.min is None or one.max is None:
        return ""
    import numpy as np

    try:
        values = run.metric(one.key).values
    except MetricNotFound:  # an attempt that began meanwhile
        return ""
    values = values[np.isfinite(values)]
    if len(values) < 2 or values.min() == values.max():
        return ""
    parts = np.array_split(values, min(width, len(values)))
    means = np.array([part.mean() for part in parts])
    low, high = means.min(), means.max()
    heights = np.rint((means - low) / ((high - low) or 1.0) * (len(_BARS) - 1)).astype(int)
    return "".join(_BARS[height] for height in heights)


def _datasets(datasets: Sequence[Dataset]) -> list[Any]:
    if not datasets:
        return []
    made = table([("dataset", "text"), ("digest", "text"), ("rows", "number"), ("context", "text"), ("source", "text")])
    for one in datasets:
        rows = MISSING if one.rows is None else f"{one.rows:,}"
        made.add_row(cell(one.name), cell(one.digest[:12], "dim"), cell(rows), cell(one.context), cell(one.source))
    return [made]


def _artifacts(run: Run) -> list[Any]:
    artifacts = [one for one in run.artifacts if one.kind not in _OF_MODELS]
    if not artifacts:
        return []
    linked = any(one.run_id != run.id for one in artifacts)
    made = table([("artifact", "text"), ("size", "number"), ("kind", "text"), ("sha256", "text"), ("logged", "text"), *_FROM[linked]])
    for one in artifacts:
        source = [cell(one.run_id[:8] if one.run_id != run.id else "", "dim")] if linked else []
        made.add_row(
            cell(one.path), cell(size(one.size)), cell(one.kind), cell(one.sha256[:12], "dim"), cell(moment(one.logged_at)), *source
        )
    return [made]


def _children(children: Sequence[Run]) -> list[Any]:
    if not children:
        return []

    return [runs_table(children)]


def _usage(usage: Usage) -> list[Any]:
    parts = [("own", usage.own), ("tasks", added(usage.tasks.values())), ("child runs", usage.children)]
    if not any(used.ran for _, used in parts):
        return []
    gpu, cost = bool(usage.total.gpu), usage.cost is not None
    names = ["worked", "in vain", "CPU", *(["GPU"] if gpu else []), *(["cost"] if cost else [])]
    columns: list[tuple[str, Kind]] = [("", "text"), *((name, "number") for name in names)]
    made = table(columns)
    for name, used in (*parts, ("total", usage.total)):
        seconds = [used.ran, used.retried, used.cpu, *([used.gpu] if gpu else [])]
        priced = [number(usage.prices.of(used))] if cost else []
        made.add_row(cell(name), *(cell(duration(one)) for one in seconds), *(cell(one) for one in priced))
    return [made]


def _watched(watched: Mapping[str, Summary]) -> list[Any]:
    if not watched:
        return []
    made = table([("", "text"), *((name, "number") for name in ("last", "mean", "max", "points"))])
    for key, one in sorted(watched.items()):
        made.add_row(cell(key), *(cell(text) for text in (number(one.last), number(one.mean), number(one.max), f"{one.count:,}")))
    return [made]


def _tasks(tasks: Sequence[TaskRun], used: Mapping[str, Used]) -> list[Any]:
    if not tasks:
        return []
    numbers: list[tuple[str, Kind]] = [(name, "number") for name in ("tries", "waited", "took", "CPU")]
    made = table([("task run", "text"), ("state", "text"), *numbers, ("id", "text")])
    for one in tasks:
        took, state = cell(duration(one.duration)), cell(_state(one), _color(one.state))
        mine = used.get(one.id)
        waited, cpu = (cell(duration(mine.waited)), cell(duration(mine.cpu))) if mine is not None else (cell(MISSING), cell(MISSING))
        made.add_row(cell(one.name), state, cell(one.tries), waited, took, cpu, cell(one.id, "dim"))
    return [made]


def _state(one: TaskRun) -> str:
    """The state; of one that came from the cache, from where and that nothing was paid for it here."""
    if not one.cached:
        return one.state
    state = one.state if one.state.lower() == "cached" else f"{one.state} (cached)"
    return f"{state}, from {one.source_run_id[:8]}, cost 0" if one.source_run_id else f"{state}, cost 0"


def _color(state: str) -> str:
    low = state.lower()
    return "green" if low in ("completed", "cached") else "red" if low in ("failed", "crashed") else ""


def _attempts(attempts: Sequence[Attempt]) -> list[Any]:
    if len(attempts) < 2:
        return []
    made = table([("attempt", "number"), ("status", "text"), ("started", "text"), ("took", "number"), ("error", "text")])
    for one in attempts:
        took = (one.ended_at - one.started_at).total_seconds() if one.started_at and one.ended_at else None
        error = _sentence(one.exception)
        made.add_row(cell(one.number), status(str(one.status)), cell(moment(one.started_at)), cell(duration(took)), cell(short(error, 60)))
    return [made]


def _sentence(exception: Mapping[str, str]) -> str:
    return f"{exception.get('type', 'error')}: {exception.get('message', '')}" if exception else ""


def _errors(run: Run) -> Iterator[Any]:
    """The whole of what ended the last attempt."""
    attempts = run.attempts
    exception = attempts[-1].exception if attempts else {}
    if exception:
        yield Text(paragraph(exception.get("traceback") or _sentence(exception)).rstrip(), style="red")


def _facts(facts: Mapping[str, Any], installed: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    for key, value in flat(facts):
        if value not in (None, "", [], {}):
            yield key, listed(value, 20) if isinstance(value, list) else str(value)
    if installed:
        yield "packages", f"{count(len(installed), 'package')}; --packages lists them"
