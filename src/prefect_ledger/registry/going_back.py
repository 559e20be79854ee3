"""Floor 5. Going back: a version that was in a stage before comes into it again, after it was shown to work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import ModelUnusable, TransitionRefused, VersionNotFound
from prefect_ledger.registered import check_alias, check_stage
from prefect_ledger.registry import settling
from prefect_ledger.registry.access import changing, check_text, check_version, looking, who
from prefect_ledger.registry.following import follow, follows
from prefect_ledger.registry.rules import check_may_leave, policy_now
from prefect_ledger.registry.undoing import undone

if TYPE_CHECKING:
    from prefect_ledger.identities import Identity
    from prefect_ledger.registered import ModelVersion


def rollback(
    name: str,
    why: str,
    *,
    to: int | str | None = None,
    stage: str = "production",
    aliases: Sequence[str] = ("champion",),
    by: Identity | str | None = None,
) -> ModelVersion:
    """Bring the version that was in a stage before the present one back into it; returns it as it is then.

    ``to`` names another version that was in the stage at some time. It was allowed there then, so neither gates nor approvals are asked for
    again, but whoever does this is known as well as the policy asks. Before anything moves, its files are fetched and checked, it is
    opened, and predicts its own example. The version that leaves is archived, and those of ``aliases`` that mean it mean the other one
    then, as do the aliases that follow the stage by the policy: all in one change, which the audit log calls a rollback.

    Raises:
        VersionNotFound: nothing was in the stage before, or ``to`` never was. ModelUnusable, ArtifactCorrupt: the version does not work.
        TransitionRefused: the person is known too weakly. RegistryConflict: the stage changed meanwhile; nothing moved.
        RegisteredModelNotFound, InvalidName, InvalidValue: no reason. StoreUnavailable, ArtifactsUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.rollback("churn", "worse on new customers", by="carol").version
        1
        >>> registry.undo("churn", 1, "it was the data", by="carol").version
        2
    """
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered
    from prefect_ledger.tracking.trying import try_model

    stage, said, by = check_stage(stage), check_text(why, "why it goes back", needed=True), who(by)
    wanted, moving = None if to is None else check_version(to), [check_alias(alias) for alias in aliases]
    with looking() as tx:
        row = registered.known(tx, name)
        seen = registered.highest(tx, row.id, stage)
        target = _earlier(tx, row, stage, seen, wanted)
    try:
        try_model(target.uri)
    except SystemExit as error:  # of a model's own code: it is not to end us, and with a code that says that all went well
        raise ModelUnusable(f"{target.uri} cannot be used: it ends the process that asks it (SystemExit: {error})") from error
    with changing() as chain:
        row = registered.known(chain.tx, name)
        store.check_stage_holds(chain, row, stage, seen)
        policy, target = policy_now(chain.tx).policy, registered.version(chain.tx, name, target.version)
        if weak := policy.rule(name, stage).too_weak(by):
            raise TransitionRefused(f"{name!r} stays as it is: {weak}")
        if target.stage != stage:
            check_may_leave(policy, target, by)
        store.move(chain, row, target.version, stage, by, archive=True, why=said, how="rollback")
        follow(chain, row, target, stage, by, why=said)
        settling.spent(chain, row, target.version, stage, by)
        for alias in moving:
            if seen is not None and registered.aliased(chain.tx, row.id, alias) == seen and not follows(chain, row, alias):
                store.set_alias(chain, row, alias, target.version, by, why=said)
        return registered.version(chain.tx, name, target.version)


def previous(name: str, stage: str = "production") -> ModelVersion:
    """The version that :func:`rollback` would bring back into a stage now.

    Raises:
        VersionNotFound: nothing was there before. RegisteredModelNotFound, InvalidName. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.previous("churn").version
        1
    """
    from prefect_ledger.queries import registered

    stage = check_stage(stage)
    with looking() as tx:
        row = registered.known(tx, name)
        return _earlier(tx, row, stage, registered.highest(tx, row.id, stage), None)


def _earlier(tx: Any, row: Any, stage: str, now: int | None, wanted: int | None) -> ModelVersion:
    """The version to go back to: the one that was wanted, else the last that was in the stage before the present one."""
    from prefect_ledger import audit_store
    from prefect_ledger.queries import registered

    changes = list(audit_store.changes(tx, row.id))
    back = undone(changes, stage)  # what was tried and taken back is nowhere to go back to, unless it is named
    moves = [change for change in changes if change.action == "version.moved" and change.after["stage"] == stage]
    was = [change.version for change in moves if change.version is not None and (wanted is not None or change.seq not in back)]
    there = {one.version: one for one in registered.versions(tx, row)}
    before = [number for number in was if number != now and number in there and wanted in (None, number)]
    if not before:
        ever = {change.version for change in moves if change.version is not None}
        named = sorted(number for number in ever - {now} if number in there) if wanted is None else []
        raise VersionNotFound(f"{row.name!r} cannot go back: {_why_not(stage, now, wanted, ever)}{_only_named(named)}")
    return there[before[-1]]


def _why_not(stage: str, now: int | None, wanted: int | None, ever: set[int]) -> str:
    were = f"versions that were: {', '.join(map(str, sorted(ever))) or 'none'}"
    if wanted is None:
        return f"nothing else that is there was in {stage} before; {were}"
    if wanted == now:
        return f"version {wanted} is in {stage} now"
    return f"version {wanted} was in {stage}, and is deleted" if wanted in ever else f"version {wanted} never was in {stage}; {were}"


def _only_named(numbers: Sequence[int]) -> str:
    """What was in the stage, and is gone back to only where somebody names it: each time it was there was taken back."""
    return f"; what was taken back is gone back to only with --to: {', '.join(map(str, numbers))}" if numbers else ""
