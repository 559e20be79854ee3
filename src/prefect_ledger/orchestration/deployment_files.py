"""Floor 6. Deployments of a project as the text of a ``prefect.yaml``, which ``prefect deploy`` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from prefect_ledger.errors import InvalidValue
from prefect_ledger.orchestration.deployment_schedules import yaml_of
from prefect_ledger.projects.deployments import ENTRYPOINT, Deployment, Planned

if TYPE_CHECKING:
    from prefect_ledger.orchestration.deployment_targets import Target

_HEAD = """\
# Deployments of a project. With prefect-ledger installed where the worker runs:
#
#   prefect --no-prompt deploy --all
#
# The form that Prefect makes of this file has one field, `parameters`, for those of the entry point; values of other types are refused when
# a run begins. `prefect-ledger project deploy` without --write makes a form with a field for each, and has them refused before.
"""


def as_yaml(planned: Planned, target: Target) -> str:
    """The text of the file.

    Raises:
        InvalidValue: a value has braces, which Prefect would fill in.
    """
    document = {
        "pull": [],  # the flow is in the package; left out, it would be the folder of whoever deploys
        "deployments": [_entry(one, target) for one in planned.deployments],
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    if "{{" in text:
        line = next(line for line in text.splitlines() if "{{" in line)
        raise InvalidValue(
            f"in a prefect.yaml, {{{{ }}}} is a place that Prefect fills in, and it stands in {line.strip()!r:.120}: deploy without it"
        )
    return _HEAD + text


def _entry(one: Deployment, target: Target) -> dict[str, Any]:
    pool: dict[str, Any] = {"name": target.pool}
    if target.queue:
        pool["work_queue_name"] = target.queue
    if variables := target.variables:
        pool["job_variables"] = variables
    found: dict[str, Any] = {"name": one.name, "description": one.description, "entrypoint": ENTRYPOINT}
    found |= {"parameters": dict(one.parameters), "work_pool": pool}
    if target.tags:
        found["tags"] = list(target.tags)
    if target.concurrency_limit is not None:
        found["concurrency_limit"] = target.concurrency_limit
    if target.schedules:
        found["schedules"] = [yaml_of(slug, schedule) for slug, schedule in target.read_schedules()]
    return found
