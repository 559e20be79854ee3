"""Floor 3. The registry as values: models by name, versions by number, stage or alias, and all that match."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.database import rows
from prefect_ledger.entities import to_datetime
from prefect_ledger.errors import RegisteredModelNotFound, VersionNotFound
from prefect_ledger.events import clean
from prefect_ledger.identities import Identity
from prefect_ledger.names import KEY_LIMIT
from prefect_ledger.registered import STAGES, ModelVersion, Note, RegisteredModel

if TYPE_CHECKING:
    import sqlalchemy as sa

_PART = 1_000
_FEW = 50
_MODEL = "SELECT id, name, description, latest, created, updated, deleted FROM registered_models"
_VERSION = """SELECT m.name, v.version, v.stage, v.logged_id, v.run_id, v.digest, v.author, v.strength, v.description, v.created, v.updated,
 v.deleted, v.model_id FROM registered_models m JOIN model_versions v ON v.model_id = m.id"""
_ALIASED = f"{_VERSION} JOIN model_aliases a ON a.model_id = m.id AND a.version = v.version"
_LIVE = "m.name = ? AND m.deleted IS NULL AND v.deleted IS NULL"


class Known(NamedTuple):
    """The row of a registered model."""

    id: int
    name: str
    description: str
    latest: int
    created: int
    updated: int
    deleted: int | None


def known(tx: sa.Connection, name: str, *, deleted: bool = False) -> Known:
    """The row of the model of this name; of a deleted one where that is asked for.

    Raises:
        RegisteredModelNotFound: with near names.
    """
    found = rows(tx, f"{_MODEL} WHERE name = ?", [name]) if _can_be(name) else []
    if not found or (found[0][6] is not None and not deleted):
        raise _no_model(tx, name, bool(found))
    return Known(*found[0])


def version(tx: sa.Connection, name: str, selector: str | int) -> ModelVersion:
    """The version that ``selector`` means: a number, ``@alias``, a stage (the highest version in it), or "latest".

    Raises:
        RegisteredModelNotFound, VersionNotFound.
    """
    given: object = selector
    text = str(given) if isinstance(given, str | int) else ""
    if not _can_be(name, text):
        found = []
    elif text.startswith("@"):
        found = rows(tx, f"{_ALIASED} WHERE {_LIVE} AND a.alias = ?", [name, text[1:]])
    elif text in STAGES:
        found = rows(tx, f"{_VERSION} WHERE {_LIVE} AND v.stage = ? ORDER BY v.version DESC LIMIT 1", [name, text])
    elif text == "latest":
        found = rows(tx, f"{_VERSION} WHERE {_LIVE} ORDER BY v.version DESC LIMIT 1", [name])
    elif text.isascii() and text.isdecimal() and len(text) < 10:
        found = rows(tx, f"{_VERSION} WHERE {_LIVE} AND v.version = ?", [name, int(text)])
    else:
        found = []
    if not found:
        raise _no_version(tx, name, text or given)
    return versions_of(tx, found)[0]


def any_version(tx: sa.Connection, model: Known, number: int) -> ModelVersion:
    """The version of this number, a deleted one too.

    Raises:
        VersionNotFound.
    """
    found = rows(tx, f"{_VERSION} WHERE m.id = ? AND v.version = ?", [model.id, number])
    if not found:
        raise _no_version(tx, model.name, str(number))
    return versions_of(tx, found)[0]


def versions(tx: sa.Connection, model: Known, *, deleted: bool = False) -> list[ModelVersion]:
    """All versions of a model, the newest first."""
    live = "" if deleted else " AND v.deleted IS NULL"
    return versions_of(tx, rows(tx, f"{_VERSION} WHERE m.id = ?{live} ORDER BY v.version DESC", [model.id]))


def by_place(tx: sa.Connection, places: Sequence[tuple[int, int]]) -> list[ModelVersion]:
    """The versions of these models' ids and numbers, in this order."""
    wanted: dict[int, list[int]] = {}
    for model_id, number in places:
        wanted.setdefault(model_id, []).append(number)
    found: dict[tuple[int, int], ModelVersion] = {}
    for model_id, numbers in wanted.items():
        for low in range(0, len(numbers), _PART):
            part = numbers[low : low + _PART]
            text = f"{_VERSION} WHERE m.id = ? AND v.version IN ({', '.join('?' * len(part))})"
            for one in versions_of(tx, rows(tx, text, [model_id, *part])):
                found[model_id, one.version] = one
    return [found[place] for place in places if place in found]


def of_logged(tx: sa.Connection, logged_ids: Sequence[str]) -> list[ModelVersion]:
    """The versions that logged models are, the oldest first."""
    marks = ", ".join("?" * len(logged_ids))
    text = f"{_VERSION} WHERE v.logged_id IN ({marks}) AND v.deleted IS NULL AND m.deleted IS NULL ORDER BY v.created, v.version"
    return versions_of(tx, rows(tx, text, list(logged_ids))) if logged_ids else []


def models(tx: sa.Connection, *, deleted: bool = False, limit: int = 1_000) -> list[RegisteredModel]:
    """Registered models by name."""
    live = "" if deleted else " WHERE deleted IS NULL"
    return [model(tx, Known(*row)) for row in rows(tx, f"{_MODEL}{live} ORDER BY name LIMIT ?", [limit])]


