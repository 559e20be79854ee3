"""Floor 5. Asking that a version go to a stage: judged at once, agreed to by people, void when what was judged is no longer so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_ledger.entities import to_micros
from prefect_ledger.errors import InvalidValue, RegistryConflict, TransitionRefused, VoteRefused
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.registered import JUDGED, check_stage
from prefect_ledger.registry import evidence as kept
from prefect_ledger.registry import given
from prefect_ledger.registry.access import changing, check_request, check_text, check_version, looking, who
from prefect_ledger.registry.rules import canonical_rule, policy_now, rule_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prefect_ledger.audit_store import Chain
    from prefect_ledger.gates import Holdout
    from prefect_ledger.policies import Asked, Policy, Rule, Vote
    from prefect_ledger.queries.registered import Known
    from prefect_ledger.registered import ModelVersion, TransitionRequest

LEDGER = Identity("prefect-ledger", Strength.CLAIMED, "by itself, from what it has recorded")
STATES = ("open", "done", "rejected", "withdrawn", "expired", "void")
_SIGNATURE = 20_000  # characters


def request_transition(
    name: str,
    version: int | str,
    stage: str,
    *,
    holdout: Holdout | None = None,
    latency: Mapping[str, Sequence[float]] | None = None,
    facts: Mapping[str, Any] | None = None,
    why: str = "",
    by: Identity | str | None = None,
) -> TransitionRequest:
    """Ask that a version go to a stage: its gates are judged now, on evidence that is kept, and the request waits for its approvals.

    The evidence is what the ledger recorded of the candidate and of the champion (the version in production now), with ``holdout``
    what both predicted for the same rows, and ``latency``: measured seconds of single predictions of the "candidate" and the "champion".
    A request whose gates do not pass is kept too, as rejected: look at ``passed`` and ``report``. One's own older request for the same
    version and stage, if it is open, becomes void, which takes an identity as strong as it was asked with.

    Raises:
        TransitionRefused: the version is in the stage already. RegistryConflict: somebody else's request for the same is open, or champion
            or policy changed while it was judged. RegisteredModelNotFound, VersionNotFound, InvalidName, InvalidValue. StoreUnavailable,
            ArtifactsUnavailable.
    """
    from prefect_ledger import request_store as store
    from prefect_ledger.gates import Evidence, judge, parse_gate
    from prefect_ledger.queries import registered

    stage, number = check_stage(stage), check_version(version)
    said, by = check_text(why, "a reason"), who(by)
    times, more = given.times(latency), given.facts_of(facts)
    given.check_holdout(holdout)
    with looking() as tx:
        one, policy = registered.version(tx, name, number), policy_now(tx)
        champion = _champion(tx, one, stage)
        if one.stage == stage:
            raise TransitionRefused(f"version {number} of {name!r} is in {stage} already")
        _in_its_place(tx, registered.known(tx, name), number, stage, by)
        rule = policy.policy.rule(name, stage)
        told = {"policy": policy.version, "policy_digest": policy.policy.digest, "stage": stage, **kept.facts(tx, one)}
        candidate = kept.side(tx, one, times.get("candidate", ()))
        rival = None if champion is None else kept.side(tx, champion, times.get("champion", ()))
        seen = kept.standing(tx, one, champion, tags=kept.by_tags(rule.gates))
    evidence = Evidence(candidate, rival, holdout, {**more, **told})
    report = judge([parse_gate(gate) for gate in rule.gates], evidence)
    parts = kept.keep(evidence)
    failed = "; ".join(verdict.reason for verdict in report.verdicts if not verdict.passed)
    state = ("open", "") if report.passed else ("rejected", f"gates did not pass: {failed}")
    before = None if champion is None else champion.version
    judged = (parts.digest, seen, report.to_json(), report.passed)
    asking = store.Asking(stage, before, *judged, policy.version, canonical_rule(rule), rule.expires, *state)
    with changing() as chain:
        row = registered.known(chain.tx, name)
        _check_same(chain.tx, name, one, stage, seen, policy.version)
        for older, ended in _in_its_place(chain.tx, row, number, stage, by, chain.now):
            store.close(chain, row, older, *(ended or ("void", "asked anew")), LEDGER if ended else by)
        kept.write(chain, parts)
        return store.request(chain.tx, store.add_request(chain, row, number, asking, by, said))


def approve(
    request: int,
    comment: str = "",
    *,
    evidence: str | None = None,
    signature: str | None = None,
    by: Identity | str | None = None,
) -> TransitionRequest:
    """Agree to a request; returns it as it is now. ``evidence`` is the digest of what was looked at, where that is to be made sure of.

    Where the policy lists signers and ``PREFECT_LEDGER_IDENTITY_KEY`` names a key of one, the vote is signed with it; ``signature`` is one
    that was made elsewhere, of what :func:`to_sign` gives. It stands in the audit log with the vote.

    Raises:
        VoteRefused: it does not count, for the reason that the message says: the person made the version or asked for it, has voted
            already, may not, is known too weakly; the request ended, expired, or what was judged is no longer so. RequestNotFound.
            StoreUnavailable.
    """
    return _vote(request, True, comment, evidence, signature, by)


def reject(
    request: int, comment: str, *, evidence: str | None = None, signature: str | None = None, by: Identity | str | None = None
) -> TransitionRequest:
    """Refuse a request, which ends it; returns it as it is now. Arguments and what is raised are those of :func:`approve`."""
    return _vote(request, False, comment, evidence, signature, by)


def to_sign(request: int, *, approves: bool = True) -> bytes:
    """What somebody signs (``ssh-keygen -Y sign -n prefect-ledger``) who approves or rejects a request: all that it must not be taken for
    another's by.

    Raises:
        RequestNotFound. StoreUnavailable.
    """
    from prefect_ledger import request_store as store

    with looking() as tx:
        return _statement(store.request(tx, check_request(request)), policy_now(tx).policy, approves)


def withdraw(request: int, why: str = "", *, by: Identity | str | None = None) -> TransitionRequest:
    """Take one's own request back.

    Raises:
        VoteRefused: it is somebody else's, was asked for with a stronger identity, or has ended. RequestNotFound. StoreUnavailable.
    """
    from prefect_ledger import request_store as store
    from prefect_ledger.queries import registered

    request, said, by = check_request(request), check_text(why, "a reason"), who(by)
    with changing() as chain:
        one = _open(chain, request)
        if by.person != one.requester.person:
            raise VoteRefused(f"request {one.id} is {one.requester.name}'s: {by.name} can reject it, not withdraw it")
        if weak := _weaker(one, by):
            raise VoteRefused(f"request {one.id} {weak}: withdraw it as who asked")
        store.close(chain, registered.known(chain.tx, one.name, deleted=True), one, "withdrawn", f"withdrawn by {by.name}", by, said)
        return store.request(chain.tx, request)


def get_request(request: int) -> TransitionRequest:
    """The request of this number, with its report and votes.

    Raises:
        RequestNotFound. StoreUnavailable.
    """
    from prefect_ledger import request_store as store

    with looking() as tx:
        return store.request(tx, check_request(request))


def list_requests(name: str | None = None, *, state: str | None = None, limit: int = 1000) -> list[TransitionRequest]:
    """Requests, the newest first; of one registered model, and in one state ("open"), where these are given.

    Raises:
        RegisteredModelNotFound. InvalidValue: of the limit. StoreUnavailable.
    """
    from prefect_ledger import request_store as store
    from prefect_ledger.queries import registered
    from prefect_ledger.queries.search import check_limit

    check_limit(limit)
    if state is not None and state not in STATES:
        raise InvalidValue(f"a request is {', '.join(STATES[:-1])} or {STATES[-1]}, not {state!r:.80}")
    with looking() as tx:
        row = None if name is None else registered.known(tx, name, deleted=True)
        return store.requests(tx, row, state=state, limit=limit)


def settle(name: str | None = None, version: int | None = None, stage: str | None = None) -> list[TransitionRequest]:
    """End open requests that expired, or whose candidate, champion, data or policy is not what was judged; returns these.

    That happens by itself when somebody votes or moves a version; this is for schedules, and for all at once.

    Raises:
        RegisteredModelNotFound. StoreUnavailable.
    """
    from prefect_ledger import request_store as store
    from prefect_ledger.queries import registered

    version, stage = None if version is None else check_version(version), None if stage is None else check_stage(stage)
    with looking() as tx:
        row = None if name is None else registered.known(tx, name, deleted=True)
        found = store.requests(tx, row, version=version, stage=stage, state="open", limit=50_000)
        ended = [one.id for one in found if _ended(tx, one)]
    if not ended:
        return []
    with changing() as chain:
        for request in ended:
            one = store.request(chain.tx, request)
            if one.state == "open" and (why := _ended(chain.tx, one)):
                store.close(chain, registered.known(chain.tx, one.name, deleted=True), one, *why, LEDGER)
        return [store.request(chain.tx, request) for request in ended]


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
    if why := _ended(chain.tx, latest, chain.now):
        raise TransitionRefused(f"{where}: request {latest.id} is {why[0]}: {why[1]}")
    stands = policies.standing(_rule(latest), _asked(chain.tx, latest), _votes(latest), chain.now)
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
        if why := _ended(chain.tx, one, chain.now):
            store.close(chain, row, one, *why, LEDGER)


# --- what a vote and a request rest on -------------------------------------------------------------------------------------


def _vote(
    request: int, approves: bool, comment: str, evidence: str | None, signature: str | None, by: Identity | str | None
) -> TransitionRequest:
    from prefect_ledger import policies
    from prefect_ledger import request_store as store
    from prefect_ledger.queries import registered

    request, said = check_request(request), check_text(comment, "a comment", needed=not approves)
    by, signature, policy = _voter(request, approves, signature, by)
    _settle_one(request)
    with changing() as chain:
        one = _open(chain, request)
        if signature is not None and policy_now(chain.tx).policy.digest != policy:
            raise VoteRefused(f"request {one.id}: the policy was set anew while this was signed: look again, then sign that")
        rule, asked, votes = _rule(one), _asked(chain.tx, one), _votes(one)
        vote = policies.Vote(by, approves, chain.now, said, one.evidence if evidence is None else evidence)
        if refused := policies.refusal(rule, asked, vote, votes, chain.now):
            raise VoteRefused(f"request {one.id} ({one.name} {one.version} to {one.stage}): {refused}")
        row = registered.known(chain.tx, one.name)
        if rule.exclude_author and by.person == _trainer(chain.tx, row, one):
            raise VoteRefused(f"request {one.id}: {by.name} ran what logged this model, and the rule asks for somebody else")
        store.add_vote(chain, row, one, approves, by, said, signature or "")
        if not approves:
            store.close(chain, row, one, "rejected", f"rejected by {by.name}: {said}", by)
        return store.request(chain.tx, request)


def _voter(request: int, approves: bool, signature: str | None, by: Identity | str | None) -> tuple[Identity, str | None, str]:
    """Who votes, their signature and the digest of the policy whose keys it was checked with: a signed identity is one whose signature of
    this very vote was checked here."""
    from prefect_ledger import request_store as store
    from prefect_ledger.registry import callers

    with looking() as tx:
        policy = policy_now(tx).policy
        told = _statement(store.request(tx, request), policy, approves)
    if signature is not None:
        said: object = signature
        if not isinstance(said, str) or not said.isascii() or len(said) > _SIGNATURE:
            raise InvalidValue(f"a signature is the text that ssh-keygen -Y sign writes, not {said!r:.80}")
        return callers.verify(told, signature, policy.allowed_signers()), signature, policy.digest
    if by is None and policy.signers and (found := callers.signed_caller(told, policy.allowed_signers())):
        return *found, policy.digest
    by = who(by)
    if by.strength is Strength.SIGNED:
        raise VoteRefused(
            f"request {request}: {by.name} is said to have signed, and no signature is given: signature=, of to_sign({request})"
        )
    return by, None, policy.digest


def _statement(one: TransitionRequest, policy: Policy, approves: bool) -> bytes:
    from prefect_ledger.policies import statement

    verb = "approve" if approves else "reject"
    of = (one.id, one.name, one.version, one.stage)
    return statement(verb, request=of[0], model=of[1], version=of[2], stage=of[3], evidence=one.evidence, policy=policy.digest)


def _open(chain: Chain, request: int) -> TransitionRequest:
    from prefect_ledger import request_store as store

    one = store.request(chain.tx, request)
    if one.state != "open":
        raise VoteRefused(f"request {one.id} ({one.name} {one.version} to {one.stage}) is {one.state}: {one.reason}")
    if why := _ended(chain.tx, one, chain.now):
        raise VoteRefused(f"request {one.id} ({one.name} {one.version} to {one.stage}) is {why[0]}: {why[1]}")
    return one


def _settle_one(request: int) -> None:
    from prefect_ledger import request_store as store

    with looking() as tx:
        one = store.request(tx, request)
        ended = one.state == "open" and _ended(tx, one)
    if ended:
        settle(one.name, one.version, one.stage)


def _ended(tx: Any, one: TransitionRequest, now: int | None = None) -> tuple[str, str] | None:
    """In which state an open request ought to be by now, and why; None where it is open rightly."""
    import time

    from prefect_ledger import policies
    from prefect_ledger.errors import EvidenceCorrupt, NotFound
    from prefect_ledger.queries import registered

    asked, rule = _asked(tx, one), _rule(one)
    if (time.time_ns() // 1000 if now is None else now) >= policies.deadline(rule, asked):
        return "expired", policies.standing(rule, asked, _votes(one), policies.deadline(rule, asked)).reason
    policy = policy_now(tx).policy
    if canonical_rule(policy.rule(one.name, one.stage)) != one.rule:
        return "void", f"the policy asks for other things of {one.name!r} in {one.stage} since: ask again"
    if name := _revoked(tx, one, policy):
        return "void", f"the policy does not list the key any more that {name} signed with: ask again"
    try:
        candidate = registered.version(tx, one.name, one.version)
        tags = "tags" in (one.standing["candidate"] or ())
        now_so = kept.standing(tx, candidate, _champion(tx, candidate, one.stage), tags=tags)
        kept.check_text(tx, one.evidence)
    except (NotFound, EvidenceCorrupt) as error:
        return "void", str(error)
    why = kept.changed(one.standing, now_so)
    return ("void", f"what was judged is not so any more: {why}; ask again") if why else None


def _revoked(tx: Any, one: TransitionRequest, policy: Policy) -> str:
    """Who signed a vote while they had a key that the policy lists no more; "" where nobody did."""
    for said in one.votes:
        if said["strength"] == Strength.SIGNED:
            then = policy_now(tx, until=said["at"]).policy.signers.get(said["voter"], ())
            if not set(then).issubset(policy.signers.get(said["voter"], ())):
                return str(said["voter"])
    return ""


def _champion(tx: Any, candidate: ModelVersion, stage: str) -> ModelVersion | None:
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


def _check_same(tx: Any, name: str, one: ModelVersion, stage: str, seen: Mapping[str, Any], policy: int) -> None:
    from prefect_ledger.queries import registered

    if policy_now(tx).version != policy:
        raise RegistryConflict(f"the policy was set anew while version {one.version} of {name!r} was judged: ask again")
    candidate = registered.version(tx, name, one.version)
    now = kept.standing(tx, candidate, _champion(tx, candidate, stage), tags="tags" in seen["candidate"])
    if why := kept.changed(seen, now):
        raise RegistryConflict(f"while version {one.version} of {name!r} was judged, {why}: ask again")


def _in_its_place(
    tx: Any, row: Known, number: int, stage: str, by: Identity, now: int | None = None
) -> list[tuple[TransitionRequest, tuple[str, str] | None]]:
    """The open requests for a version and stage that end when this person asks, each with what ended it already, if anything did.

    Raises:
        RegistryConflict: one that holds is somebody else's, or was asked for with a stronger identity.
    """
    from prefect_ledger import request_store as store

    older = [(one, _ended(tx, one, now)) for one in store.requests(tx, row, version=number, stage=stage, state="open")]
    for one in (one for one, ended in older if not ended):
        about = f"request {one.id} (version {number} of {row.name!r} to {stage})"
        if one.requester.person != by.person:
            whose = one.requester.name
            raise RegistryConflict(f"{about} is {whose}'s, and open: vote on it, or have {whose} withdraw it, then ask")
        if weak := _weaker(one, by):
            raise RegistryConflict(f"{about} {weak}: ask anew as who asked, or have it rejected")
    return older


def _weaker(one: TransitionRequest, by: Identity) -> str:
    """Why ``by`` is not known well enough to end what they asked for themselves; "" where they are."""
    if by.strength.at_least(one.requester.strength):
        return ""
    then = f"was asked for by {one.requester.name} known by {one.requester.strength!s}"
    return f"{then}, and {by.name} is known by {by.strength!s} alone"


def _rule(one: TransitionRequest) -> Rule:
    return rule_of(dict(one.rule))


def _asked(tx: Any, one: TransitionRequest) -> Asked:
    from prefect_ledger.policies import Asked
    from prefect_ledger.queries import registered

    author = registered.any_version(tx, registered.known(tx, one.name, deleted=True), one.version).author
    return Asked(author, one.requester, to_micros(one.opened_at), one.evidence, one.state == "withdrawn")


def _trainer(tx: Any, row: Known, one: TransitionRequest) -> str:
    """The person whose process logged the model, whoever registered it; "" where that is not known."""
    from prefect_ledger.identities import person
    from prefect_ledger.queries import details, registered

    runs = details.runs(tx, [registered.any_version(tx, row, one.version).run_id], None)
    return person(runs[0].user) if runs and runs[0].user else ""


def _votes(one: TransitionRequest) -> list[Vote]:
    from prefect_ledger.policies import Vote

    return [
        Vote(Identity(said["voter"], said["strength"], said["how"]), said["approve"], said["at"], said["comment"], said["evidence"])
        for said in one.votes
    ]
