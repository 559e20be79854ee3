"""Floor 7. The front door of prefect-ledger: every public name, loaded when it is first used.

Importing this costs next to nothing on top of Prefect; numpy, SQLModel and alembic come with the first thing that needs them.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from prefect_ledger import sources as _sources
from prefect_ledger.tracking import context as _context

if TYPE_CHECKING:
    from prefect_ledger.entities import Alert, Experiment, LoggedModel, Run, RunStatus, Summary
    from prefect_ledger.errors import LedgerError
    from prefect_ledger.exporting.job import export_runs
    from prefect_ledger.models.predictor import Predictor
    from prefect_ledger.models.saving import save_model
    from prefect_ledger.models.schema import Signature
    from prefect_ledger.orchestration import TrackedFlow, TrackedTask, tracked_flow, tracked_task
    from prefect_ledger.orchestration.blocks import LedgerStore
    from prefect_ledger.orchestration.project_deployments import deploy_project
    from prefect_ledger.orchestration.reconcile import reconcile
    from prefect_ledger.projects.handle import ProjectRun
    from prefect_ledger.projects.running import run_project
    from prefect_ledger.scoring.job import score
    from prefect_ledger.series import Series
    from prefect_ledger.settings import Settings
    from prefect_ledger.tracking.alerts import search_alerts
    from prefect_ledger.tracking.cleaning import collect_garbage
    from prefect_ledger.tracking.deletion import delete_runs, restore_runs
    from prefect_ledger.tracking.editing import describe_run, rename_run, tag_runs
    from prefect_ledger.tracking.errands import Errand
    from prefect_ledger.tracking.experiments import (
        create_experiment,
        delete_experiment,
        describe_experiment,
        get_experiment,
        rename_experiment,
        restore_experiment,
        search_experiments,
        tag_experiment,
    )
    from prefect_ledger.tracking.ledger import configure, open_run, start_run
    from prefect_ledger.tracking.models import load_model, load_predictor, search_models
    from prefect_ledger.tracking.reading import get_run, search_runs
    from prefect_ledger.tracking.returns import Artifact, Dataset, Metrics, Model
    from prefect_ledger.tracking.runs import ActiveRun
    from prefect_ledger.tracking.seeds import set_seed
    from prefect_ledger.tracking.snapshots import dataset
    from prefect_ledger.tracking.verbs import (
        alert,
        current_run,
        log_artifact,
        log_artifacts,
        log_bytes,
        log_dataset,
        log_dict,
        log_figure,
        log_image,
        log_metric,
        log_metrics,
        log_model,
        log_param,
        log_params,
        log_series,
        log_table,
        log_text,
        set_tag,
        set_tags,
    )

__version__ = "0.1.0"

_HOME = {
    "ActiveRun": "tracking.runs",
    "Alert": "entities",
    "Artifact": "tracking.returns",
    "Dataset": "tracking.returns",
    "Experiment": "entities",
    "LedgerError": "errors",
    "LedgerStore": "orchestration.blocks",
    "LoggedModel": "entities",
    "Metrics": "tracking.returns",
    "Model": "tracking.returns",
    "Predictor": "models.predictor",
    "ProjectRun": "projects.handle",
    "Run": "entities",
    "RunStatus": "entities",
    "Series": "series",
    "Settings": "settings",
    "Signature": "models.schema",
    "Summary": "entities",
    "TrackedFlow": "orchestration",
    "TrackedTask": "orchestration",
    "alert": "tracking.verbs",
    "collect_garbage": "tracking.cleaning",
    "configure": "tracking.ledger",
    "create_experiment": "tracking.experiments",
    "current_run": "tracking.verbs",
    "dataset": "tracking.snapshots",
    "delete_experiment": "tracking.experiments",
    "delete_runs": "tracking.deletion",
    "deploy_project": "orchestration.project_deployments",
    "describe_experiment": "tracking.experiments",
    "describe_run": "tracking.editing",
    "export_runs": "exporting.job",
    "get_experiment": "tracking.experiments",
    "get_run": "tracking.reading",
    "load_model": "tracking.models",
    "load_predictor": "tracking.models",
    "log_artifact": "tracking.verbs",
    "log_artifacts": "tracking.verbs",
    "log_bytes": "tracking.verbs",
    "log_dataset": "tracking.verbs",
    "log_dict": "tracking.verbs",
    "log_figure": "tracking.verbs",
    "log_image": "tracking.verbs",
    "log_metric": "tracking.verbs",
    "log_metrics": "tracking.verbs",
    "log_model": "tracking.verbs",
    "log_param": "tracking.verbs",
    "log_params": "tracking.verbs",
    "log_series": "tracking.verbs",
    "log_table": "tracking.verbs",
    "log_text": "tracking.verbs",
    "open_run": "tracking.ledger",
    "reconcile": "orchestration.reconcile",
    "rename_experiment": "tracking.experiments",
    "rename_run": "tracking.editing",
    "save_model": "models.saving",
    "restore_experiment": "tracking.experiments",
    "restore_runs": "tracking.deletion",
    "run_project": "projects.running",
    "score": "scoring.job",
    "search_alerts": "tracking.alerts",
    "search_experiments": "tracking.experiments",
    "search_models": "tracking.models",
    "search_runs": "tracking.reading",
    "set_seed": "tracking.seeds",
    "set_tag": "tracking.verbs",
    "set_tags": "tracking.verbs",
    "start_run": "tracking.ledger",
    "tag_experiment": "tracking.experiments",
    "tag_runs": "tracking.editing",
    "tracked_flow": "orchestration",
    "tracked_task": "orchestration",
}

__all__ = [
    "ActiveRun",
    "Alert",
    "Artifact",
    "Dataset",
    "Experiment",
    "LedgerError",
    "LedgerStore",
    "LoggedModel",
    "Metrics",
    "Model",
    "Predictor",
    "ProjectRun",
    "Run",
    "RunStatus",
    "Series",
    "Settings",
    "Signature",
    "Summary",
    "TrackedFlow",
    "TrackedTask",
    "alert",
    "collect_garbage",
    "configure",
    "create_experiment",
    "current_run",
    "dataset",
    "delete_experiment",
    "delete_runs",
    "deploy_project",
    "describe_experiment",
    "describe_run",
    "export_runs",
    "get_experiment",
    "get_run",
    "load_model",
    "load_predictor",
    "log_artifact",
    "log_artifacts",
    "log_bytes",
    "log_dataset",
    "log_dict",
    "log_figure",
    "log_image",
    "log_metric",
    "log_metrics",
    "log_model",
    "log_param",
    "log_params",
    "log_series",
    "log_table",
    "log_text",
    "open_run",
    "reconcile",
    "rename_experiment",
    "rename_run",
    "restore_experiment",
    "restore_runs",
    "run_project",
    "save_model",
    "score",
    "search_alerts",
    "search_experiments",
    "search_models",
    "search_runs",
    "set_seed",
    "set_tag",
    "set_tags",
    "start_run",
    "tag_experiment",
    "tag_runs",
    "tracked_flow",
    "tracked_task",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'prefect_ledger' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"prefect_ledger.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def _run_of_prefect() -> Any:
    """The run that Prefect is running here, when Prefect is here at all."""
    if "prefect" not in sys.modules:
        return None
    from prefect_ledger.orchestration.context import resolve

    return resolve()


def _block_values(name: str) -> Any:
    from prefect_ledger.orchestration import blocks

    return blocks.values(name)


def _block_address(name: str) -> str:
    from prefect_ledger.orchestration import blocks

    return blocks.address(name)


def _secret(name: str) -> str | None:
    from prefect_ledger.orchestration import blocks

    return blocks.secret(name)


def _send_events() -> None:
    """Post what changed in the registry to webhooks, and tell Prefect of it, where it is here or a server of it is named."""
    from prefect_ledger.webhooks import background

    background.deliver_soon()
    if _may_reach_prefect():
        from prefect_ledger.orchestration import outbox

        outbox.send_soon()


def _may_reach_prefect() -> bool:
    """Whether it is worth the import of Prefect to see whether a server of it is named."""
    return "prefect" in sys.modules or bool(os.environ.get("PREFECT_API_URL"))


def _tell_alerts() -> None:
    """Have alerts told behind the back of who said one, where the settings name somebody, or Prefect may be reached; nothing is loaded
    for it before that."""
    from prefect_ledger.tracking.ledger import ledger

    if ledger().settings.alert_to or _may_reach_prefect():
        _telling().soon()


def _tell_what_waits() -> None:
    from prefect_ledger.webhooks import telling

    telling.tell_where_there_is_a_way()


@functools.cache
def _telling() -> Errand:
    from prefect_ledger.tracking.errands import Errand

    return Errand("alerts", _tell_what_waits)


def _hears_alerts() -> bool:
    if not _may_reach_prefect():
        return False
    from prefect_ledger.orchestration import clients

    return clients.server_is_named()


def _send_event(said: Any) -> None:
    from prefect_ledger.orchestration import clients

    clients.post_events([said])


def _notify(name: str, title: str, text: str) -> None:
    from prefect_ledger.orchestration import alerts

    alerts.notify(name, title, text)


_context.resolver = _run_of_prefect
_context.crier = _tell_alerts
_context.messenger = _send_events
_sources.courier = _sources.Courier(_hears_alerts, _send_event, _notify)
_sources.secret = _secret
_sources.shelf = _sources.Shelf(_block_values, _block_address)
