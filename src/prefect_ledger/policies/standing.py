"""Floor 5, pure. How a request stands: which votes count, and why others do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prefect_ledger.identities import Identity
from prefect_ledger.policies.durations import duration_text, moment
from prefect_ledger.policies.rules import Rule, listed
from prefect_ledger.policies.votes import Asked, Vote


@dataclass(frozen=True, slots=True)
class Standing:
    """How a request stands. ``approved``, ``rejected`` and ``expired`` are never true together; all are false while it waits, and
    when it was withdrawn. ``missing`` is the number of approvals still wanted, ``reason`` says it in a sentence."""

    approved: bool
    rejected: bool
    expired: bool
    counted: tuple[Vote, ...]
    missing: int
    reason: str


def deadline(rule: Rule, asked: Asked) -> int:
    """The microsecond from which the request is expired."""
    return asked.opened + rule.expires


def refusal(rule: Rule, asked: Asked, vote: Vote, votes_so_far: Sequence[Vote], now: int) -> str | None:
    """Why ``vote`` does not count, in a sentence that names who and what; None where it counts.

    Args:
        rule: what ``Policy.rule`` gave for the model and the stage.
        asked: the request.
        vote: what somebody says now.
        votes_so_far: what was said before it, in that order; those that did not count do not hinder it.
        now: microseconds.

    Example:
        >>> from prefect_ledger.identities import Strength
        >>> rule = Rule("churn", "production", approvals=1)
        >>> alice = Identity("alice", Strength.OS)
        >>> refusal(rule, Asked(alice, alice, opened=0), Vote(alice, True, at=1), (), now=1)
        'alice made the version, and the rule asks for somebody else'
    """
    return _refusal(rule, asked, vote, _counted(rule, asked, votes_so_far), max(now, vote.at))


def standing(rule: Rule, asked: Asked, votes: Sequence[Vote], now: int) -> Standing:
    """How the request stands at ``now``, from all that was said, in the order in which it was said.

    A vote counts if it did at its own time. One rejection that counts ends the request; an approved request that nobody carried out
    expires like any other.

    Example:
        >>> from prefect_ledger.identities import Strength
        >>> rule = Rule("churn", "production", approvals=1)
        >>> alice, bob = (Identity(name, Strength.OS) for name in ("alice", "bob"))
        >>> standing(rule, Asked(alice, alice, opened=0), [Vote(bob, True, at=5)], now=10).approved
        True
    """
    counted = _counted(rule, asked, votes)
    rejection = next((vote for vote in counted if not vote.approve), None)
    missing = max(0, rule.approvals - sum(vote.approve for vote in counted))
    expired = not asked.withdrawn and rejection is None and now >= deadline(rule, asked)
    approved = not asked.withdrawn and rejection is None and not expired and not missing
    if asked.withdrawn:
        reason = "the request was withdrawn"
    elif rejection is not None:
        reason = _rejected(rejection)
    elif expired:
        reason = _expired(rule, asked)
    elif missing:
        reason = f"{missing} of {rule.approvals} approvals {'is' if missing == 1 else 'are'} missing{_by(counted)}"
    else:
        reason = _by(counted).removeprefix(", ") if counted else "the rule asks for no approval"
    return Standing(approved, rejection is not None and not asked.withdrawn, expired, counted, missing, reason)


def _counted(rule: Rule, asked: Asked, votes: Sequence[Vote]) -> tuple[Vote, ...]:
    counted: tuple[Vote, ...] = ()
    for vote in votes:
        if _refusal(rule, asked, vote, counted, vote.at) is None:
            counted += (vote,)
    return counted


def _refusal(rule: Rule, asked: Asked, vote: Vote, counted: tuple[Vote, ...], at: int) -> str | None:
    """The first reason that holds: those of the request itself, then of the person, then of what they saw."""
    if asked.withdrawn:
        return "the request was withdrawn"
    if at >= deadline(rule, asked):
        return _expired(rule, asked)
    if rejection := next((one for one in counted if not one.approve), None):
        return _rejected(rejection)
    return _not_theirs(rule, asked, vote.by) or _again(vote, counted) or rule.too_weak(vote.by) or _other_evidence(asked, vote)


def _not_theirs(rule: Rule, asked: Asked, who: Identity) -> str | None:
    if rule.exclude_author:
        for one, did in ((asked.author, "made the version"), (asked.requester, "opened the request")):
            if who.person == one.person:
                return f"{who.name} {did}, and the rule asks for somebody else"
    if rule.approvers and not listed(who, rule.approvers):
        return f"{who.name} is none of the approvers of {rule.model} in {rule.stage}: {', '.join(rule.approvers)}"
    return None


def _again(vote: Vote, counted: tuple[Vote, ...]) -> str | None:
    before = next((one for one in counted if one.by.person == vote.by.person), None)
    return None if before is None else f"{vote.by.name} has approved already, on {moment(before.at)}, and each person counts once"


def _other_evidence(asked: Asked, vote: Vote) -> str | None:
    if vote.evidence == asked.evidence:
        return None
    seen, now = (f"{digest:.12}…" if digest else "none" for digest in (vote.evidence, asked.evidence))
    return f"{vote.by.name} was shown other evidence ({seen}) than the request has ({now}): look at it again"


def _expired(rule: Rule, asked: Asked) -> str:
    opened, ended = moment(asked.opened), moment(deadline(rule, asked))
    return f"the request of {asked.requester.name} expired on {ended}, {duration_text(rule.expires)} after it was opened on {opened}"


def _rejected(vote: Vote) -> str:
    return f"{vote.by.name} rejected the request on {moment(vote.at)}" + (f": {vote.comment}" if vote.comment else "")


def _by(counted: tuple[Vote, ...]) -> str:
    return f", approved by {', '.join(vote.by.name for vote in counted)}" if counted else ""
