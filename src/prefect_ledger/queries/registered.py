"""Floor 3. The registry as values: models by name, versions by number, stage or alias, and all that match."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.database import rows
from prefect_ledger.entities import to_datetime
from prefect_ledger.errors import RegisteredModelNotFound, VersionNotFound
from prefect_ledger.events import clean
from prefect_ledger.identities import Identity
from prefect_ledger.names import KEY_LIMIT
from prefect_ledger.queries.filters import Sql
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


_SHOWN = tuple(sorted(stage for stage in STAGES if stage != "none"))
_HIGHEST = ", ".join(  # of each stage; one version is looked at, however many there are
    f"""(SELECT v.version FROM model_versions v WHERE v.model_id = m.id AND v.stage = '{stage}' AND v.deleted IS NULL
 ORDER BY v.version DESC LIMIT 1)"""
    for stage in _SHOWN
)


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
    found: dict[tuple[int, int], ModelVersion] = {}
    for low in range(0, len(places), _PART):
        those = _those(places[low : low + _PART])
        told = rows(tx, f"{those.text} {_VERSION} JOIN those t ON t.model = v.model_id AND t.number = v.version", those.params)
        found |= {(row[12], one.version): one for row, one in zip(told, versions_of(tx, told), strict=True)}
    return [found[place] for place in places if place in found]


def of_logged(tx: sa.Connection, logged_ids: Sequence[str]) -> list[ModelVersion]:
    """The versions that logged models are, the oldest first."""
    marks = ", ".join("?" * len(logged_ids))
    text = f"{_VERSION} WHERE v.logged_id IN ({marks}) AND v.deleted IS NULL AND m.deleted IS NULL ORDER BY v.created, v.version"
    return versions_of(tx, rows(tx, text, list(logged_ids))) if logged_ids else []


def models(tx: sa.Connection, *, deleted: bool = False, limit: int = 1_000) -> list[RegisteredModel]:
    """Registered models by name."""
    live = "" if deleted else " WHERE deleted IS NULL"
    return _models_of(tx, [Known(*row) for row in rows(tx, f"{_MODEL}{live} ORDER BY name LIMIT ?", [limit])])


def model(tx: sa.Connection, row: Known) -> RegisteredModel:
    """The value of a row."""
    return _models_of(tx, [row])[0]


def _models_of(tx: sa.Connection, found: Sequence[Known]) -> list[RegisteredModel]:
    """The values of rows, with a query each for the aliases, stages and tags of a thousand."""
    aliases, stages, tags = (dict[int, dict[str, Any]]() for _ in range(3))
    for low in range(0, len(found), _PART):
        part = [row.id for row in found[low : low + _PART]]
        marks = ", ".join("?" * len(part))
        text = f"SELECT model_id, alias, version FROM model_aliases WHERE model_id IN ({marks}) ORDER BY alias"
        _sort_in(aliases, rows(tx, text, part))
        for model_id, *numbers in rows(tx, f"SELECT m.id, {_HIGHEST} FROM registered_models m WHERE m.id IN ({marks})", part):
            stages[model_id] = {stage: number for stage, number in zip(_SHOWN, numbers, strict=True) if number is not None}
        text = f"SELECT model_id, key, value FROM model_tags WHERE model_id IN ({marks}) AND version = 0 ORDER BY key"
        _sort_in(tags, rows(tx, text, part))
    return [
        RegisteredModel(
            row.name,
            row.description,
            row.latest,
            to_datetime(row.created),
            to_datetime(row.updated),
            to_datetime(row.deleted),
            *(MappingProxyType(found_of.get(row.id, {})) for found_of in (aliases, stages, tags)),
        )
        for row in found
    ]


def _sort_in(found: dict[int, dict[str, Any]], told: Iterable[Sequence[Any]]) -> None:
    for model_id, key, value in told:
        found.setdefault(model_id, {})[key] = value


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
    places = [(row[12], row[1]) for row in found]
    aliases, tags = _aliases(tx, places), _tags(tx, places)
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
            aliases=tuple(aliases.get(place, ())),
            tags=MappingProxyType(tags.get(place, {})),
        )
        for place, row in zip(places, found, strict=True)
    ]


def _aliases(tx: sa.Connection, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], list[str]]:
    found: dict[tuple[int, int], list[str]] = {}
    ids = list(dict.fromkeys(model_id for model_id, _ in places))
    few = list(dict.fromkeys(number for _, number in places)) if len(places) <= _FEW else []
    for low in range(0, len(ids), _PART):
        part = ids[low : low + _PART]
        text = f"SELECT model_id, version, alias FROM model_aliases WHERE model_id IN ({', '.join('?' * len(part))})"
        text += f" AND version IN ({', '.join('?' * len(few))})" if few else ""
        for model_id, number, alias in rows(tx, f"{text} ORDER BY alias", [*part, *few]):
            found.setdefault((model_id, number), []).append(alias)
    return found


def _tags(tx: sa.Connection, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], dict[str, str]]:
    found: dict[tuple[int, int], dict[str, str]] = {}
    for low in range(0, len(places), _PART):
        part, columns = places[low : low + _PART], "SELECT g.model_id, g.version, g.key, g.value FROM"
        if len(part) == 1:  # whoever resolves a reference asks for one
            asked = Sql(f"{columns} model_tags g WHERE g.model_id = ? AND g.version = ?", part[0])
        else:
            asked = _those(part).plus(f" {columns} those t JOIN model_tags g ON g.model_id = t.model AND g.version = t.number")
        for model_id, number, key, value in rows(tx, f"{asked.text} ORDER BY g.key", asked.params):
            found.setdefault((model_id, number), {})[key] = value
    return found


def _those(places: Sequence[tuple[int, int]]) -> Sql:
    """These ids of models and numbers of versions, as the table ``those`` of a query."""
    values = ", ".join(["(?, ?)"] * len(places))
    return Sql(f"WITH those (model, number) AS (VALUES {values})", tuple(part for place in places for part in place))


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
