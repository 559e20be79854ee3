"""Floor 5. Asking that a version go to a stage: judged at once, on evidence that is kept; and taking that back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.errors import InvalidValue, RegistryConflict, TransitionRefused, VoteRefused
from prefect_ledger.registered import check_stage
from prefect_ledger.registry import evidence as kept
from prefect_ledger.registry import given
from prefect_ledger.registry.access import WHERE_IT_IS, changing, check_request, check_text, check_version, looking, who
from prefect_ledger.registry.history import with_last_champion
from prefect_ledger.registry.rules import canonical_rule, policy_now
from prefect_ledger.registry.settling import LEDGER, champion_of, ended, open_request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prefect_ledger.gates import Holdout, Report, Side
    from prefect_ledger.identities import Identity
    from prefect_ledger.policies import Rule
    from prefect_ledger.queries.registered import Known
    from prefect_ledger.registered import ModelVersion, TransitionRequest
    from prefect_ledger.request_store import Asking

STATES = ("open", "done", "rejected", "withdrawn", "expired", "void")


def request_transition(
    name: str,
    version: int | str,
    stage: str,
    *,
    holdout: Holdout | None = None,
    latency: Mapping[str, Sequence[float]] | None = None,
    facts: Mapping[str, Any] | None = None,
    beside: int | str | None = WHERE_IT_IS,
    why: str = "",
    by: Identity | str | None = None,
) -> TransitionRequest:
    """Ask that a version go to a stage: its gates are judged now, on evidence that is kept, and the request waits for its approvals.

    The evidence is what the ledger recorded of the candidate and of the champion (the version in production now), with ``holdout``
    what both predicted for the same rows, and ``latency``: measured seconds of single predictions of the "candidate" and the "champion".
    ``beside`` is the version that these were measured beside, None where there was no champion: if it is said, and another is there by
    now, nothing is asked. A request whose gates do not pass is kept too, as rejected: look at ``passed`` and ``report``. One's own older
    request for the same version and stage, if it is open, becomes void, which takes an identity as strong as it was asked with.

    Raises:
        TransitionRefused: the version is in the stage already. RegistryConflict: somebody else's request for the same is open, or champion
            or policy changed while it was measured or judged. RegisteredModelNotFound, VersionNotFound, InvalidName, InvalidValue.
            StoreUnavailable, ArtifactsUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> asked = registry.request_transition("churn", 3, "production", why="better on June", by="alice")
        >>> asked.state, asked.champion
        ('open', 2)
    """
    from prefect_ledger import request_store as store
    from prefect_ledger.gates import Evidence, judge, parse_gate
    from prefect_ledger.queries import registered

    stage, number = check_stage(stage), check_version(version)
    said, by = check_text(why, "a reason"), who(by)
    times, more = given.times(latency), given.facts_of(facts)
    given.check_holdout(holdout)
    with looking() as tx:
        seen = _look(tx, name, number, stage, times, by)
    if beside is not WHERE_IT_IS:
        _check_beside(seen, None if beside is None else check_version(beside))
    evidence = Evidence(seen.candidate, seen.champion, holdout, {**more, **seen.facts})
    report = judge([parse_gate(gate) for gate in seen.rule.gates], evidence)
    parts = kept.keep(evidence)
    asking = _asking(seen, parts.digest, report)
    with changing() as chain:
        row = registered.known(chain.tx, name)
        _check_same(chain.tx, seen)
        for older, why_over in _in_its_place(chain.tx, row, number, stage, by, chain.now):
            store.close(chain, row, older, *(why_over or ("void", "asked anew")), LEDGER if why_over else by)
        kept.write(chain, parts)
        return with_last_champion(chain.tx, store.request(chain.tx, store.add_request(chain, row, number, asking, by, said)))


def withdraw(request: int, why: str = "", *, by: Identity | str | None = None) -> TransitionRequest:
    """Take one's own request back.

    Raises:
        VoteRefused: it is somebody else's, was asked for with a stronger identity, or has ended. RequestNotFound. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> asked = registry.request_transition("churn", 3, "production", by="alice")
        >>> registry.withdraw(asked.id, "not yet", by="alice").state
        'withdrawn'
    """
    from prefect_ledger import request_store as store
    from prefect_ledger.queries import registered

    request, said, by = check_request(request), check_text(why, "a reason"), who(by)
    with changing() as chain:
        one = open_request(chain, request)
        if by.person != one.requester.person:
            raise VoteRefused(f"request {one.id} is {one.requester.name}'s: {by.name} can reject it, not withdraw it")
        if weak := _weaker(one, by):
            raise VoteRefused(f"request {one.id} {weak}: withdraw it as who asked")
        store.close(chain, registered.known(chain.tx, one.name, deleted=True), one, "withdrawn", f"withdrawn by {by.name}", by, said)
        return with_last_champion(chain.tx, store.request(chain.tx, request))


def get_request(request: int) -> TransitionRequest:
    """The request of this number, with its report and votes.

    Raises:
        RequestNotFound. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> asked = registry.request_transition("churn", 3, "production", by="alice")
        >>> registry.get_request(asked.id).passed
        True
    """
    from prefect_ledger import request_store as store

    with looking() as tx:
        return with_last_champion(tx, store.request(tx, check_request(request)))


def list_requests(name: str | None = None, *, state: str | None = None, limit: int = 1000) -> list[TransitionRequest]:
    """Requests, the newest first; of one registered model, and in one state ("open"), where these are given.

    Raises:
        RegisteredModelNotFound. InvalidValue: of the limit. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> [one.version for one in registry.list_requests("churn", state="done")]
        [2, 1]
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


