"""Floor 5. Whether a request still holds: what it rests on, when it has ended, and what a move asks of it and leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_ledger.entities import to_micros
from prefect_ledger.errors import TransitionRefused, VoteRefused
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.registered import JUDGED, check_stage
from prefect_ledger.registry import evidence as kept
from prefect_ledger.registry.access import changing, check_version, looking
from prefect_ledger.registry.rules import canonical_rule, policy_now, rule_of

if TYPE_CHECKING:
    from prefect_ledger.audit_store import Chain
    from prefect_ledger.policies import Asked, Policy, Vote
    from prefect_ledger.queries.registered import Known
    from prefect_ledger.registered import ModelVersion, TransitionRequest

LEDGER = Identity("prefect-ledger", Strength.CLAIMED, "by itself, from what it has recorded")


def settle(name: str | None = None, version: int | None = None, stage: str | None = None) -> list[TransitionRequest]:
    """End open requests that expired, or whose candidate, champion, data or policy is not what was judged; returns these.

    That happens by itself when somebody votes or moves a version; this is for schedules, and for all at once.

    Raises:
        RegisteredModelNotFound. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.settle("churn")
        []
    """
    from prefect_ledger import request_store as store
    from prefect_ledger.queries import registered

    version, stage = None if version is None else check_version(version), None if stage is None else check_stage(stage)
    with looking() as tx:
        row = None if name is None else registered.known(tx, name, deleted=True)
        found = store.requests(tx, row, version=version, stage=stage, state="open", limit=50_000)
        over = [one.id for one in found if ended(tx, one)]
    if not over:
        return []
    with changing() as chain:
        for request in over:
            one = store.request(chain.tx, request)
            if one.state == "open" and (why := ended(chain.tx, one)):
                store.close(chain, registered.known(chain.tx, one.name, deleted=True), one, *why, LEDGER)
        return [store.request(chain.tx, request) for request in over]


def granted(chain: Chain, row: Known, one: ModelVersion, stage: str) -> TransitionRequest:
    """The open request that lets this version into the stage now.

    Raises:
        TransitionRefused: there is none, or it is not approved.
    """
    from prefect_ledger import policies
    from prefect_ledger import request_store as store

    where = f"version {one.version} of {row.name!r} stays in {one.stage}"
    newest = store.requests(chain.tx, row, version=one.version, stage=stage, limit=1)
    if not newest:
        raise TransitionRefused(f"{where}: the policy wants a request; registry.request_transition({row.name!r}, {one.version}, {stage!r})")
    latest = newest[0]
    if latest.state != "open":
        raise TransitionRefused(f"{where}: request {latest.id} is {latest.state}: {latest.reason}")
    if why := ended(chain.tx, latest, chain.now):
        raise TransitionRefused(f"{where}: request {latest.id} is {why[0]}: {why[1]}")
    stands = policies.standing(rule_of(dict(latest.rule)), asked_of(chain.tx, latest), votes_of(latest), chain.now)
    if not (latest.passed and stands.approved):
        raise TransitionRefused(f"{where}: of request {latest.id}, {stands.reason}")
    return latest


def done(chain: Chain, row: Known, request: TransitionRequest, by: Identity) -> None:
    """Say that a request was carried out."""
    from prefect_ledger import request_store as store

    store.close(chain, row, request, "done", f"version {request.version} is in {request.stage}", by)


def spent(chain: Chain, row: Known, number: int, stage: str, by: Identity) -> None:
    """End the open requests that the move of a version leaves behind: its own for this stage, which are not good for another time, and
    those beside another champion, whose approvals must not come back with it."""
    from prefect_ledger import request_store as store

    for one in store.requests(chain.tx, row, version=number, stage=stage, state="open"):
        store.close(chain, row, one, "void", f"version {number} is in {stage} already: it came there without this request", by)
    for one in store.outlived(chain.tx, row):
        if why := ended(chain.tx, one, chain.now):
            store.close(chain, row, one, *why, LEDGER)


def open_request(chain: Chain, request: int) -> TransitionRequest:
    """The request of this number, which is open rightly.

    Raises:
        VoteRefused: it has ended, or ought to have. RequestNotFound.
    """
    from prefect_ledger import request_store as store

    one = store.request(chain.tx, request)
    if one.state != "open":
        raise VoteRefused(f"request {one.id} ({one.name} {one.version} to {one.stage}) is {one.state}: {one.reason}")
    if why := ended(chain.tx, one, chain.now):
        raise VoteRefused(f"request {one.id} ({one.name} {one.version} to {one.stage}) is {why[0]}: {why[1]}")
    return one


# --- what a request rests on -----------------------------------------------------------------------------------------------


def ended(tx: Any, one: TransitionRequest, now: int | None = None) -> tuple[str, str] | None:
    """In which state an open request ought to be by now, and why; None where it is open rightly."""
    import time

    from prefect_ledger import policies
    from prefect_ledger.errors import EvidenceCorrupt, NotFound
    from prefect_ledger.queries import registered

    asked, rule = asked_of(tx, one), rule_of(dict(one.rule))
    if (time.time_ns() // 1000 if now is None else now) >= policies.deadline(rule, asked):
        return "expired", policies.standing(rule, asked, votes_of(one), policies.deadline(rule, asked)).reason
    policy = policy_now(tx).policy
    if canonical_rule(policy.rule(one.name, one.stage)) != one.rule:
        return "void", f"the policy asks for other things of {one.name!r} in {one.stage} since: ask again"
    if name := _revoked(tx, one, policy):
        return "void", f"the policy does not list the key any more that {name} signed with: ask again"
    try:
        candidate = registered.version(tx, one.name, one.version)
        tags = "tags" in (one.standing["candidate"] or ())
        now_so = kept.standing(tx, candidate, champion_of(tx, candidate, one.stage), tags=tags)
        kept.check_text(tx, one.evidence)
    except (NotFound, EvidenceCorrupt) as error:
        return "void", str(error)
    why = kept.changed(one.standing, now_so)
    return ("void", f"what was judged is not so any more: {why}; ask again") if why else None


def champion_of(tx: Any, candidate: ModelVersion, stage: str) -> ModelVersion | None:
    """The version that a candidate for one of these stages is compared with: the one in production."""
    from prefect_ledger.errors import VersionNotFound
    from prefect_ledger.queries import registered

    if stage not in JUDGED:
        return None
    try:
        found = registered.version(tx, candidate.name, "production")
    except VersionNotFound:
        return None
    return None if found.version == candidate.version else found


def asked_of(tx: Any, one: TransitionRequest) -> Asked:
    """A request as far as its rule asks about it."""
    from prefect_ledger.policies import Asked
    from prefect_ledger.queries import registered

    author = registered.any_version(tx, registered.known(tx, one.name, deleted=True), one.version).author
    return Asked(author, one.requester, to_micros(one.opened_at), one.evidence, one.state == "withdrawn")


def votes_of(one: TransitionRequest) -> list[Vote]:
    """What was said to a request, in that order."""
    from prefect_ledger.policies import Vote

    return [
        Vote(Identity(said["voter"], said["strength"], said["how"]), said["approve"], said["at"], said["comment"], said["evidence"])
        for said in one.votes
    ]


def _revoked(tx: Any, one: TransitionRequest, policy: Policy) -> str:
    """Who signed a vote while they had a key that the policy lists no more; "" where nobody did."""
    for said in one.votes:
        if said["strength"] == Strength.SIGNED:
            then = policy_now(tx, until=said["at"]).policy.signers.get(said["voter"], ())
            if not set(then).issubset(policy.signers.get(said["voter"], ())):
                return str(said["voter"])
    return ""
