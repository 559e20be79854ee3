"""Floor 3. Whether the registry's tables are what its audit log says: what was moved past the log shows here.

The log is folded from its first row to its last, as a ledger is added up, and compared with what the tables have now.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from prefect_ledger.database import execute, rows
from prefect_ledger.queries.folding import ACTIONS, Folded, FoldedModel, FoldedVersion

if TYPE_CHECKING:
    import sqlalchemy as sa

MOST = 50


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


def _of_model(log: FoldedModel, now: FoldedModel) -> list[str]:
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


def _folded(tx: sa.Connection) -> dict[int, FoldedModel]:
    folded = Folded()
    text = f"SELECT content FROM audit WHERE action IN ({', '.join('?' * len(ACTIONS))}) ORDER BY seq"
    for (content,) in execute(tx, text, ACTIONS):
        with contextlib.suppress(ValueError, RecursionError):  # a row that does not hold; walking the chain says so
            folded.add(json.loads(content))
    return folded.models


def _there(tx: sa.Connection) -> dict[int, FoldedModel]:
    text = "SELECT id, name, deleted IS NOT NULL FROM registered_models"
    models = {row[0]: FoldedModel(row[1], bool(row[2])) for row in rows(tx, text)}
    text = "SELECT model_id, version, stage, digest, logged_id, deleted IS NOT NULL FROM model_versions"
    for model_id, number, stage, digest, logged_id, deleted in rows(tx, text):
        models.setdefault(model_id, FoldedModel("?")).versions[number] = FoldedVersion(stage, digest, logged_id, bool(deleted))
    for model_id, alias, number in rows(tx, "SELECT model_id, alias, version FROM model_aliases"):
        models.setdefault(model_id, FoldedModel("?")).aliases[alias] = number
    return models


def _number(version: int | None) -> str:
    return "nothing" if version is None else f"version {version}"
