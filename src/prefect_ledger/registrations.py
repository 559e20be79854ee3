"""Floor 4. Models that were logged with ``register=``, brought into the registry.

Whoever logs says it in the journal, as all else, and waits for nobody. It is done by whoever brings that into the store, where the database
lets it write the registry; else by the next one that may. So a worker with a writer's rights can ask for a version, and make none itself.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from prefect_ledger import audit_store, registry_store
from prefect_ledger.database import execute, rows
from prefect_ledger.errors import LedgerError, StoreUnavailable
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.names import check_model_name
from prefect_ledger.queries import models

if TYPE_CHECKING:
    import sqlalchemy as sa

    from prefect_ledger.database import Database

_OPEN = """SELECT w.logged_id, w.name, COALESCE(r.user_id, '') FROM registrations w JOIN models m ON m.id = w.logged_id
 LEFT JOIN runs r ON r.id = m.run_id WHERE w.version IS NULL ORDER BY w.at, w.logged_id LIMIT 1000"""


def register(database: Database) -> int:
    """Make versions of the models that wait for it, in the order they were logged; returns how many were made.

    One that the registry refuses is not tried again; why is kept beside it.

    Raises:
        StoreUnavailable: this database lets us not write the registry, or is away; those that are left wait for somebody else.
    """
    with database.read() as tx:
        waiting = rows(tx, _OPEN)
    return sum(_registered(database, *row) for row in waiting)


def register_if_possible(database: Database) -> None:
    """The same, by the way: where it cannot be done here and now, all wait for somebody else."""
    with contextlib.suppress(StoreUnavailable):
        register(database)


def _registered(database: Database, logged_id: str, name: str, user: str) -> bool:
    try:
        with database.write() as tx:
            chain = audit_store.hold(tx)
            if not rows(tx, "SELECT 1 FROM registrations WHERE logged_id = ? AND version IS NULL", [logged_id]):
                return False
            logged = models.by_id(tx, logged_id)
            if logged is None:
                raise LedgerError(f"its run is gone: {logged_id}")
            by = Identity(user.strip() or "unknown", Strength.CLAIMED, "user of the process that logged the model")
            row = registry_store.ensure(chain, check_model_name(name), by)  # whoever may write wishes may have written any text
            number = registry_store.add_version(chain, row, logged, by, why="logged with register=")
            _close(tx, logged_id, number, "")
        return True
    except StoreUnavailable:
        raise
    except LedgerError as error:
        with database.write() as tx:
            _close(tx, logged_id, 0, str(error)[:2_000])
        return False


def _close(tx: sa.Connection, logged_id: str, version: int, reason: str) -> None:
    text = "UPDATE registrations SET version = ?, reason = ? WHERE logged_id = ? AND version IS NULL"
    execute(tx, text, [version, reason, logged_id])
