"""Floor 3. Writes the registry: each change with the row of the audit log that tells of it, under the head of the chain.

Functions take the held end of the chain (``audit_store.hold``), whose transaction they write in and never commit. They keep what must
always hold: versions are numbered from 1 and never given twice, a version's content never changes. Who may do what, from what was seen and
on which evidence, is decided above.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect_ledger.audit_store import Chain
from prefect_ledger.database import execute, rows
from prefect_ledger.errors import RegisteredModelExists, RegistryConflict, TransitionRefused
from prefect_ledger.queries.registered import Known, aliased, any_version, highest, known

if TYPE_CHECKING:
    from prefect_ledger.entities import LoggedModel
    from prefect_ledger.identities import Identity
    from prefect_ledger.registered import ModelVersion, Stage

# Few rows are of a model and none of its versions, and there is an index of them; CROSS has SQLite begin with the models.
_RENAMED = """SELECT m.id, m.name, a.content FROM registered_models m CROSS JOIN audit a
 WHERE a.model_id = m.id AND a.version IS NULL AND a.action = 'model.renamed'"""

# --- models ----------------------------------------------------------------------------------------------------------


def ensure(chain: Chain, name: str, by: Identity, why: str = "") -> Known:
    """The model of this name; made when it is new.

    Raises:
        RegisteredModelNotFound: it is deleted. RegisteredModelExists: another model had this name once.
    """
    if not rows(chain.tx, "SELECT 1 FROM registered_models WHERE name = ?", [name]):
        return create(chain, name, by, why=why)
    return known(chain.tx, name)


def create(chain: Chain, name: str, by: Identity, *, description: str = "", why: str = "") -> Known:
    """A new registered model.

    Raises:
        RegisteredModelExists: the name is taken, perhaps by a deleted one, or was another model's once.
    """
    _check_free(chain, name)
    text = "INSERT INTO registered_models (name, description, created, updated) VALUES (?, ?, ?, ?)"
    execute(chain.tx, text, [name, description, chain.now, chain.now])
    row = known(chain.tx, name)
    chain.append("model.created", by, model=row[:2], after={"name": name, "description": description}, why=why)
    return row


def rename(chain: Chain, row: Known, name: str, by: Identity, why: str = "") -> None:
    """Give a model another name, or one that it had before; its versions, aliases and history stay with it.

    Raises:
        RegisteredModelExists: the name is taken, perhaps by a deleted one, or was another model's once.
    """
    if name == row.name:
        return
    _check_free(chain, name, row.id)
    execute(chain.tx, "UPDATE registered_models SET name = ?, updated = ? WHERE id = ?", [name, chain.now, row.id])
    chain.append("model.renamed", by, model=(row.id, name), before={"name": row.name}, after={"name": name}, why=why)


def set_deleted(chain: Chain, row: Known, deleted: bool, by: Identity, why: str = "") -> None:
    """Mark a model as deleted, or take that back; nothing is lost, and the name stays taken. A second time does nothing."""
    if (row.deleted is not None) == deleted:
        return
    at = chain.now if deleted else None
    execute(chain.tx, "UPDATE registered_models SET deleted = ?, updated = ? WHERE id = ?", [at, chain.now, row.id])
    chain.append("model.deleted" if deleted else "model.restored", by, model=row[:2], why=why)


def _check_free(chain: Chain, name: str, model_id: int | None = None) -> None:
    """Refuse a name that is or was a model's, of another than this one: a reference by name and number means one version for ever."""
    if found := rows(chain.tx, "SELECT deleted FROM registered_models WHERE name = ?", [name]):
        what, then = ("a deleted", f"registry.restore_model({name!r}) brings it back") if found[0][0] else ("a", "take another name")
        raise RegisteredModelExists(f"there is {what} registered model {name!r}; {then}")
    for owner, now, content in rows(chain.tx, _RENAMED):
        if owner != model_id and json.loads(content)["before"]["name"] == name:
            raise RegisteredModelExists(
                f"{name!r} was the name of the registered model {now!r}, and references to its versions may be kept somewhere: "
                f"take another name, or give it back to that model: registry.rename_model({now!r}, {name!r})"
            )


# --- versions --------------------------------------------------------------------------------------------------------


