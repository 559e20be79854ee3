"""Floor 2. The schema's history, one linear tree for SQLite and PostgreSQL; see ``NOTES.md`` beside this file."""

from __future__ import annotations

import re
import time
from pathlib import Path

import sqlalchemy as sa

BETWEEN, NOW = ";\n\n", "@now"  # in the files of :func:`create`: between two statements, and for µs since 1970


def upgrade(conn: sa.Connection, revision: str = "head") -> None:
    """Run the migrations up to ``revision`` in the transaction that ``conn`` is in."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = conn
    command.upgrade(config, revision)


def create(conn: sa.Connection) -> None:
    """Give an empty database what all migrations would, in the transaction that ``conn`` is in.

    The statements are those that the migrations give, written down in ``head.*.sql`` and not made anew: a new ledger begins a quarter of a
    second sooner.
    """
    text = _head(conn.dialect.name).replace(NOW, str(time.time_ns() // 1000))
    if conn.dialect.name == "postgresql":  # all at once: each would be a question to a server that may be far
        conn.exec_driver_sql(text, execution_options={"no_parameters": True})
        return
    for statement in text.split(BETWEEN):
        conn.exec_driver_sql(statement)


def table_names(dialect: str) -> set[str]:
    """The names of the tables that :func:`create` makes."""
    return set(re.findall(r"^CREATE TABLE (\w+)", _head(dialect), re.MULTILINE))


def _head(dialect: str) -> str:
    return (Path(__file__).parent / f"head.{dialect}.sql").read_text(encoding="utf-8")
