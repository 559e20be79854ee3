"""Floor 5. Moving a version to another stage: what the policy asks for is there, or nothing is moved."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import TransitionRefused
from prefect_ledger.registered import JUDGED, check_alias, check_stage
from prefect_ledger.registry import settling
from prefect_ledger.registry.access import WHERE_IT_IS, changing, check_text, check_version, looking, who
from prefect_ledger.registry.following import check_by_hand, follow
from prefect_ledger.registry.rules import check_may_leave, policy_now
from prefect_ledger.tracking.ledger import LedgerWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prefect_ledger.audit_store import Chain
    from prefect_ledger.identities import Identity
    from prefect_ledger.policies import Rule
    from prefect_ledger.queries.registered import Known
    from prefect_ledger.registered import ModelVersion, Stage, TransitionRequest


def transition(
    name: str,
    version: int | str,
    stage: str,
    *,
    expected: int | str | None = WHERE_IT_IS,
    aliases: Sequence[str] = (),
    break_glass: bool = False,
    why: str = "",
    by: Identity | str | None = None,
) -> ModelVersion:
    """Move a version to a stage; returns it as it is now. Where the policy says so, the version that was there is archived with it, and
    the aliases that follow the stage mean this one.

    Where the policy has gates or wants approvals, a version moves only by a request (see :func:`request_transition`) that passed its
    gates, has its approvals, is not expired, and whose candidate, champion, data and policy are still what was judged. ``break_glass``
    passes over that, for those whom the policy lets and with a reason, and is written down as such.
    ``aliases`` mean the version then, in the same change; also where it is in the stage already, and nothing else is to be done.

    Several that move versions at the same time: one wins. ``expected`` is the version that was seen in the stage (None: none); where it is
    not given, the one that was there when this was called.

    Raises:
        TransitionRefused: what the policy asks for is missing; the message says what. Nothing was moved.
        RegistryConflict: another version came into the stage meanwhile; nothing was moved. InvalidName, InvalidValue.
        RegisteredModelNotFound, VersionNotFound. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.transition("churn", 3, "staging", why="to be tried", by="alice").stage
        'staging'
    """
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    stage, number = check_stage(stage), check_version(version)
    said, by = check_text(why, "why the rules are passed over" if break_glass else "a reason", needed=break_glass), who(by)
    moving, seen = [check_alias(alias) for alias in aliases], _seen(name, stage, expected)
    settling.settle(name, number, stage)
    with changing() as chain:
        row = registered.known(chain.tx, name)
        one = registered.version(chain.tx, name, number)
        there, evidence = one.stage == stage, ""
        if not there:
            if expected is not WHERE_IT_IS or stage in JUDGED:  # into the others any number may go at once
                store.check_stage_holds(chain, row, stage, seen)
            evidence = _carried_out(chain, row, one, stage, by, said, break_glass=break_glass)
        for alias in moving:
            check_by_hand(chain, row, alias, number)
            store.set_alias(chain, row, alias, number, by, why=said, evidence=evidence)
        moved = registered.version(chain.tx, name, number)
    if break_glass and not there:
        warnings.warn(f"{by.name} passed over the rules: version {number} of {name!r} is in {stage} now", LedgerWarning, stacklevel=2)
    return moved


def _seen(name: str, stage: Stage, expected: int | str | None) -> int | None:
    """The version that the caller saw in the stage, or that is there now where they did not say."""
    from prefect_ledger.queries import registered

    if expected is not WHERE_IT_IS:
        return None if expected is None else check_version(expected)
    with looking() as tx:
        return registered.highest(tx, registered.known(tx, name).id, stage)


def _carried_out(chain: Chain, row: Known, one: ModelVersion, stage: Stage, by: Identity, why: str, *, break_glass: bool) -> str:
    """Move a version as the policy lets, with all that a move ends and takes along; returns the evidence that it rests on.

    Raises:
        TransitionRefused.
    """
    from prefect_ledger import registry_store as store

    policy = policy_now(chain.tx).policy
    rule = policy.rule(row.name, stage)
    check_may_leave(policy, one, by)
    request = None if break_glass else _allowed(chain, row, one, stage, rule, by)
    if break_glass:
        _broken(chain, row, one, stage, rule, by, why)
    how = "break glass" if break_glass else f"request {request.id}" if request else ""
    evidence = request.evidence if request else ""
    store.move(chain, row, one.version, stage, by, archive=bool(rule.archive), why=why, evidence=evidence, how=how)
    follow(chain, row, one, stage, by, why=why, evidence=evidence)
    if request is not None:
        settling.done(chain, row, request, by)
    settling.spent(chain, row, one.version, stage, by)
    return evidence


def _allowed(chain: Chain, row: Known, one: ModelVersion, stage: str, rule: Rule, by: Identity) -> TransitionRequest | None:
    """The request that allows the move; None where none is needed.

    Raises:
        TransitionRefused.
    """
    if rule.approvals:  # who agreed is known well enough; whoever carries it out, a worker perhaps, decides nothing
        return settling.granted(chain, row, one, stage)
    if weak := rule.too_weak(by):
        raise TransitionRefused(f"version {one.version} of {row.name!r} stays in {one.stage}: {weak}")
    return settling.granted(chain, row, one, stage) if rule.needs_request else None


def _broken(chain: Chain, row: Known, one: ModelVersion, stage: str, rule: Rule, by: Identity, why: str) -> None:
    if refused := rule.may_break_glass(by):
        raise TransitionRefused(f"version {one.version} of {row.name!r} stays in {one.stage}: {refused}")
    passed: dict[str, Any] = {"stage": stage, "gates": len(rule.gates), "approvals": rule.approvals}
    chain.append("glass.broken", by, model=row[:2], version=one.version, after=passed, why=why)
