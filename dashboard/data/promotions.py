"""Requests to move versions: asked of the registry, kept for seconds, and forgotten when somebody votes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import streamlit as st

from prefect_ledger import registry
from prefect_ledger.identities import Identity
from prefect_ledger.promotion.promoter import lacking
from prefect_ledger.registered import TransitionRequest
from prefect_ledger.registry.replaying import evidence_record

STATES = ("open", "done", "rejected", "withdrawn", "expired", "void")
MOST = 500


class Line(NamedTuple):
    """A request in a list."""

    id: int
    name: str
    version: int
    stage: str
    state: str
    passed: bool
    agreed: int
    wanted: int
    requester: Identity
    opened_at: datetime
    expires_at: datetime
    reason: str
    lacks: str


class Judged(NamedTuple):
    """What came of judging a request again."""

    same: bool
    passed: bool
    differences: tuple[str, ...]


@st.cache_data(ttl=3, max_entries=32, show_spinner=False)
def listed(name: str | None, state: str | None, limit: int = MOST) -> list[Line]:
    """Requests, the newest first: of one model and in one state, where these are given."""
    return [_line(one) for one in registry.list_requests(name, state=state, limit=limit)]


def get(request: str) -> TransitionRequest:
    """A request as it is this moment: what people decide by is never an older one."""
    return registry.get_request(request)  # type: ignore[arg-type]  # a text that is no number is refused in words


@st.cache_data(ttl=600, max_entries=16, show_spinner=False)
def evidence(request: int, digest: str) -> dict[str, Any]:  # noqa: ARG001 - the digest is what the answer is kept by
    """What a request was judged on, without the rows of its holdout; the same for a digest as long as it lasts."""
    return evidence_record(request)


@st.cache_data(ttl=600, max_entries=16, show_spinner=False)
def replayed(request: int, digest: str) -> Judged:  # noqa: ARG001 - as above
    """What the gates say of the same evidence now."""
    done = registry.replay(request)
    return Judged(done.same, done.report.passed, done.differences)


@st.cache_data(ttl=30, max_entries=2, show_spinner=False)
def names() -> list[str]:
    """Registered models, deleted ones too."""
    return [one.name for one in registry.list_models(deleted=True, limit=5_000)]


def approve(request: int, comment: str, evidence: str, by: Identity) -> str:
    """Agree, to what was shown; returns what comes next, in a sentence.

    Raises:
        VoteRefused and the others of :func:`prefect_ledger.registry.approve`.
    """
    return _voted("approved", registry.approve(request, comment, evidence=evidence, by=by))


def reject(request: int, comment: str, evidence: str, by: Identity) -> str:
    """Refuse it, which ends it.

    Raises:
        VoteRefused and the others of :func:`prefect_ledger.registry.reject`.
    """
    return _voted("rejected", registry.reject(request, comment, evidence=evidence, by=by))


def withdraw(request: int, why: str, by: Identity) -> str:
    """Take one's own request back.

    Raises:
        VoteRefused and the others of :func:`prefect_ledger.registry.withdraw`.
    """
    return _voted("withdrawn", registry.withdraw(request, why, by=by))


def state_now(one: TransitionRequest | Line) -> str:
    """Its state; of one that nobody has closed yet although its time is over, "expired"."""
    return "expired" if one.state == "open" and one.expires_at <= datetime.now(UTC) else one.state


def agreed(one: TransitionRequest) -> int:
    """How many approvals it has; what did not count was never recorded."""
    return sum(bool(vote["approve"]) for vote in one.votes)


def wanted(rule: Mapping[str, Any]) -> int:
    """How many approvals a rule wants."""
    return int(rule.get("approvals", 0))


def forget() -> None:
    """Let everybody see the requests as they are now."""
    listed.clear()


def _voted(word: str, one: TransitionRequest) -> str:
    forget()
    if word != "approved":
        return f"Request {one.id} is {word}."
    return f"Approved. {_sentence(lacking(one)) or 'Nothing is missing: the promotion can be carried out.'}"


def _line(one: TransitionRequest) -> Line:
    about = (one.id, one.name, one.version, one.stage, one.state, one.passed, agreed(one), wanted(one.rule))
    return Line(*about, Identity(one.requester.name, one.requester.strength), one.opened_at, one.expires_at, one.reason, lacking(one))


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}." if words else ""
