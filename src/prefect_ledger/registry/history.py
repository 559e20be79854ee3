"""Floor 5. What was changed, and what was so at any moment: read from the audit log alone."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.registered import JUDGED, STAGES, check_alias
from prefect_ledger.registry.access import check_version, looking

if TYPE_CHECKING:
    from prefect_ledger.queries.folding import FoldedModel
    from prefect_ledger.queries.registered import Known
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


def latest_changes(
    name: str | None = None, version: int | str | None = None, *, text: str = "", before: int | None = None, limit: int = 100
) -> list[Change]:
    """What was changed last in the registry, the latest first: everywhere, of one registered model, or of one version.

    ``text`` is looked for in all that rows say, without regard to the case of plain letters; ``before`` is the number of a row, to go on
    where an answer ended.

    Raises:
        RegisteredModelNotFound. InvalidValue: of the limit. StoreUnavailable.

    Example:
        >>> from prefect_ledger.registry.history import latest_changes
        >>> latest_changes("churn", text="champion", limit=1)[0].action
        'alias.moved'
    """
    from prefect_ledger import audit_store
    from prefect_ledger.events import clean
    from prefect_ledger.queries import registered
    from prefect_ledger.queries.search import check_limit

    check_limit(limit)
    number = None if version is None else check_version(version)
    with looking() as tx:
        model_id = None if name is None else registered.known(tx, name, deleted=True).id
        return audit_store.latest(tx, model_id, number, text=clean(text), before=before, limit=limit)


def meant_at(name: str, when: datetime) -> tuple[dict[int, str], dict[str, int]]:
    """Everything that :func:`as_of` knows of a moment, in one reading: the stage of each version that was there, and the version of each
    alias.

    Raises:
        InvalidValue: a moment without a zone. RegisteredModelNotFound. StoreUnavailable.

    Example:
        >>> from datetime import UTC, datetime
        >>> from prefect_ledger.registry.history import meant_at
        >>> stages, aliases = meant_at("churn", datetime.now(UTC))
        >>> stages[2], aliases["champion"]
        ('production', 2)
    """
    from prefect_ledger.queries import registered

    _check_moment(when)
    with looking() as tx:
        then = _folded(tx, registered.known(tx, name, deleted=True), when)
    if then.deleted:
        return {}, {}
    return {number: one.stage for number, one in sorted(then.versions.items()) if not one.deleted}, dict(sorted(then.aliases.items()))


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

    from prefect_ledger.queries import registered

    _check_moment(when)
    stage = selector in STAGES
    wanted = selector if stage else check_alias(selector)
    with looking() as tx:
        row = registered.known(tx, name, deleted=True)
        then = _folded(tx, row, when)
        if (found := then.meant(wanted, alias=not stage)) is None:
            return None
        told: Any = then.versions[found].stage
        return replace(registered.any_version(tx, row, found), stage=told)


def _check_moment(when: object) -> None:
    if not isinstance(when, datetime) or when.tzinfo is None:
        raise InvalidValue(f"a moment is a datetime with its zone, such as datetime(2026, 3, 1, tzinfo=UTC), not {when!r:.80}")


def _folded(tx: Any, row: Known, when: datetime) -> FoldedModel:
    """A registered model as the log says that it was at a moment."""
    from prefect_ledger import audit_store
    from prefect_ledger.queries.folding import FoldedModel

    then = FoldedModel(row.name)
    for change in audit_store.changes(tx, row.id):
        if change.at > when:
            break
        then.add(change.action, change.version, change.after)
    return then


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