class _Seen(NamedTuple):
    """What a request is judged on and by, as it was before the judgement."""

    one: ModelVersion
    stage: str
    policy: int
    rule: Rule
    candidate: Side
    champion: Side | None
    facts: Mapping[str, Any]
    standing: Mapping[str, Any]


def _look(tx: Any, name: str, number: int, stage: str, times: Mapping[str, tuple[float, ...]], by: Identity) -> _Seen:
    """What the ledger says of a version and of the champion.

    Raises:
        TransitionRefused: it is in the stage already. RegistryConflict: somebody else asks for the same.
    """
    from prefect_ledger.queries import registered

    one, policy = registered.version(tx, name, number), policy_now(tx)
    if one.stage == stage:
        raise TransitionRefused(f"version {number} of {name!r} is in {stage} already")
    _in_its_place(tx, registered.known(tx, name), number, stage, by)
    champion, rule = champion_of(tx, one, stage), policy.policy.rule(name, stage)
    facts = {"policy": policy.version, "policy_digest": policy.policy.digest, "stage": stage, **kept.facts(tx, one)}
    candidate = kept.side(tx, one, times.get("candidate", ()))
    rival = None if champion is None else kept.side(tx, champion, times.get("champion", ()))
    standing = kept.standing(tx, one, champion, tags=kept.by_tags(rule.gates))
    return _Seen(one, stage, policy.version, rule, candidate, rival, facts, standing)


def _check_beside(seen: _Seen, number: int | None) -> None:
    """Refuse what was measured beside another version than the one that it would be judged beside.

    Raises:
        RegistryConflict.
    """
    now = None if seen.champion is None else seen.champion.version
    if now != number:
        then, there = (f"version {number}" if number else "no champion"), (f"version {now} is" if now else "none is")
        what = f"version {seen.one.version} of {seen.one.name!r}"
        raise RegistryConflict(f"{what} was measured beside {then}, and {there} in production now: measure it again")


def _asking(seen: _Seen, evidence: str, report: Report) -> Asking:
    """The request as it begins: open, or rejected by its gates."""
    from prefect_ledger.request_store import Asking

    failed = "; ".join(verdict.reason for verdict in report.verdicts if not verdict.passed)
    state = ("open", "") if report.passed else ("rejected", f"gates did not pass: {failed}")
    champion = None if seen.champion is None else seen.champion.version
    judged = (evidence, seen.standing, report.to_json(), report.passed)
    return Asking(seen.stage, champion, *judged, seen.policy, canonical_rule(seen.rule), seen.rule.expires, *state)


def _check_same(tx: Any, seen: _Seen) -> None:
    """Refuse to open a request on what was changed while it was judged.

    Raises:
        RegistryConflict.
    """
    from prefect_ledger.queries import registered

    name, number = seen.one.name, seen.one.version
    if policy_now(tx).version != seen.policy:
        raise RegistryConflict(f"the policy was set anew while version {number} of {name!r} was judged: ask again")
    candidate = registered.version(tx, name, number)
    now = kept.standing(tx, candidate, champion_of(tx, candidate, seen.stage), tags="tags" in seen.standing["candidate"])
    if why := kept.changed(seen.standing, now):
        raise RegistryConflict(f"while version {number} of {name!r} was judged, {why}: ask again")


def _in_its_place(
    tx: Any, row: Known, number: int, stage: str, by: Identity, now: int | None = None
) -> list[tuple[TransitionRequest, tuple[str, str] | None]]:
    """The open requests for a version and stage that end when this person asks, each with what ended it already, if anything did.

    Raises:
        RegistryConflict: one that holds is somebody else's, or was asked for with a stronger identity.
    """
    from prefect_ledger import request_store as store

    older = [(one, ended(tx, one, now)) for one in store.requests(tx, row, version=number, stage=stage, state="open")]
    for one in (one for one, over in older if not over):
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
