"""Floor 2. What alembic runs: the live connection is handed in, and its transaction is the caller's."""

from __future__ import annotations

from alembic import context

from prefect_ledger.database import VERSION_TABLE
from prefect_ledger.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
