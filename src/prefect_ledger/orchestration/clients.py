"""Floor 6. A client of Prefect for work in the background, which may outlast the flow that it was asked for in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient


def own_client() -> SyncPrefectClient:
    """A client that nobody else has: the one that Prefect hands out inside a flow is closed when the flow ends."""
    from prefect.client.orchestration import get_client

    return get_client(httpx_settings={}, sync_client=True)  # with settings of its own, even none, it is not the flow's
