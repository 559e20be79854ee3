"""Floor 6. Prefect's server as work in the background asks it, which may outlast the flow that it was asked for in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient


def server_is_named() -> bool:
    """Whether a server of Prefect is named: one begun for this alone would end with us, and nobody would hear it."""
    from prefect.settings import get_current_settings

    return get_current_settings().api.url is not None


def own_client() -> SyncPrefectClient:
    """A client that nobody else has: the one that Prefect hands out inside a flow is closed when the flow ends."""
    from prefect.client.orchestration import get_client

    return get_client(httpx_settings={}, sync_client=True)  # with settings of its own, even none, it is not the flow's


def post_events(said: Sequence[Mapping[str, Any]]) -> None:
    """Send events. Raises what Prefect's client raises when the server cannot be reached or refuses."""
    with own_client() as client:
        client._client.post("/events", json=[dict(one) for one in said]).raise_for_status()