def model(tx: sa.Connection, row: Known) -> RegisteredModel:
    """The value of a row."""
    aliases = dict(rows(tx, "SELECT alias, version FROM model_aliases WHERE model_id = ? ORDER BY alias", [row.id]))
    stages: dict[str, int] = {
        stage: number for stage in sorted(STAGES) if stage != "none" and (number := highest(tx, row.id, stage)) is not None
    }
    return RegisteredModel(
        row.name,
        row.description,
        row.latest,
        to_datetime(row.created),
        to_datetime(row.updated),
        to_datetime(row.deleted),
        MappingProxyType(aliases),
        MappingProxyType(stages),
        MappingProxyType(_tags(tx, row.id, [0]).get(0, {})),
    )


def highest(tx: sa.Connection, model_id: int, stage: str) -> int | None:
    """The highest version in a stage; None where there is none. However many versions there are, one is looked at."""
    text = "SELECT version FROM model_versions WHERE model_id = ? AND stage = ? AND deleted IS NULL ORDER BY version DESC LIMIT 1"
    found = rows(tx, text, [model_id, stage])
    return found[0][0] if found else None


def aliased(tx: sa.Connection, model_id: int, alias: str) -> int | None:
    """The version that an alias means; None where it means none."""
    found = rows(tx, "SELECT version FROM model_aliases WHERE model_id = ? AND alias = ?", [model_id, alias])
    return found[0][0] if found else None


def notes(tx: sa.Connection, model_id: int, number: int) -> list[Note]:
    """What was written about a version, the oldest first."""
    text = "SELECT author, strength, text, verdict, at FROM model_notes WHERE model_id = ? AND version = ? ORDER BY id"
    found = rows(tx, text, [model_id, number])
    return [Note(Identity(author, strength), said, verdict, to_datetime(at)) for author, strength, said, verdict, at in found]


def versions_of(tx: sa.Connection, found: Sequence[tuple[Any, ...]]) -> list[ModelVersion]:
    """The values of rows, with their aliases and tags."""
    numbers: dict[int, list[int]] = {}
    for row in found:
        numbers.setdefault(row[12], []).append(row[1])
    aliases = {model_id: _aliases(tx, model_id, wanted) for model_id, wanted in numbers.items()}
    tags = {model_id: _tags(tx, model_id, wanted) for model_id, wanted in numbers.items()}
    return [
        ModelVersion(
            name=row[0],
            version=row[1],
            stage=row[2],
            logged_id=row[3],
            run_id=row[4],
            digest=row[5],
            author=Identity(row[6], row[7]),
            description=row[8],
            created_at=to_datetime(row[9]),
            updated_at=to_datetime(row[10]),
            deleted_at=to_datetime(row[11]),
            aliases=tuple(aliases[row[12]].get(row[1], ())),
            tags=MappingProxyType(tags[row[12]].get(row[1], {})),
        )
        for row in found
    ]


def _aliases(tx: sa.Connection, model_id: int, numbers: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    few = numbers if len(numbers) <= _FEW else ()
    those = f" AND version IN ({', '.join('?' * len(few))})" if few else ""
    text = f"SELECT alias, version FROM model_aliases WHERE model_id = ?{those} ORDER BY alias"
    for alias, number in rows(tx, text, [model_id, *few]):
        found.setdefault(number, []).append(alias)
    return {number: found[number] for number in numbers if number in found}


def _tags(tx: sa.Connection, model_id: int, numbers: Sequence[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for low in range(0, len(numbers), _PART):
        part = list(numbers[low : low + _PART])
        text = f"SELECT version, key, value FROM model_tags WHERE model_id = ? AND version IN ({', '.join('?' * len(part))}) ORDER BY key"
        for number, key, value in rows(tx, text, [model_id, *part]):
            found.setdefault(number, {})[key] = value
    return found


def _can_be(*texts: object) -> bool:
    """Whether a database could have such texts."""
    return all(isinstance(text, str) and clean(text) == text for text in texts)


def _no_model(tx: sa.Connection, name: str, deleted: bool) -> RegisteredModelNotFound:
    from difflib import get_close_matches

    if deleted:
        return RegisteredModelNotFound(f"the registered model {name!r} is deleted: registry.restore_model({name!r}) brings it back")
    given: object = name
    if not isinstance(given, str):
        return RegisteredModelNotFound(f"no model is registered as {given!r:.80}: a name is a text")
    names = [row[0] for row in rows(tx, "SELECT name FROM registered_models WHERE deleted IS NULL ORDER BY updated DESC, id LIMIT 1000")]
    near = get_close_matches(name[:250], names, 3, 0.5) or names[:5]
    there = f"there is {', '.join(map(repr, near))}" if near else "nothing is registered yet: registry.register_model(name, source)"
    return RegisteredModelNotFound(f"no model is registered as {name[:250]!r}; {there}")


def _no_version(tx: sa.Connection, name: str, selector: object) -> VersionNotFound:
    row = known(tx, name)
    is_now = model(tx, row)
    ways = "a number, @alias, a stage (staging, production, archived, none) or latest"
    if not isinstance(selector, str) or len(selector) > KEY_LIMIT + 1:
        return VersionNotFound(f"{selector!r:.80} means no version of {name!r}: write {ways}")
    if selector.startswith("@"):
        there = f"its aliases: {', '.join(f'@{alias}' for alias in is_now.aliases) or 'none'}"
        return VersionNotFound(f"the registered model {name!r} has no alias {selector[1:]!r}; {there}")
    if selector in STAGES:
        there = f"its stages: {', '.join(is_now.stages) or 'none'}"
        return VersionNotFound(f"the registered model {name!r} has no version in {selector!r}; {there}")
    if selector.isascii() and selector.isdecimal():
        return VersionNotFound(f"the registered model {name!r} has no version {selector}; its latest is {is_now.latest or 'not made yet'}")
    return VersionNotFound(f"{selector!r} means no version of {name!r}: write {ways}")
