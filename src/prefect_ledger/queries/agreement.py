"""Floor 3. Whether the registry's tables are what its audit log says: what was moved past the log shows here.

The log is folded from its first row to its last, as a ledger is added up, and compared with what the tables have now.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prefect_ledger.database import execute, rows

if TYPE_CHECKING:
    import sqlalchemy as sa

MOST = 50
_ACTIONS = (
    "model.created model.renamed model.deleted model.restored version.registered version.moved version.deleted version.restored alias.moved"
).split()
_FOLDED = frozenset(_ACTIONS)


@dataclass
class _Version:
    stage: str
    digest: str
    logged_id: str
    deleted: bool = False


@dataclass
class _Model:
    name: str
    deleted: bool = False
    versions: dict[int, _Version] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)


class Folded:
    """What the rows of the log that were given add up to."""

    def __init__(self) -> None:
        self.models: dict[int, _Model] = {}

    def add(self, change: Mapping[str, Any]) -> None:
        """Add a row's text, the next one."""
        try:
            if change["action"] in _FOLDED:
                _fold(self.models, change["model_id"], change)
        except (KeyError, TypeError, AttributeError):  # it says nothing that can be added up
            return


def disagreements(tx: sa.Connection, folded: Folded | None = None) -> list[str]:
    """Where a model, version or alias in the tables is not what the log says, a sentence each; at most 50. The log is read again where it
    is not given ``folded``."""
    said, there = _folded(tx) if folded is None else folded.models, _there(tx)
    found: list[str] = []
    for model_id in sorted(said.keys() | there.keys()):
        log, now = said.get(model_id), there.get(model_id)
        if log is None or now is None:
            name, what = (now.name, "is not in the log") if now is not None else (said[model_id].name, "is not in the tables")
            found.append(f"the registered model {name!r} {what}")
        else:
            found += _of_model(log, now)
        if len(found) >= MOST:
            break
    return found[:MOST]


def _of_model(log: _Model, now: _Model) -> list[str]:
    found = []
    if (log.name, log.deleted) != (now.name, now.deleted):
        told, is_now = (f"{one.name!r}{' and deleted' if one.deleted else ''}" for one in (log, now))
        found.append(f"a registered model is {is_now}, and in the log it is {told}")
    for number in sorted(log.versions.keys() | now.versions.keys()):
        told_version, version = log.versions.get(number), now.versions.get(number)
        if told_version is None or version is None:
            where = "the tables alone" if told_version is None else "the log alone"
            found.append(f"version {number} of {now.name!r} is in {where}")
            continue
        found += [
            f"version {number} of {now.name!r}: its {what.replace('_', ' ')} is {has!r}, and in the log {said!r}"
            for what in ("stage", "digest", "logged_id", "deleted")
            if (has := getattr(version, what)) != (said := getattr(told_version, what))
        ]
    return found + [
        f"@{alias} of {now.name!r} means {_number(means)}, and in the log {_number(meant)}"
        for alias in sorted(log.aliases.keys() | now.aliases.keys())
        if (means := now.aliases.get(alias)) != (meant := log.aliases.get(alias))
    ]


def _folded(tx: sa.Connection) -> dict[int, _Model]:
    models: dict[int, _Model] = {}
    text = f"SELECT model_id, content FROM audit WHERE action IN ({', '.join('?' * len(_ACTIONS))}) ORDER BY seq"
    found: Iterator[Sequence[Any]] = iter(execute(tx, text, _ACTIONS))
    for row in found:
        try:
            _fold(models, row[0], json.loads(row[1]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # a row that does not hold; walking the chain says so
            continue
    return models


def _fold(models: dict[int, _Model], model_id: int, change: Mapping[str, Any]) -> None:
    action, number, after = change["action"], change["version"], change["after"]
    if (model := models.get(model_id)) is None:
        model = models[model_id] = _Model(change["name"])
    match action:
        case "model.renamed":
            model.name = after["name"]
        case "model.deleted" | "model.restored":
            model.deleted = action == "model.deleted"
        case "version.registered":
            model.versions[number] = _Version(after["stage"], after["digest"], after["logged_id"])
        case "version.moved":
            model.versions[number].stage = after["stage"]
        case "version.deleted" | "version.restored":
            model.versions[number].deleted = action == "version.deleted"
        case "alias.moved" if after["version"] is None:
            model.aliases.pop(after["alias"], None)
        case "alias.moved":
            model.aliases[after["alias"]] = after["version"]


def _there(tx: sa.Connection) -> dict[int, _Model]:
    text = "SELECT id, name, deleted IS NOT NULL FROM registered_models"
    models = {row[0]: _Model(row[1], bool(row[2])) for row in rows(tx, text)}
    text = "SELECT model_id, version, stage, digest, logged_id, deleted IS NOT NULL FROM model_versions"
    for model_id, number, stage, digest, logged_id, deleted in rows(tx, text):
        models.setdefault(model_id, _Model("?")).versions[number] = _Version(stage, digest, logged_id, bool(deleted))
    for model_id, alias, number in rows(tx, "SELECT model_id, alias, version FROM model_aliases"):
        models.setdefault(model_id, _Model("?")).aliases[alias] = number
    return models


def _number(version: int | None) -> str:
    return "nothing" if version is None else f"version {version}"
