"""Floor 5. Taking a move back: whoever made it may, at once, when what it brought turns out not to work."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from prefect_ledger.entities import to_datetime
from prefect_ledger.errors import RegistryConflict, TransitionRefused
from prefect_ledger.identities import Strength
from prefect_ledger.registered import check_stage
from prefect_ledger.registry import settling
from prefect_ledger.registry.access import changing, check_text, check_version, who

if TYPE_CHECKING:
    from prefect_ledger.audit_store import Chain
    from prefect_ledger.identities import Identity
    from prefect_ledger.queries.registered import Known
    from prefect_ledger.registered import Change, ModelVersion

HOW = "undo"
WITHIN = timedelta(hours=1)


def undo(name: str, version: int | str, why: str, *, stage: str = "production", by: Identity | str | None = None) -> ModelVersion | None:
    """Take back the move that brought a version into a stage; returns the version that is there then, None where none was before.

    It is for whoever made the move, known as well as then, within an hour, and while no other version came or went: what a smoke test
    finds right after a move needs neither gates nor approvals to be taken back. What was moved under a ``claimed`` name is taken back only
    by who is known in the very same way (``how``), as anybody can type a name. The version is archived, those that it replaced are in the
    stage again, and the aliases that moved with it mean what they meant. A second time does nothing.

    Raises:
        TransitionRefused: somebody else made the move, it is longer ago, or it was what took another back; :func:`rollback` is the way
            then.
        RegistryConflict: versions were moved since. InvalidName, InvalidValue: no reason.
        RegisteredModelNotFound, VersionNotFound. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> _ = registry.transition("churn", 1, "staging", by="alice")
        >>> registry.undo("churn", 1, "the wrong one", stage="staging", by="alice").version
        3
    """
    from prefect_ledger import audit_store
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    stage, number = check_stage(stage), check_version(version)
    said, by = check_text(why, "why it is taken back", needed=True), who(by)
    with changing() as chain:
        row = registered.known(chain.tx, name)
        changes = list(audit_store.changes(chain.tx, row.id))
        move = _move(changes, row, number, stage)
        since = [one for one in changes if one.seq > move.seq and one.action == "version.moved" and _concerns(one, stage)]
        if not any(one.version == number and one.after.get("how") == HOW for one in since):
            _check_mine(chain, row, move, since, by)
            store.move(chain, row, number, "archived", by, archive=False, why=said, how=HOW)
            back = [one for one in _replaced(changes, move) if registered.any_version(chain.tx, row, one).deleted_at is None]
            for other in back:
                store.move(chain, row, other, stage, by, archive=False, why=said, how=HOW)
            _alias_back(chain, row, changes, move, by, said)
            settling.spent(chain, row, back[-1] if back else number, stage if back else "archived", by)
        there = registered.highest(chain.tx, row.id, stage)
        return None if there is None else registered.version(chain.tx, name, there)


def _move(changes: Sequence[Change], row: Known, number: int, stage: str) -> Change:
    moves = [one for one in changes if (one.action, one.version) == ("version.moved", number) and one.after["stage"] == stage]
    if not moves:
        raise TransitionRefused(f"version {number} of {row.name!r} was never moved to {stage}: there is nothing to take back")
    return moves[-1]


def _concerns(one: Change, stage: str) -> bool:
    return stage in (one.before["stage"], one.after["stage"])


def _check_mine(chain: Chain, row: Known, move: Change, since: Sequence[Change], by: Identity) -> None:
    then = f"; prefect-ledger rollback {shlex.quote(row.name)} goes back as the policy lets"
    if since:
        raise RegistryConflict(
            f"version {since[-1].version} of {row.name!r} was moved to {since[-1].after['stage']} after version {move.version} came to "
            f"{move.after['stage']}: there is nothing to take back any more{then}"
        )
    if move.after.get("how") == HOW:
        raise TransitionRefused(
            f"version {move.version} of {row.name!r} stays in {move.after['stage']}: "
            f"it came back there as another move was taken back{then}"
        )
    if not _same(move.by, by):
        raise TransitionRefused(
            f"version {move.version} of {row.name!r} stays in {move.after['stage']}: {_known(move.by)} moved it there, "
            f"and {_known(by)} cannot take that back{then}"
        )
    now: Any = to_datetime(chain.now)
    if now - move.at > WITHIN:
        raise TransitionRefused(
            f"version {move.version} of {row.name!r} stays in {move.after['stage']}: it came there more than an hour ago{then}"
        )


def _same(mover: Identity, by: Identity) -> bool:
    """Whether who takes a move back is its mover: a claimed name proves nothing, so there it is also how it came to be claimed."""
    typed = mover.strength is Strength.CLAIMED
    return by.person == mover.person and by.strength.at_least(mover.strength) and (not typed or by.how == mover.how)


def _known(one: Identity) -> str:
    typed = f": {one.how}" if one.strength is Strength.CLAIMED and one.how else ""
    return f"{one.name} ({one.strength}{typed})"


def _replaced(changes: Sequence[Change], move: Change) -> list[int]:
    """The versions that were archived by this very move: their rows are right before its own."""
    stage, found = move.after["stage"], list[int]()
    before = {one.seq: one for one in changes if one.seq < move.seq}
    seq = move.seq - 1
    while (one := before.get(seq)) and one.after.get("for") == move.version and one.before.get("stage") == stage and one.version:
        found.append(one.version)
        seq -= 1
    return found[::-1]


def _alias_back(chain: Chain, row: Known, changes: Sequence[Change], move: Change, by: Identity, why: str) -> None:
    """Aliases that moved in the same change mean again what they meant, where that is still there."""
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    for one in changes:
        if one.seq <= move.seq or one.at != move.at or one.action != "alias.moved" or one.after["version"] != move.version:
            continue
        alias, meant = one.after["alias"], one.before["version"]
        gone = meant is not None and registered.any_version(chain.tx, row, meant).deleted_at is not None
        if registered.aliased(chain.tx, row.id, alias) == move.version and not gone:
            store.set_alias(chain, row, alias, meant, by, why=why)


def undone(changes: Sequence[Change], stage: str) -> set[int]:
    """The rows of moves into a stage that were taken back, by an undo or by a rollback: who was there so is not gone back to."""
    entered, replaced, found = dict[int, list[int]](), dict[int, list[int]](), set[int]()
    for one in changes:
        if one.action != "version.moved" or one.version is None:
            continue
        if one.after["stage"] == stage:
            gone = replaced.pop(one.version, [])  # their rows are right before that of the one that they made room for
            if one.after.get("how") == "rollback":  # to what was there earlier: the other way nothing is taken back
                first = min(entered.get(one.version, [one.seq]))
                found.update(seq for other in gone for seq in entered.get(other, []) if first < entered[other][0])
            entered.setdefault(one.version, []).append(one.seq)
        elif one.before["stage"] == stage and one.after.get("how") == HOW and one.version in entered:
            found.add(entered[one.version][-1])
        elif one.before["stage"] == stage and isinstance(one.after.get("for"), int):
            replaced.setdefault(one.after["for"], []).append(one.version)
    return found
