"""Floor 5. Rolling back: the version that was in a stage before serves again, and that is verified wherever it is served."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prefect_ledger import registry
from prefect_ledger.errors import VersionNotFound
from prefect_ledger.promotion.checking import Check
from prefect_ledger.promotion.places import check_endpoints, check_targets
from prefect_ledger.promotion.promoter import Promoter, check_words
from prefect_ledger.promotion.promotion import Promotion

if TYPE_CHECKING:
    from prefect_ledger.identities import Identity
    from prefect_ledger.registered import RegisteredModel


def rollback(
    name: str,
    why: str,
    *,
    to: int | str | None = None,
    stage: str = "production",
    aliases: Sequence[str] = ("champion",),
    targets: Sequence[str] | None = None,
    endpoints: Sequence[str] = (),
    by: Identity | str | None = None,
) -> Promotion:
    """Bring the version that was in a stage before back into it, have what serves the model follow, and verify that; returns how it went.

    Before anything moves the version is fetched, checked, opened, and predicts its own example; version and aliases move in one change, as
    :func:`prefect_ledger.registry.rollback` says. Then the aliases are read anew, deployments that follow are updated (``targets``: of
    these alone; an empty list: none), and these and the servers at ``endpoints`` are asked for the example. What does not answer as it
    should is told of, and nothing is moved again: the state is "rolled back", and ``ok`` is false.

    With ``to`` it may be done again, and then ends what was begun: the version is in the stage already, and is verified there. Without,
    the second time goes back from the version that the first time brought.

    Raises:
        TransitionRefused: the person is known too weakly. RegistryConflict: the stage changed meanwhile. VersionNotFound: nothing was in
            the stage before, or ``to`` never was. ModelUnusable, ArtifactCorrupt: the version does not work. Nothing was moved then.
        RegisteredModelNotFound, InvalidName, InvalidValue: no reason, no such target. StoreUnavailable, ArtifactsUnavailable.

    Example:
        >>> back = rollback("churn", "it answers NaN")
        >>> back.version, back.state
        (1, 'rolled back')
    """
    begun, names = time.monotonic(), check_words(aliases, "aliases")
    placed, asked = check_targets(targets), check_endpoints(endpoints)
    model = registry.get_model(name)
    following = _following(model, stage, names)
    told = _moved(model.stages.get(stage), name, why, to=to, stage=stage, aliases=names, by=by)
    one = Promoter(name, told.version, stage, aliases=names, targets=placed, endpoints=asked, why=why, by=by)
    told = _verified(one, told, following)
    head = registry.audit_head()
    return replace(told, head=(head.seq, head.hash), seconds=time.monotonic() - begun)


def _following(model: RegisteredModel, stage: str, aliases: Collection[str]) -> tuple[str, ...]:
    """The aliases that go with a rollback: those that mean the version that leaves, and those that follow the stage by the policy."""
    there, meant = model.stages.get(stage), [text.removeprefix("@") for text in aliases]
    ours = [alias for alias in meant if there is not None and model.aliases.get(alias) == there]
    return tuple(dict.fromkeys([*ours, *registry.get_policy().policy.rule(model.name, stage).aliases]))


def _moved(before: int | None, name: str, why: str, *, to: int | str | None, stage: str, **more: Any) -> Promotion:
    if to is not None and str(to) == str(before):
        return Promotion(name, int(to), stage, "already", f"version {to} is in {stage} already")
    moved = registry.rollback(name, why, to=to, stage=stage, **more)
    return Promotion(name, moved.version, stage, "rolled back", f"version {moved.version} is in {stage} again", before)


def _verified(one: Promoter, told: Promotion, following: Sequence[str]) -> Promotion:
    """What came of it once aliases, deployments and servers were asked."""
    tried, model = one.try_it()
    found = one.follow()
    checks = (tried, *(_check_alias(one, alias) for alias in following), *one.check(found, model))
    wrong = "; ".join(f"{check.what}: {check.said}" for check in checks if not check.ok)
    reason = f"{told.reason}, but {wrong}" if wrong else told.reason
    return replace(told, reason=reason, followers=found.found, unasked=found.unasked, checks=checks)


def _check_alias(one: Promoter, alias: str) -> Check:
    """Whether an alias, read anew, means the version, and with it the same files."""
    begun, what = time.monotonic(), f"@{alias} means version {one.version}"
    try:
        meant = registry.get_version(one.name, f"@{alias}")
    except VersionNotFound as error:
        return Check(what, False, str(error), time.monotonic() - begun)
    same = meant.version == one.version and meant.digest == one.candidate().digest
    said = f"it means version {meant.version}, sha256 {meant.digest[:16]}"
    return Check(what, same, said, time.monotonic() - begun)
