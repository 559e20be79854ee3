"""Floor 2. The schema's history, one linear tree for SQLite and PostgreSQL; see ``NOTES.md`` beside this file."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa


def upgrade(conn: sa.Connection, revision: str = "head") -> None:
    """Run the migrations up to ``revision`` in the transaction that ``conn`` is in."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = conn
    command.upgrade(config, revision)
