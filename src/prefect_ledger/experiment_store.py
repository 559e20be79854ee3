"""Floor 3. Writes experiments: a name is taken once, by deleted ones too; an experiment is deleted and restored together with its runs.

Functions take an open transaction and never commit. An experiment is given by its id; ``queries.experiments.find`` knows it by name.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from prefect_ledger.database import execute, rows
from prefect_ledger.entities import Experiment
from prefect_ledger.errors import ExperimentExists, InvalidValue
from prefect_ledger.names import experiment_id
from prefect_ledger.queries.experiments import get

if TYPE_CHECKING:
    import sqlalchemy as sa


def ensure(tx: sa.Connection, name: str) -> int:
    """The id of the experiment of this name; made when it is new, active again when it had been deleted."""
    found = _named(tx, name)
    if found is None:
        number = _insert(tx, name)
        return number if number is not None else ensure(tx, name)  # somebody made it meanwhile
    number, lifecycle = found
    if lifecycle != "active":  # somebody logs into it: what is logged is never lost, so neither may its experiment be
        text = "UPDATE experiments SET lifecycle = 'active', updated = ? WHERE id = ?"
        if not execute(tx, text, [_now(), number]).rowcount:  # gc took it just now
            return ensure(tx, name)
    return number


def create(tx: sa.Connection, name: str, tags: Mapping[str, str | None] | None = None) -> int:
    """A new experiment; returns its id.

    Raises:
        ExperimentExists: the name is taken, perhaps by a deleted one.
    """
    number = _insert(tx, name)
    if number is None:
        raise _exists(tx, name)
    set_tags(tx, number, tags or {})
    return number


def rename(tx: sa.Connection, number: int, name: str) -> None:
    """Give an experiment another name; its id and its runs stay.

    Raises:
        ExperimentExists: the name is taken, perhaps by a deleted one. InvalidValue: "Default", or a deleted experiment.
    """
    found = get(tx, number)
    _check_changeable(found, "renamed")
    if found.lifecycle != "active":
        raise InvalidValue(f"experiment {found.name!r} is deleted: restore_experiment({found.name!r}) first")
    if found.name == name:
        return
    try:
        with tx.begin_nested():
            execute(tx, "UPDATE experiments SET name = ?, updated = ? WHERE id = ?", [name, _now(), number])
    except IntegrityError:
        raise _exists(tx, name) from None


def delete(tx: sa.Connection, number: int) -> None:
    """Mark an experiment and its active runs as deleted; nothing is lost. A second time does nothing.

    Raises:
        InvalidValue: it is "Default".
    """
    found = get(tx, number)
    _check_changeable(found, "deleted")
    at = _now()
    text = "UPDATE experiments SET lifecycle = 'deleted', deleted = ?, updated = ? WHERE id = ? AND lifecycle = 'active'"
    if execute(tx, text, [at, at, number]).rowcount:
        text = "UPDATE runs SET lifecycle = 'deleted', deleted = ? WHERE experiment_id = ? AND lifecycle = 'active'"
        execute(tx, text, [at, number])


def restore(tx: sa.Connection, number: int) -> int:
    """Take a deletion back, for the experiment and the runs that were deleted with it; runs deleted before stay so.

    Returns how many runs gc has begun to erase: they do not come back.
    """
    execute(
        tx,
        "UPDATE runs SET lifecycle = 'active', deleted = NULL WHERE experiment_id = ? AND lifecycle = 'deleted'"
        " AND deleted = (SELECT deleted FROM experiments WHERE id = ?)",
        [number, number],
    )
    text = "UPDATE experiments SET lifecycle = 'active', deleted = NULL, updated = ? WHERE id = ? AND deleted IS NOT NULL"
    execute(tx, text, [_now(), number])
    return int(rows(tx, "SELECT COUNT(*) FROM runs WHERE experiment_id = ? AND lifecycle = 'erasing'", [number])[0][0])


def describe(tx: sa.Connection, number: int, text: str) -> None:
    """Write what an experiment is about."""
    execute(tx, "UPDATE experiments SET description = ?, updated = ? WHERE id = ?", [text, _now(), number])


def set_tags(tx: sa.Connection, number: int, tags: Mapping[str, str | None]) -> None:
    """Set tags of an experiment; None removes one."""
    for key, value in sorted(tags.items()):
        if value is None:
            execute(tx, "DELETE FROM experiment_tags WHERE experiment_id = ? AND key = ?", [number, key])
        else:
            text = """INSERT INTO experiment_tags (experiment_id, key, value) VALUES (?, ?, ?)
                      ON CONFLICT (experiment_id, key) DO UPDATE SET value = excluded.value"""
            execute(tx, text, [number, key, value])


def _insert(tx: sa.Connection, name: str) -> int | None:
    """The id of a new experiment; None when the name is taken."""
    for turn in itertools.count():  # the derived id may be taken by one that had this name before it was renamed
        if _named(tx, name) is not None:
            return None
        number = experiment_id(name if not turn else f"{name}\0{turn}")
        insert = "INSERT INTO experiments (id, name, created, updated) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        if execute(tx, insert, [number, name, _now(), _now()]).rowcount:
            return number
    raise AssertionError("unreachable")


def _named(tx: sa.Connection, name: str) -> tuple[int, str] | None:
    """Id and lifecycle of the experiment of this name."""
    return next(((row[0], row[1]) for row in rows(tx, "SELECT id, lifecycle FROM experiments WHERE name = ?", [name])), None)


def _check_changeable(found: Experiment, what: str) -> None:
    if found.id == 0:
        raise InvalidValue(f"the experiment {found.name!r} (id 0) cannot be {what}: runs that name no experiment need it")


def _exists(tx: sa.Connection, name: str) -> ExperimentExists:
    number, lifecycle = _named(tx, name) or (None, "")
    if lifecycle == "active":
        return ExperimentExists(f"there is an experiment {name!r} already (id {number}): get_experiment({name!r}), or choose another name")
    return ExperimentExists(
        f"there is a deleted experiment {name!r} (id {number}): restore_experiment({name!r}) brings it back with its runs,"
        " or choose another name"
    )


def _now() -> int:
    return time.time_ns() // 1000
