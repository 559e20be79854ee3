"""What a run was made of, and what was made of it."""

from __future__ import annotations

from collections.abc import Iterator

from prefect_ledger import search_runs
from prefect_ledger.entities import LoggedModel, Run
from prefect_ledger.errors import LedgerError

from ..charts.lineage import Thing, Way
from . import run as runs

_MADE = "predictions"  # the context of data that a run wrote
_ASKERS = 20  # runs that used a model, of each
_BEFORE, _HERE, _MADE_HERE, _MODELS, _AFTER = range(5)  # columns


def of(run: Run) -> tuple[list[Thing], list[Way]]:
    """Data and runs that went into it, its models and what they became, each thing once."""
    things: dict[str, Thing] = {run.id: Thing(run.id, "this run", run.name or run.id[:8], run.id[:8], _HERE)}
    ways: list[Way] = []
    for thing, way in (*_before(run), *_data(run), *_after(run), *_models(run)):
        things.setdefault(thing.id, thing)
        ways.append(way)
    return list(things.values()), list(dict.fromkeys(ways))


Found = Iterator[tuple[Thing, Way]]


def _before(run: Run) -> Found:
    if run.parent_id:
        yield Thing(run.parent_id, "run", runs.name_of(run.parent_id), "parent", _BEFORE), Way(run.parent_id, run.id, "parent of")
    sources = dict.fromkeys(one.source_run_id for one in run.task_runs if one.source_run_id and one.source_run_id != run.id)
    for source in sources:
        if source:
            yield Thing(source, "run", runs.name_of(source), "its results were cached", _BEFORE), Way(source, run.id, "computed for")


def _data(run: Run) -> Found:
    for one in run.datasets:
        wrote = one.context == _MADE
        thing = Thing(f"data {one.name} {one.digest}", "data", one.name, one.digest[:12], _MADE_HERE if wrote else _BEFORE)
        yield thing, Way(run.id, thing.id, "wrote") if wrote else Way(thing.id, run.id, "used by")


def _after(run: Run) -> Found:
    for child in run.children:
        yield Thing(child.id, "run", child.name or child.id[:8], "child", _MADE_HERE), Way(run.id, child.id, "parent of")


def _models(run: Run) -> Found:
    models = run.models
    versions = runs.versions(models)
    for model in models:
        yield Thing(model.id, "model", model.name, model.flavor, _MADE_HERE), Way(run.id, model.id, "logged")
        for one in versions.get(model.id, ()):
            version = Thing(one.uri, "version", f"{one.name} {one.version}", ", ".join((one.stage, *one.aliases)), _MODELS)
            yield version, Way(model.id, version.id, "became")
        for asker in _askers(model):
            if asker.id != run.id:
                yield Thing(asker.id, "run", asker.name or asker.id[:8], "used the model", _AFTER), Way(model.id, asker.id, "asked by")


def _askers(model: LoggedModel) -> list[Run]:
    try:
        found: list[Run] = list(search_runs(filter=f"tags.model_id = '{model.id}'", limit=_ASKERS))
    except LedgerError:
        return []
    return found
