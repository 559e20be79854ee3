"""Floor 6. Runs and what belongs to them as plain records, the way ``--json`` writes them."""

from __future__ import annotations

import dataclasses
from typing import Any

from prefect_ledger.entities import Alert, Experiment, LoggedModel, Run
from prefect_ledger.usage import Usage


def experiment_record(experiment: Experiment) -> dict[str, Any]:
    """All of an experiment."""
    return {
        "id": experiment.id,
        "name": experiment.name,
        "lifecycle": experiment.lifecycle,
        "created_at": experiment.created_at,
        "description": experiment.description,
        "tags": dict(experiment.tags),
    }


def run_record(run: Run) -> dict[str, Any]:
    """What a listing has of a run: its row, parameters, last values and tags. ``duration`` is in seconds."""
    record = {field.name: getattr(run, field.name) for field in dataclasses.fields(run) if field.name != "reader"}
    return record | {"status": str(run.status), "duration": run.duration}


def alert_record(alert: Alert) -> dict[str, Any]:
    """All of an alert."""
    return _fields(alert)


def model_record(model: LoggedModel) -> dict[str, Any]:
    """All that the ledger's row says of a model, and the reference that means it."""
    return _fields(model) | {"uri": model.uri}


def whole_record(run: Run) -> dict[str, Any]:
    """All of a run but the points of its metrics."""
    return run_record(run) | {
        "summaries": {key: _fields(summary) for key, summary in run.summaries.items()},
        "usage": _usage(run.usage),
        "watched": {key: _fields(summary) for key, summary in run.watched.items()},
        "models": [model_record(model) for model in run.models],
        "artifacts": [_fields(artifact) for artifact in run.artifacts],
        "datasets": [_fields(dataset) for dataset in run.datasets],
        "task_runs": [_fields(task) | {"cost": task.cost} for task in run.task_runs],
        "attempts": [_fields(attempt) for attempt in run.attempts],
        "alerts": [_fields(alert) for alert in run.alerts],
        "notes": run.notes,
        "children": [child.id for child in run.children],
        "facts": run.facts,
    }


def _usage(usage: Usage) -> dict[str, Any]:
    """Seconds; ``cost`` is None where the settings name no price."""
    tasks = {task: _fields(used) for task, used in usage.tasks.items()}
    sums = {name: _fields(used) for name, used in (("own", usage.own), ("children", usage.children), ("total", usage.total))}
    return {**sums, "tasks": tasks, "cost": usage.cost}


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
