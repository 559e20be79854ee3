"""Floor 6. What the registry knows as plain records, the way ``--json`` writes them, and in the words that pages share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from prefect_ledger.entities import to_datetime
from prefect_ledger.identities import Identity
from prefect_ledger.registered import Change, ModelVersion, Note, RegisteredModel, TransitionRequest


def registry_record(one: RegisteredModel | ModelVersion | Note | Change | TransitionRequest | Identity) -> dict[str, Any]:
    """All of it; an identity within is a record too. A version has its reference beside it, a change not the text that its hash covers.
    Times are datetimes, those of votes too."""
    found = {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}
    made = {key: registry_record(value) if isinstance(value, Identity) else value for key, value in found.items()}
    if isinstance(one, ModelVersion):
        made["uri"] = one.uri
    if isinstance(one, Change):
        del made["content"]
    if isinstance(one, TransitionRequest):
        made |= {"votes": [{**vote, "at": to_datetime(vote["at"])} for vote in one.votes], "missing": missing(one)}
    return made


def person(by: Identity) -> str:
    """A name, and how far it can be believed."""
    return f"{by.name} ({by.strength})"


def agreed(one: TransitionRequest) -> int:
    """How many approvals a request has; what did not count was never recorded."""
    return sum(bool(vote["approve"]) for vote in one.votes)


def missing(one: TransitionRequest) -> int:
    """How many approvals an open request wants still."""
    return max(0, int(one.rule.get("approvals", 0)) - agreed(one))


def state_now(one: TransitionRequest) -> str:
    """The state of a request; of one that nobody has closed yet although its time is over, "expired"."""
    return "expired" if one.state == "open" and one.expires_at <= datetime.now(UTC) else one.state


def approvals(one: TransitionRequest) -> str:
    """``1 of 2``, or "none asked for"."""
    wanted = int(one.rule.get("approvals", 0))
    return f"{agreed(one)} of {wanted}" if wanted else "none asked for"


def tags_text(tags: Mapping[str, str]) -> str:
    """``a=1, b=2``."""
    return ", ".join(f"{key}={value}" for key, value in sorted(tags.items()))
