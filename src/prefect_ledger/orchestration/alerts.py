"""Floor 6. Alerts as Prefect's notification blocks say them."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from typing import Any

from prefect_ledger.errors import InvalidSettings


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
