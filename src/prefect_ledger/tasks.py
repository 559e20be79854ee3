"""Floor 7. The registry's verbs as Prefect tasks: the same names and arguments, seen as task runs of the flow that calls them.

from prefect_ledger import tasks

@tracked_flow
def promote(name: str, version: int):
    tasks.transition(name, version, "production", why="nightly")
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prefect import Task

from prefect_ledger import registry

if TYPE_CHECKING:
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")


def _task(verb: Callable[P, R]) -> Task[P, R]:
    # A result from the cache would be a change that did not happen.
    return Task(verb, name=verb.__name__.replace("_", "-"), cache_policy=_no_cache(), tags=["prefect-ledger"])


def _no_cache() -> Any:
    from prefect.cache_policies import NO_CACHE

    return NO_CACHE


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
