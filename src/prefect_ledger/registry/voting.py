"""Floor 5. Agreeing to a request, or refusing it: a vote counts, or it is refused with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import InvalidValue, VoteRefused
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.registry.access import changing, check_request, check_text, looking, who
from prefect_ledger.registry.history import with_last_champion
from prefect_ledger.registry.rules import policy_now, rule_of
from prefect_ledger.registry.settling import asked_of, ended, open_request, settle, votes_of

if TYPE_CHECKING:
    from prefect_ledger.policies import Policy
    from prefect_ledger.queries.registered import Known
    from prefect_ledger.registered import TransitionRequest

_SIGNATURE = 20_000  # characters


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

    Example:
        >>> from prefect_ledger import registry
        >>> asked = registry.request_transition("churn", 3, "production", by="alice")
        >>> asked = registry.approve(asked.id, "looked at the report", evidence=asked.evidence, by="bob")
        >>> len(asked.votes)
        1
    """
    return _vote(request, True, comment, evidence, signature, by)


def reject(
    request: int, comment: str, *, evidence: str | None = None, signature: str | None = None, by: Identity | str | None = None
) -> TransitionRequest:
    """Refuse a request, which ends it; returns it as it is now. Arguments and what is raised are those of :func:`approve`.

    Raises:
        What :func:`approve` raises.

    Example:
        >>> from prefect_ledger import registry
        >>> asked = registry.request_transition("churn", 3, "production", by="alice")
        >>> registry.reject(asked.id, "not before the audit", by="bob").state
        'rejected'
    """
    return _vote(request, False, comment, evidence, signature, by)


def to_sign(request: int, *, approves: bool = True) -> bytes:
    """What somebody signs (``ssh-keygen -Y sign -n prefect-ledger``) who approves or rejects a request: all that it must not be taken for
    another's by.

    Raises:
        RequestNotFound. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> asked = registry.request_transition("churn", 3, "production", by="alice")
        >>> b"churn" in registry.to_sign(asked.id)
        True
    """
    from prefect_ledger import request_store as store

    with looking() as tx:
        return _statement(store.request(tx, check_request(request)), policy_now(tx).policy, approves)


def _vote(
    request: int, approves: bool, comment: str, evidence: str | None, signature: str | None, by: Identity | str | None
) -> TransitionRequest:
    from prefect_ledger import policies
    from prefect_ledger import request_store as store
    from prefect_ledger.queries import registered

    request, said = check_request(request), check_text(comment, "a comment", needed=not approves)
    with looking() as tx:
        seen, policy = store.request(tx, request), policy_now(tx).policy
        over = seen.state == "open" and ended(tx, seen)
    by, signature = _voter(seen, policy, approves, signature, by)
    if over:
        settle(seen.name, seen.version, seen.stage)
    with changing() as chain:
        one = open_request(chain, request)
        if signature is not None and policy_now(chain.tx).policy.digest != policy.digest:
            raise VoteRefused(f"request {one.id}: the policy was set anew while this was signed: look again, then sign that")
        rule, asked, votes = rule_of(dict(one.rule)), asked_of(chain.tx, one), votes_of(one)
        vote = policies.Vote(by, approves, chain.now, said, one.evidence if evidence is None else evidence)
        if refused := policies.refusal(rule, asked, vote, votes, chain.now):
            raise VoteRefused(f"request {one.id} ({one.name} {one.version} to {one.stage}): {refused}")
        row = registered.known(chain.tx, one.name)
        if rule.exclude_author and by.person == _trainer(chain.tx, row, one):
            raise VoteRefused(f"request {one.id}: {by.name} ran what logged this model, and the rule asks for somebody else")
        store.add_vote(chain, row, one, approves, by, said, signature or "")
        if not approves:
            store.close(chain, row, one, "rejected", f"rejected by {by.name}: {said}", by)
        return with_last_champion(chain.tx, store.request(chain.tx, request))


def _voter(
    one: TransitionRequest, policy: Policy, approves: bool, signature: str | None, by: Identity | str | None
) -> tuple[Identity, str | None]:
    """Who votes, and their signature: signed is whose signature of this very vote was checked here, with the policy's keys."""
    from prefect_ledger.registry import callers

    told = _statement(one, policy, approves)
    if signature is not None:
        said: object = signature
        if not isinstance(said, str) or not said.isascii() or len(said) > _SIGNATURE:
            raise InvalidValue(f"a signature is the text that ssh-keygen -Y sign writes, not {said!r:.80}")
        return callers.verify(told, signature, policy.allowed_signers()), signature
    if by is None and policy.signers and (found := callers.signed_caller(told, policy.allowed_signers())):
        return found
    by = who(by)
    if by.strength is Strength.SIGNED:
        raise VoteRefused(
            f"request {one.id}: {by.name} is said to have signed, and no signature is given: signature=, of to_sign({one.id})"
        )
    return by, None


def _statement(one: TransitionRequest, policy: Policy, approves: bool) -> bytes:
    from prefect_ledger.policies import statement

    verb = "approve" if approves else "reject"
    of = (one.id, one.name, one.version, one.stage)
    return statement(verb, request=of[0], model=of[1], version=of[2], stage=of[3], evidence=one.evidence, policy=policy.digest)


def _trainer(tx: Any, row: Known, one: TransitionRequest) -> str:
    """The person whose process logged the model, whoever registered it; "" where that is not known."""
    from prefect_ledger.identities import person
    from prefect_ledger.queries import details, registered

    runs = details.runs(tx, [registered.any_version(tx, row, one.version).run_id], None)
    return person(runs[0].user) if runs and runs[0].user else ""
