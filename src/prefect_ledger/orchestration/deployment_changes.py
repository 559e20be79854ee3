"""Floor 6. What deploying again says to Prefect, and what that changes in the deployment that is there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from prefect_ledger.formats import short
from prefect_ledger.masking import mask_value
from prefect_ledger.orchestration.deployment_schedules import shown
from prefect_ledger.projects.deployments import ENTRYPOINT, Deployment

if TYPE_CHECKING:
    from prefect.client.schemas.objects import DeploymentSchedule
    from prefect.client.schemas.responses import DeploymentResponse

    from prefect_ledger.orchestration.deployment_targets import Target

_SLUG = re.compile(r"schedule-\d{1,6}")
_LENGTH = 60  # of a value that is shown


def said(one: Deployment, target: Target) -> dict[str, Any]:
    """The fields of the deployment. What was left open is not among them, and stays as it is."""
    found: dict[str, Any] = {
        "description": one.description,
        "entrypoint": ENTRYPOINT,
        "parameters": dict(one.parameters),
        "parameter_openapi_schema": dict(one.schema),
        "enforce_parameter_schema": True,
        "work_pool_name": target.pool,
    }
    open_ones = {"work_queue_name": target.queue, "concurrency_limit": target.concurrency_limit}
    found |= {name: value for name, value in open_ones.items() if value is not None}
    if target.tags:
        found["tags"] = sorted(set(target.tags))
    if target.job_variables is not None or target.image is not None:
        found["job_variables"] = target.variables
    return found


def changes(before: DeploymentResponse, one: Deployment, target: Target) -> list[str]:
    """What is other than in ``before``, in sentences."""
    found: list[str] = []
    for name, value in said(one, target).items():
        was = _before(before, name)
        if name == "parameter_openapi_schema":
            found += _of_forms(was or {}, value)
        elif isinstance(value, Mapping):
            found += _of_mappings(name, was or {}, value)
        elif was != value:
            found.append(f"{_WORDS.get(name, name)}: {_value(name, was)} → {_value(name, value)}")
    found += _of_schedules(before, target)
    if not found and before.parameter_openapi_schema != one.schema:
        found.append("the form is another")
    return found


def is_ours(schedule: DeploymentSchedule) -> bool:
    """Whether a schedule was said here, and not added by somebody else."""
    return schedule.slug is not None and _SLUG.fullmatch(schedule.slug) is not None


_WORDS = {
    "work_pool_name": "work pool",
    "work_queue_name": "work queue",
    "concurrency_limit": "concurrency limit",
    "enforce_parameter_schema": "types are enforced",
    "job_variables": "job variable",
    "parameters": "parameter",
}


def _before(before: DeploymentResponse, name: str) -> Any:
    if name == "concurrency_limit":
        found = before.global_concurrency_limit
        return found.limit if found is not None else None
    return sorted(before.tags) if name == "tags" else getattr(before, name)


def _of_mappings(what: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            yield f"{_WORDS[what]} {name}: {_value(name, was.get(name))} → {_value(name, now.get(name))}"


def _of_forms(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Parameters of the entry point whose fields are other."""
    old, new = (_object(form).get("properties") or {} for form in (was, now))
    for name in sorted({*old, *new}):
        if name not in new:
            yield f"the form has no {name} any more"
        elif name not in old:
            yield f"the form has {name} ({_kind(new[name])})"
        elif _facts(old[name]) != _facts(new[name]):
            yield f"the form's {name}: {_kind(old[name])} → {_kind(new[name])}"


def _object(form: Mapping[str, Any]) -> Mapping[str, Any]:
    found = (form.get("properties") or {}).get("parameters")
    return found if isinstance(found, Mapping) else {}


def _facts(field: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in field.items() if name != "position"}, sort_keys=True)


def _kind(field: Mapping[str, Any]) -> str:
    kind = "one of " + ", ".join(map(str, field["enum"])) if field.get("enum") else str(field.get("type", "any"))
    return kind + (f", {field['default']} if not given" if "default" in field else "")


def _of_schedules(before: DeploymentResponse, target: Target) -> Iterator[str]:
    if not target.schedules:
        return
    was = {one.slug or "": shown(one.schedule) for one in before.schedules if is_ours(one)}
    now = {slug: shown(schedule) for slug, schedule in target.read_schedules()}
    for slug in sorted({*was, *now}):
        if was.get(slug) != now.get(slug):
            yield f"schedule: {was.get(slug, 'none')} → {now.get(slug, 'none')}"


def _value(name: str, value: Any) -> str:
    return "nothing" if value in (None, "", [], {}) else short(mask_value(name, value), _LENGTH)
