"""Asks an ASGI application, without a network."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

from prefect_ledger.serving.app import App


class Answer(NamedTuple):
    """Status, body and headers."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Pause:
    """Where a body stops half way, until it may go on."""

    def __init__(self) -> None:
        self.reached, self.over = asyncio.Event(), asyncio.Event()


class Client:
    """One who asks."""

    def __init__(self, app: App) -> None:
        self.app = app

    def get(self, path: str, method: str = "GET") -> Answer:
        return asyncio.run(self.ask(method, path, b"", ""))

    def post(self, body: Any, content_type: str = "application/json", path: str = "/invocations") -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return asyncio.run(self.ask("POST", path, data, content_type))

    def posts(self, bodies: list[Any]) -> list[Answer]:
        """All at once."""

        async def together() -> list[Answer]:
            return list(
                await asyncio.gather(*(self.ask("POST", "/invocations", json.dumps(one).encode(), "application/json") for one in bodies))
            )

        return asyncio.run(together())

    async def ask(self, method: str, path: str, body: bytes, content_type: str, parts: int = 1, pause: Pause | None = None) -> Answer:
        """One request, its body in so many parts, the last of which comes after the ``pause``."""
        size = max(1, -(-len(body) // parts))
        pieces = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
        messages = [{"type": "http.request", "body": one, "more_body": True} for one in pieces]
        messages[-1]["more_body"] = False
        sent: list[Any] = []

        async def receive() -> Any:
            if pause is not None and len(messages) == 1:
                pause.reached.set()
                await pause.over.wait()
            if messages:
                return messages.pop(0)
            await asyncio.sleep(3600)
            return None

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"content-type", content_type.encode())] if content_type else []
        await self.app({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
        start, *rest = sent
        found = {key.decode(): value.decode() for key, value in start["headers"]}
        return Answer(start["status"], b"".join(one["body"] for one in rest), found)
