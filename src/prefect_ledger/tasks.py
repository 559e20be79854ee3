"""Floor 7. The verbs of logging and of the registry as Prefect tasks: the same names and arguments, seen as task runs of the flow that
calls them. Verbs that log take ``run=`` too, a run or its id; without it they mean the run, and the task, they are called from.

from prefect_ledger import tasks

@tracked_flow
def promote(name: str, version: int):
    tasks.log_table({"word": ["a"], "score": [0.5]}, "words", step=0)
    tasks.transition(name, version, "production", why="nightly")
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prefect import Task
from prefect.context import TaskRunContext

from prefect_ledger import registry
from prefect_ledger.tracking import context, verbs
from prefect_ledger.tracking.ledger import ledger, open_run
from prefect_ledger.tracking.runs import ActiveRun

if TYPE_CHECKING:
    from typing import ParamSpec, TypeVar

    from prefect_ledger.entities import Run

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = [
    "alert",
    "annotate",
    "approve",
    "as_of",
    "audit_head",
    "create_model",
    "delete_model",
    "delete_version",
    "describe_model",
    "describe_version",
    "get_evidence",
    "get_model",
    "get_policy",
    "get_request",
    "get_version",
    "history",
    "list_models",
    "list_requests",
    "list_versions",
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
    "notes",
    "previous",
    "register_logged",
    "register_model",
    "reject",
    "rename_model",
    "replay",
    "request_transition",
    "restore_model",
    "restore_version",
    "rollback",
    "search_versions",
    "set_alias",
    "set_policy",
    "set_tag",
    "set_tags",
    "settle",
    "tag_model",
    "tag_version",
    "transition",
    "undo",
    "verify_audit",
    "withdraw",
]


def _task(verb: Callable[P, R]) -> Task[P, R]:
    # A result from the cache would be a change that did not happen.
    return Task(verb, name=verb.__name__.replace("_", "-"), cache_policy=_no_cache(), tags=["prefect-ledger"])


def _no_cache() -> Any:
    from prefect.cache_policies import NO_CACHE

    return NO_CACHE


def _logging(verb: Callable[..., R]) -> Task[..., R]:
    """The verb as a task that takes ``run=`` beside the verb's own arguments."""

    @functools.wraps(verb)
    def log(*args: Any, run: ActiveRun | Run | str | None = None, **named: Any) -> R:
        with context.using(_of_caller() if run is None else _named(run)):
            return verb(*args, **named)

    given = inspect.signature(verb)
    more = inspect.Parameter("run", inspect.Parameter.KEYWORD_ONLY, default=None)
    log.__signature__ = given.replace(parameters=[*given.parameters.values(), more])  # type: ignore[attr-defined]
    return _task(log)


def _named(run: ActiveRun | Run | str) -> ActiveRun:
    if isinstance(run, ActiveRun):
        return run
    given: Any = getattr(run, "id", run)
    return open_run(given)


def _of_caller() -> ActiveRun:
    """The run that is meant here: of the flow or task that called, never of the task run that the verb itself is."""
    run, here = context.active(), TaskRunContext.get()
    if here is not None and run.task_run_id == str(here.task_run.id):
        return ledger().enter(run.id, attempt=run.attempt, owner=False)
    return run


alert = _logging(verbs.alert)
log_artifact = _logging(verbs.log_artifact)
log_artifacts = _logging(verbs.log_artifacts)
log_bytes = _logging(verbs.log_bytes)
log_dataset = _logging(verbs.log_dataset)
log_dict = _logging(verbs.log_dict)
log_figure = _logging(verbs.log_figure)
log_image = _logging(verbs.log_image)
log_metric = _logging(verbs.log_metric)
log_metrics = _logging(verbs.log_metrics)
log_model = _logging(verbs.log_model)
log_param = _logging(verbs.log_param)
log_params = _logging(verbs.log_params)
log_series = _logging(verbs.log_series)
log_table = _logging(verbs.log_table)
log_text = _logging(verbs.log_text)
set_tag = _logging(verbs.set_tag)
set_tags = _logging(verbs.set_tags)

annotate = _task(registry.annotate)
approve = _task(registry.approve)
as_of = _task(registry.as_of)
audit_head = _task(registry.audit_head)
create_model = _task(registry.create_model)
delete_model = _task(registry.delete_model)
delete_version = _task(registry.delete_version)
describe_model = _task(registry.describe_model)
describe_version = _task(registry.describe_version)
get_evidence = _task(registry.get_evidence)
get_model = _task(registry.get_model)
get_policy = _task(registry.get_policy)
get_request = _task(registry.get_request)
get_version = _task(registry.get_version)
history = _task(registry.history)
list_models = _task(registry.list_models)
list_requests = _task(registry.list_requests)
list_versions = _task(registry.list_versions)
notes = _task(registry.notes)
previous = _task(registry.previous)
register_logged = _task(registry.register_logged)
register_model = _task(registry.register_model)
reject = _task(registry.reject)
rename_model = _task(registry.rename_model)
replay = _task(registry.replay)
request_transition = _task(registry.request_transition)
restore_model = _task(registry.restore_model)
restore_version = _task(registry.restore_version)
rollback = _task(registry.rollback)
search_versions = _task(registry.search_versions)
set_alias = _task(registry.set_alias)
set_policy = _task(registry.set_policy)
settle = _task(registry.settle)
tag_model = _task(registry.tag_model)
tag_version = _task(registry.tag_version)
transition = _task(registry.transition)
undo = _task(registry.undo)
verify_audit = _task(registry.verify_audit)
withdraw = _task(registry.withdraw)