def add_version(chain: Chain, row: Known, logged: LoggedModel, by: Identity, *, description: str = "", why: str = "") -> int:
    """A version that is this logged model; returns its number. A logged model that is a version already stays that one.

    Raises:
        RegistryConflict: its run is deleted.
    """
    lock = " FOR UPDATE" if chain.tx.dialect.name == "postgresql" else ""  # so that gc does not take it meanwhile
    found = rows(chain.tx, f"SELECT lifecycle FROM runs WHERE id = ?{lock}", [logged.run_id])
    if not found or found[0][0] != "active":
        raise RegistryConflict(f"run {logged.run_id}, which logged the model, is deleted: restore_runs({logged.run_id!r}) first")
    text = "SELECT version FROM model_versions WHERE model_id = ? AND logged_id = ? AND deleted IS NULL"
    if found := rows(chain.tx, text, [row.id, logged.id]):
        return int(found[0][0])
    execute(chain.tx, "UPDATE registered_models SET latest = latest + 1, updated = ? WHERE id = ?", [chain.now, row.id])
    number = int(rows(chain.tx, "SELECT latest FROM registered_models WHERE id = ?", [row.id])[0][0])
    execute(
        chain.tx,
        """INSERT INTO model_versions (model_id, version, logged_id, run_id, digest, description, author, strength, created, updated)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        [row.id, number, logged.id, logged.run_id, logged.digest, description, by.name, by.strength.value, chain.now, chain.now],
    )
    after = {"logged_id": logged.id, "run_id": logged.run_id, "digest": logged.digest, "stage": "none", "description": description}
    chain.append("version.registered", by, model=row[:2], version=number, after=after, why=why)
    return number


def move(
    chain: Chain, row: Known, number: int, stage: Stage, by: Identity, *, archive: bool, why: str = "", evidence: str = "", how: str = ""
) -> None:
    """Move a version to a stage, and with ``archive`` the others that are in it to the archive, also where it is in the stage already.

    ``how`` is the kind of the move, said in the audit row: the number of a request, or that the rules were passed over. It stands in the
    rows of those that are archived where the version itself has none.
    """
    one = any_version(chain.tx, row, number)
    _check_live(one)
    told: dict[str, Any] = {"how": how} if how else {}
    said: dict[str, Any] = {"stage": "archived", "for": number} | (told if one.stage == stage else {})
    for other in _others(chain, row, stage, number) if archive and stage not in ("none", "archived") else []:
        _set(chain, row, other, stage="archived")
        chain.append("version.moved", by, model=row[:2], version=other, before={"stage": stage}, after=said, why=why, evidence=evidence)
    if one.stage != stage:
        _set(chain, row, number, stage=stage)
        before, after = {"stage": one.stage}, {"stage": stage} | told
        chain.append("version.moved", by, model=row[:2], version=number, before=before, after=after, why=why, evidence=evidence)


def _others(chain: Chain, row: Known, stage: Stage, number: int) -> list[int]:
    text = "SELECT version FROM model_versions WHERE model_id = ? AND stage = ? AND version <> ? AND deleted IS NULL ORDER BY version"
    return [found[0] for found in rows(chain.tx, text, [row.id, stage, number])]


def check_stage_holds(chain: Chain, row: Known, stage: Stage, seen: int | None) -> None:
    """Refuse to go on where another version is in a stage than was ``seen`` there (None: none); of "none" nothing is asked.

    Raises:
        RegistryConflict.
    """
    there = highest(chain.tx, row.id, stage)
    if stage != "none" and there != seen:
        now, then = (f"version {one}" if one is not None else "no version" for one in (there, seen))
        raise RegistryConflict(f"{now} of {row.name!r} is in {stage} now, not {then}: somebody moved it meanwhile; nothing was changed")


def describe(chain: Chain, row: Known, number: int | None, text: str, by: Identity, why: str = "") -> None:
    """Set the description of a version; of the model as a whole where ``number`` is None."""
    if number is None:
        before = row.description
        execute(chain.tx, "UPDATE registered_models SET description = ?, updated = ? WHERE id = ?", [text, chain.now, row.id])
    else:
        one = any_version(chain.tx, row, number)
        _check_live(one)
        before = one.description
        _set(chain, row, number, description=text)
    if before != text:
        said = ({"description": before}, {"description": text})
        chain.append("described", by, model=row[:2], version=number, before=said[0], after=said[1], why=why)


def set_tags(chain: Chain, row: Known, number: int, tags: Mapping[str, str | None], by: Identity, why: str = "") -> None:
    """Set tags of a version (of the model: 0); None removes one."""
    if number:
        _check_live(any_version(chain.tx, row, number))
    text = "SELECT key, value FROM model_tags WHERE model_id = ? AND version = ?"
    there = dict(rows(chain.tx, text, [row.id, number]))
    changed = {key: value for key, value in tags.items() if there.get(key) != value}
    for key, value in sorted(changed.items()):
        if value is None:
            execute(chain.tx, "DELETE FROM model_tags WHERE model_id = ? AND version = ? AND key = ?", [row.id, number, key])
            continue
        text = """INSERT INTO model_tags (model_id, version, key, value) VALUES (?, ?, ?, ?)
                  ON CONFLICT (model_id, version, key) DO UPDATE SET value = excluded.value"""
        execute(chain.tx, text, [row.id, number, key, value])
    if changed:
        before = {key: there.get(key) for key in changed}
        chain.append("tagged", by, model=row[:2], version=number or None, before=before, after=changed, why=why)


def annotate(chain: Chain, row: Known, number: int, said: str, by: Identity, verdict: str = "") -> None:
    """Add an annotation or a review to a version."""
    _check_live(any_version(chain.tx, row, number))
    text = "INSERT INTO model_notes (model_id, version, at, author, strength, verdict, text) VALUES (?, ?, ?, ?, ?, ?, ?)"
    execute(chain.tx, text, [row.id, number, chain.now, by.name, by.strength.value, verdict, said])
    chain.append("reviewed" if verdict else "annotated", by, model=row[:2], version=number, after={"text": said, "verdict": verdict})


def set_version_deleted(chain: Chain, row: Known, number: int, deleted: bool, by: Identity, why: str = "") -> None:
    """Mark a version as deleted, or take that back. Its number is never given again. A second time does nothing.

    Raises:
        TransitionRefused: it stands in production, or an alias leads to it.
    """
    one = any_version(chain.tx, row, number)
    if (one.deleted_at is not None) == deleted:
        return
    if deleted and (one.stage == "production" or one.aliases):
        where = "stands in production" if one.stage == "production" else f"is @{one.aliases[0]}"
        raise TransitionRefused(f"version {number} of {row.name!r} {where}: move that elsewhere first, then delete the version")
    at = chain.now if deleted else None
    execute(chain.tx, "UPDATE model_versions SET deleted = ? WHERE model_id = ? AND version = ?", [at, row.id, number])
    stage = {"stage": one.stage}
    chain.append(
        "version.deleted" if deleted else "version.restored", by, model=row[:2], version=number, before=stage, after=stage, why=why
    )


def _set(chain: Chain, row: Known, number: int, **column: str) -> None:
    ((name, value),) = column.items()
    text = f"UPDATE model_versions SET {name} = ?, updated = ? WHERE model_id = ? AND version = ?"
    execute(chain.tx, text, [value, chain.now, row.id, number])


def _check_live(one: ModelVersion) -> None:
    if one.deleted_at is not None:
        raise RegistryConflict(f"version {one.version} of {one.name!r} is deleted: registry.restore_version({one.name!r}, {one.version})")


# --- aliases ---------------------------------------------------------------------------------------------------------


def check_alias_holds(chain: Chain, row: Known, alias: str, seen: int | None) -> None:
    """Refuse to go on where an alias means another version than it was ``seen`` to mean (None: none).

    Raises:
        RegistryConflict.
    """
    means = aliased(chain.tx, row.id, alias)
    if means != seen:
        now, then = (f"version {one}" if one is not None else "no version" for one in (means, seen))
        raise RegistryConflict(f"@{alias} of {row.name!r} means {now} now, not {then}: somebody moved it meanwhile; nothing was changed")


def set_alias(chain: Chain, row: Known, alias: str, number: int | None, by: Identity, *, why: str = "", evidence: str = "") -> int | None:
    """Let an alias mean a version (None: take it away); returns what it meant before.

    Raises:
        VersionNotFound. RegistryConflict: the version is deleted.
    """
    before = aliased(chain.tx, row.id, alias)
    if number is not None:
        _check_live(any_version(chain.tx, row, number))
    if before == number:
        return before
    if number is None:
        execute(chain.tx, "DELETE FROM model_aliases WHERE model_id = ? AND alias = ?", [row.id, alias])
    else:
        text = """INSERT INTO model_aliases (model_id, alias, version, at) VALUES (?, ?, ?, ?)
                  ON CONFLICT (model_id, alias) DO UPDATE SET version = excluded.version, at = excluded.at"""
        execute(chain.tx, text, [row.id, alias, number, chain.now])
    of, said = (number if number is not None else before), ({"alias": alias, "version": before}, {"alias": alias, "version": number})
    chain.append("alias.moved", by, model=row[:2], version=of, before=said[0], after=said[1], why=why, evidence=evidence)
    return before
