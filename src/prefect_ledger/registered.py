"""Floor 0. What the registry knows about, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from prefect_ledger.errors import InvalidName
from prefect_ledger.identities import Identity
from prefect_ledger.names import KEY_LIMIT

Stage: TypeAlias = Literal["none", "staging", "production", "archived"]
STAGES: tuple[Stage, ...] = get_args(Stage)
JUDGED: tuple[Stage, ...] = ("production", "staging")  # who asks for one of these is compared with the version in production
_EMPTY: Mapping[str, Any] = MappingProxyType({})


def check_stage(stage: object) -> Stage:
    """``stage`` if it is one.

    Raises:
        InvalidName: otherwise.
    """
    for one in STAGES:
        if one == stage:
            return one
    raise InvalidName(f"a stage is one of {', '.join(STAGES)}, not {stage!r:.80}")


def check_alias(alias: object) -> str:
    """``alias`` if it may be one: a name without spaces that is no stage, no version and not "latest".

    Raises:
        InvalidName: otherwise.
    """
    text = alias.removeprefix("@") if isinstance(alias, str) else ""
    plain = text.replace("-", "").replace("_", "").replace(".", "")
    if not text or len(text) > KEY_LIMIT or not plain.isalnum():
        raise InvalidName(f"an alias is 1 to {KEY_LIMIT} letters, digits, '-', '_' and '.', such as champion, not {alias!r:.80}")
    if text in STAGES or text == "latest" or text.isdecimal() or (text[0] in "vV" and text[1:].isdecimal()):
        raise InvalidName(f"{text!r} cannot be an alias: it means a version, a stage or the latest already")
    return text


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A name in the registry. ``aliases`` and ``stages`` say which version each means now: of a stage, the highest one in it."""

    name: str
    description: str = ""
    latest: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    aliases: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    stages: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    tags: Mapping[str, str] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a registered model. ``logged_id`` is the logged model it is, ``digest`` that of the list of its files."""

    name: str
    version: int
    stage: Stage
    logged_id: str
    run_id: str
    digest: str
    author: Identity
    description: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=lambda: _EMPTY)

    @property
    def uri(self) -> str:
        """The reference that means this version and no other."""
        return f"models:/{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote about a version; a review has a ``verdict``: "approve", "reject" or "comment"."""

    author: Identity
    text: str
    verdict: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the audit log: what was changed, from what to what, by whom, why, and on what evidence.

    ``hash`` covers ``content``, the row's canonical text, and the hash of the row before it.
    """

    seq: int
    at: datetime
    action: str
    name: str
    version: int | None
    by: Identity
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    why: str = ""
    evidence: str = ""
    hash: str = ""
    content: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class TransitionRequest:
    """Somebody asks that a version go to a stage; ``report`` is what its gates said of ``evidence``.

    ``state`` is "open", "done", "rejected", "withdrawn", "expired" or "void"; ``reason`` says why it ended. ``champion`` is the version
    that it was judged beside. Where that is none, ``champion_before`` is the last one before, and ``champion_until`` when it left; where
    that is not said, the version itself was the champion. In lists of requests both are left out.
    """

    id: int
    name: str
    version: int
    stage: Stage
    state: str
    requester: Identity
    champion: int | None
    evidence: str
    passed: bool
    report: Mapping[str, Any]
    policy: int
    opened_at: datetime
    expires_at: datetime
    why: str = ""
    reason: str = ""
    closed_at: datetime | None = None
    votes: tuple[Mapping[str, Any], ...] = ()
    standing: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    rule: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    champion_before: int | None = field(default=None, compare=False)
    champion_until: datetime | None = field(default=None, compare=False)
