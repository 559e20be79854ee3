"""Floor 3. How much room the store takes in its database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect_ledger.database import rows
from prefect_ledger.tables import METADATA

if TYPE_CHECKING:
    import sqlalchemy as sa

# Of PostgreSQL, which may hold other things beside the ledger: its tables with their indices and what was put aside of long values.
_POSTGRESQL = "SELECT COALESCE(SUM(pg_total_relation_size(to_regclass(name))), 0) FROM unnest(CAST(? AS text[])) AS name"
_SQLITE = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"


def store_bytes(tx: sa.Connection) -> int:
    """Bytes of the ledger's tables on PostgreSQL, of the whole file on SQLite."""
    if tx.dialect.name == "sqlite":
        return int(rows(tx, _SQLITE)[0][0])
    return int(rows(tx, _POSTGRESQL, [[table.name for table in METADATA.sorted_tables]])[0][0])
