"""Floor 5. What was changed, and what was so at any moment: read from the audit log alone."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.registered import JUDGED, STAGES, check_alias
from prefect_ledger.registry.access import check_version, looking

if TYPE_CHECKING:
    from prefect_ledger.registered import Change, ModelVersion, TransitionRequest


def history(name: str, version: int | str | None = None) -> list[Change]:
    """What was changed of a registered model, or of one version, the oldest first; of deleted ones too.

    Raises:
        RegisteredModelNotFound, VersionNotFound. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> [one.action for one in registry.history("churn")][:2]
        ['model.created', 'version.registered']
    """
    from prefect_ledger import audit_store
    from prefect_ledger.queries import registered

    number = None if version is None else check_version(version)
    with looking() as tx:
        row = registered.known(tx, name, deleted=True)
        if number is not None:
            registered.any_version(tx, row, number)
        return list(audit_store.changes(tx, row.id, number))


def as_of(name: str, selector: str, when: datetime) -> ModelVersion | None:
    """The version that a stage or ``@alias`` of a registered model meant at a moment; None where it meant none.

    ``name`` is what the model is called now. The version is given as it is now, but for what it was then: ``stage`` is that of the moment.

    Args:
        when: an aware datetime.

    Raises:
        InvalidValue: a moment without a zone. RegisteredModelNotFound, InvalidName. StoreUnavailable.

    Example:
        >>> from datetime import UTC, datetime
        >>> from prefect_ledger import registry
        >>> registry.as_of("churn", "@champion", datetime.now(UTC)).version
        2
    """
    from dataclasses import replace

    from prefect_ledger import audit_store
    from prefect_ledger.queries import registered
    from prefect_ledger.queries.folding import FoldedModel

    given: object = when
    if not isinstance(given, datetime) or given.tzinfo is None:
        raise InvalidValue(f"a moment is a datetime with its zone, such as datetime(2026, 3, 1, tzinfo=UTC), not {when!r:.80}")
    stage = selector in STAGES
    wanted = selector if stage else check_alias(selector)
    with looking() as tx:
        row = registered.known(tx, name, deleted=True)
        then = FoldedModel(name)
        for change in audit_store.changes(tx, row.id):
            if change.at > when:
                break
            then.add(change.action, change.version, change.after)
        if (found := then.meant(wanted, alias=not stage)) is None:
            return None
        told: Any = then.versions[found].stage
        return replace(registered.any_version(tx, row, found), stage=told)


def with_last_champion(tx: Any, one: TransitionRequest) -> TransitionRequest:
    """A request, with the champion before it where it was judged beside none: one that was taken out is not one that never was."""
    from dataclasses import replace

    from prefect_ledger import audit_store
    from prefect_ledger.queries import registered

    if one.champion is not None or one.stage not in JUDGED:
        return one
    inside, left = set[int | None](), None
    for change in audit_store.changes(tx, registered.known(tx, one.name, deleted=True).id):
        if change.at >= one.opened_at:
            break
        if change.action == "version.moved" and change.after["stage"] == "production":
            inside.add(change.version)
        elif change.action == "version.moved" and change.before["stage"] == "production":
            inside.discard(change.version)
            left = change
    if inside:
        return replace(one, champion_before=one.version)
    return one if left is None else replace(one, champion_before=left.version, champion_until=left.at)
