"""Floor 1, pure. Webhooks as frozen values: which events each wants, and what became of a delivery."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from prefect_ledger.errors import InvalidValue
from prefect_ledger.registry_events import ACTIONS, EVENTS

State: TypeAlias = Literal["waiting", "done", "dead", "dropped"]
PING = "prefect-ledger.webhook.ping"
_NAMESPACE = uuid.UUID("0f5c2a52-6a3e-5d07-8a5b-9b3a1c55d7f0")
_LONGEST = 250


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where events of the registry are posted. ``secret`` says where the key of its signatures is: ``env:NAME`` or ``block:NAME``.

    ``waiting`` and ``dead`` count its deliveries as of when it was read.
    """

    id: int
    url: str
    secret: str
    events: tuple[str, ...] = ("*",)
    model: str = "*"
    allow_private: bool = False
    author: str = ""
    created_at: datetime | None = None
    removed_at: datetime | None = None
    waiting: int = 0
    dead: int = 0

    def wants(self, name: str, model: str) -> bool:
        """Whether an event of this name, about this model ("" for the registry as a whole), is for it.

        Example:
            >>> hook = Webhook(1, "https://hooks.example", "env:KEY", events=("request.*",), model="churn*")
            >>> hook.wants("prefect-ledger.registry.request.opened", "churn-eu"), hook.wants("prefect-ledger.registry.policy.set", "")
            (True, False)
        """
        action = name.removeprefix(EVENTS)
        return any(fnmatchcase(action, one) for one in self.events) and fnmatchcase(model, self.model)

    @property
    def place(self) -> str:
        """Scheme, host and port of its URL, all of it that may be told to everybody: what follows can be a secret."""
        return place(self.url)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to a webhook. ``status`` and ``answer`` are what came back last: 0 and the reason where nothing did."""

    webhook: int
    seq: int
    event: str
    state: State
    tries: int = 0
    due: int = 0
    status: int = 0
    answer: str = ""
    ended_at: datetime | None = None

    @property
    def id(self) -> str:
        """The same at every try, so that whoever was told twice knows it."""
        return delivery_id(self.webhook, str(self.seq))


def delivery_id(webhook: int, what: str) -> str:
    """The id of what is sent to a webhook."""
    return str(uuid.uuid5(_NAMESPACE, f"{webhook}/{what}"))


def place(url: str) -> str:
    """Scheme, host and port of a URL.

    Example:
        >>> place("https://hooks.example:8443/services/T0/B0/x?key=1")
        'https://hooks.example:8443'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def shown_way(way: str) -> str:
    """A way that alerts are told, without what may be secret in it: of a URL, scheme, host and port.

    Example:
        >>> shown_way("https://hooks.example/services/T0/B0/x"), shown_way("block:slack-webhook/team")
        ('https://hooks.example', 'block:slack-webhook/team')
    """
    return place(way) if "://" in way else way


def check_events(events: str | Sequence[str]) -> tuple[str, ...]:
    """Names or patterns of events, without what all of them begin with; a text has commas between them.

    Raises:
        InvalidValue: there is none, or one that no event can have.

    Example:
        >>> check_events("version.moved, prefect-ledger.registry.request.*")
        ('version.moved', 'request.*')
    """
    said = events.split(",") if isinstance(events, str) else list(events)
    found = tuple(str(one).strip().removeprefix(EVENTS) for one in said)
    for one in found:
        if not any(fnmatchcase(action, one) for action in ACTIONS):
            raise InvalidValue(f"no event is named {one!r:.80}: names or patterns of {', '.join(ACTIONS)}")
    if not found:
        raise InvalidValue("say which events a webhook is for: '*' for all")
    return tuple(dict.fromkeys(found))


def check_pattern(model: object) -> str:
    """``model`` if it can be the name or pattern of registered models.

    Raises:
        InvalidValue: otherwise.
    """
    if not isinstance(model, str) or not model.strip() or len(model) > _LONGEST or not model.isprintable():
        raise InvalidValue(f"a webhook is for models of a name or pattern of 1 to {_LONGEST} characters, not {model!r:.80}")
    return model
