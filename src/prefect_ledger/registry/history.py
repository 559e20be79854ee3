"""Floor 5. What was changed, and what was so at any moment: read from the audit log alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from prefect_ledger.entities import to_micros
from prefect_ledger.errors import InvalidValue
from prefect_ledger.registered import STAGES, check_alias
from prefect_ledger.registry.access import check_version, looking

if TYPE_CHECKING:
    from prefect_ledger.registered import Change, ModelVersion


def history(name: str, version: int | str | None = None) -> list[Change]:
    """What was changed of a registered model, or of one version, the oldest first; of deleted ones too.

    Raises:
        RegisteredModelNotFound, VersionNotFound. StoreUnavailable.
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
    """
    from dataclasses import replace

    from prefect_ledger import audit_store
    from prefect_ledger.queries import registered

    given: object = when
    if not isinstance(given, datetime) or given.tzinfo is None:
        raise InvalidValue(f"a moment is a datetime with its zone, such as datetime(2026, 3, 1, tzinfo=UTC), not {when!r:.80}")
    stage = selector in STAGES
    wanted = selector if stage else check_alias(selector)
    with looking() as tx:
        row = registered.known(tx, name, deleted=True)
        stages, aliases = _folded(audit_store.changes(tx, row.id), to_micros(when))
        among = [number for number, one in stages.items() if one == wanted] if stage else [aliases[wanted]] if wanted in aliases else []
        found = max(among, default=None)
        return None if found is None else replace(registered.any_version(tx, row, found), stage=stages[found])


def _folded(changes: Iterable[Change], until: int) -> tuple[dict[int, Any], dict[str, int]]:
    """Stages by version and versions by alias, as they were at a moment (µs); a deleted version has none, nor has a deleted model."""
    stages: dict[int, Any] = {}
    aliases: dict[str, int] = {}
    there, gone = True, set()
    for change in changes:
        if to_micros(change.at) > until:
            break
        match change.action:
            case "version.registered" | "version.moved":
                stages[int(change.version or 0)] = change.after["stage"]
            case "version.deleted":
                gone.add(change.version)
            case "version.restored":
                gone.discard(change.version)
            case "alias.moved" if change.after["version"] is None:
                aliases.pop(change.after["alias"], None)
            case "alias.moved":
                aliases[change.after["alias"]] = change.after["version"]
            case "model.deleted" | "model.restored":
                there = change.action == "model.restored"
    if not there:
        return {}, {}
    return {number: stage for number, stage in stages.items() if number not in gone}, aliases
