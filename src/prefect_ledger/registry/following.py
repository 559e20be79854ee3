"""Floor 5. Aliases that follow a stage, where the policy says so: they mean the version in it, and go nowhere else by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect_ledger.errors import TransitionRefused
from prefect_ledger.registry.rules import policy_now

if TYPE_CHECKING:
    from prefect_ledger.audit_store import Chain
    from prefect_ledger.identities import Identity
    from prefect_ledger.queries.registered import Known
    from prefect_ledger.registered import ModelVersion, Stage


def follow(chain: Chain, row: Known, was: ModelVersion, stage: Stage, by: Identity, *, why: str, evidence: str = "") -> None:
    """Move the aliases that follow the stages which a version left and came into: ``was`` is what it was before its move.

    The stage it came into gives it its aliases. Those of the stage it left go to the highest version that is there still, and stay where
    they are if none is: who serves what an alias means goes on.
    """
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    policy = policy_now(chain.tx).policy
    for alias in policy.rule(row.name, stage).aliases:
        store.set_alias(chain, row, alias, was.version, by, why=why, evidence=evidence)
    leaves = [one for one in policy.rule(row.name, was.stage).aliases if registered.aliased(chain.tx, row.id, one) == was.version]
    if leaves and (stays := registered.highest(chain.tx, row.id, was.stage)) is not None:
        for alias in leaves:
            store.set_alias(chain, row, alias, stays, by, why=why, evidence=evidence)


def follows(chain: Chain, row: Known, alias: str) -> bool:
    """Whether an alias of a model follows some stage."""
    return policy_now(chain.tx).policy.following(row.name, alias) is not None


def check_by_hand(chain: Chain, row: Known, alias: str, number: int | None) -> None:
    """Refuse to move an alias by hand out of the stage that it follows, or to take it away from a version there.

    Raises:
        TransitionRefused: it says which rule, and what to do. VersionNotFound.
    """
    from prefect_ledger.queries import registered

    policy = policy_now(chain.tx)
    one = None if number is None else registered.any_version(chain.tx, row, number)
    if (found := policy.policy.following(row.name, alias)) is None:
        return
    place, rule = found
    there = registered.highest(chain.tx, row.id, rule.stage)
    if (one is None and there is None) or (one is not None and one.stage == rule.stage):
        return
    by_rule = f"it follows {rule.stage}, by rule {place} of version {policy.version} of the policy ({rule.model!r} in {rule.stage})"
    if one is None:
        raise TransitionRefused(
            f"@{alias} of {row.name!r} stays, as version {there} is in {rule.stage}: {by_rule}; move that version first"
        )
    verb = "request_transition" if rule.needs_request else "transition"
    then = f"registry.{verb}({row.name!r}, {one.version}, {rule.stage!r}) is the way there"
    raise TransitionRefused(f"@{alias} of {row.name!r} stays where it is, as version {one.version} is in {one.stage}: {by_rule}; {then}")
