"""Floor 6. The ways of Prefect by which alerts are told: its events, for automations, and its notification blocks."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Mapping
from typing import Any

from prefect_ledger.errors import InvalidSettings
from prefect_ledger.orchestration.clients import own_client


def here() -> bool:
    """Whether a server of Prefect is named: one begun for this alone would end with us, and nobody would hear it."""
    from prefect.settings import get_current_settings

    return get_current_settings().api.url is not None


def send_event(said: Mapping[str, Any]) -> None:
    """Send one event. Raises what Prefect's client raises when the server cannot be reached or refuses."""
    with own_client() as client:
        client._client.post("/events", json=[dict(said)]).raise_for_status()


def notify(name: str, title: str, text: str) -> None:
    """Have a notification block say it: ``name`` is its type and name, as in ``slack-webhook/team``.

    Raises:
        InvalidSettings: it is no block that notifies. What Prefect raises where there is none, and what the block raises.
    """
    from prefect.blocks.abstract import NotificationBlock
    from prefect.blocks.core import Block

    block = _waited(contextvars.Context().run(Block.load, name))  # not by the client of a flow, which may have ended
    if not isinstance(block, NotificationBlock):
        raise InvalidSettings(f"the block {name!r} is a {type(block).__name__}, and none that notifies, such as slack-webhook/team")
    _waited(block.notify(text, subject=title))


def _waited(answer: Any) -> Any:
    """What a method gave that is sync or async by where it is called, or by whoever wrote the block."""
    return asyncio.run(answer) if inspect.iscoroutine(answer) else answer
