"""Floor 1, pure. A change of the registry as the event that tells of it: the same for Prefect and for webhooks."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from prefect_ledger.entities import to_datetime

EVENTS = "prefect-ledger.registry."  # what the names of all these events begin with
_NAMESPACE = uuid.UUID("7d4f7c1e-6f0b-5b0e-9d9e-3f1c6a1e2b4d")

ACTIONS = (
    *("model.created", "model.renamed", "model.deleted", "model.restored"),
    *("version.registered", "version.moved", "version.deleted", "version.restored"),
    *("alias.moved", "described", "tagged", "annotated", "reviewed"),
    *("request.opened", "request.approved", "request.rejected", "request.closed"),
    *("policy.set", "glass.broken", "webhook.added", "webhook.removed"),
)


def event(number: int, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The event of an audit row as Prefect's API takes it. Its payload is the row, with its number and hash."""
    at = to_datetime(payload["at"])
    assert at is not None
    model, version = payload["name"], payload["version"]
    resource = {"prefect.resource.id": f"prefect-ledger.model.{model or 'registry'}", "prefect.resource.name": model or "registry"}
    if version is not None:
        resource["prefect-ledger.version"] = str(version)
    for key in ("stage", "state"):  # what automations match by: the payload they cannot
        if isinstance(value := payload["after"].get(key), str):
            resource[f"prefect-ledger.{key}"] = value
    return {
        "id": str(uuid.uuid5(_NAMESPACE, payload["hash"])),
        "occurred": at.isoformat(),
        "event": name,
        "resource": resource,
        "related": [],
        "payload": {**payload, "seq": number},
    }
