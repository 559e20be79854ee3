"""What these tests ask again and again."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import warnings
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import Artifact

from prefect_ledger import Run, search_runs

T = TypeVar("T")


def the_run(experiment: str) -> Run:
    """The one run of this experiment."""
    (run,) = search_runs(experiment)
    return run


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run``, without a word about the sockets that Prefect's client leaves to the collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            return asyncio.run(work)
        finally:
            gc.collect()


def cards_of(run_id: str) -> list[Artifact]:
    """The artifacts that Prefect has of this flow run now, the oldest first; not those that stand for results."""
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[UUID(run_id)])))
    return sorted((one for one in found if one.key), key=lambda one: (one.created is not None, one.created))


def table(artifact: Artifact) -> dict[str, tuple[Any, ...]]:
    """The rows of a table of metrics, by name."""
    assert isinstance(artifact.data, str)
    return {row["metric"]: (row["last"], row["step"], row["points"]) for row in json.loads(artifact.data)}


def heard(resource: str, wanted: Callable[[list[dict[str, Any]]], bool] = bool) -> list[dict[str, Any]]:
    """The events of a resource that the server knows, once ``wanted`` says that they are there, the oldest first."""
    asked = {"filter": {"resource": {"id": [resource]}, "order": "ASC"}, "limit": 50}
    deadline = time.monotonic() + 30
    while True:
        with get_client(sync_client=True) as client:
            answer = client._client.post("/events/filter", json=asked)
            answer.raise_for_status()
            found: list[dict[str, Any]] = answer.json()["events"]
        if wanted(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.2)
