"""A new store is made from a file, and is what the migrations would have made."""

from __future__ import annotations

import re

import sqlalchemy as sa

from prefect_ledger.database import SCHEMA, Database
from prefect_ledger.migrations import create, upgrade
from tests.ground import head

_SQLITE = "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
_POSTGRES = """
SELECT c.relname, c.relkind, c.reloptions, pg_get_viewdef(c.oid)
 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() ORDER BY c.relname;
SELECT table_name, column_name, ordinal_position, column_default, is_nullable, udt_name, character_maximum_length, collation_name
 FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position;
SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY indexname;
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(c.oid)
 FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE n.nspname = current_schema() ORDER BY conname;
SELECT c.relname, a.attname, a.attstorage FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND a.attnum > 0 ORDER BY c.relname, a.attname
"""
_ROWS = ("ledger_schema_version", "audit_head", "experiments")


def said(conn: sa.Connection) -> list[str]:
    """All that the database knows of its tables, and the rows that a new one has, without what is a time or the name of a schema."""
    queries = _POSTGRES if conn.dialect.name == "postgresql" else _SQLITE
    found = [str(tuple(row)) for query in queries.split(";") for row in conn.exec_driver_sql(query)]
    found += [f"{table} {tuple(row)}" for table in _ROWS for row in conn.exec_driver_sql(f"SELECT * FROM {table}")]
    return [re.sub(r"\b\d{16}\b", "NOW", re.sub(r"\bt_[0-9a-f]{16}\b", "SCHEMA", re.sub(r"(\\[nt]|\s)+", "", text))) for text in found]


def test_a_new_store_is_what_the_migrations_make(store_url: str) -> None:
    """Every table, column, default, index, constraint, view and row."""
    found = list[list[str]]()
    for make in (upgrade, create):
        engine = sa.create_engine("sqlite://" if store_url.startswith("sqlite") else store_url)
        with engine.connect() as conn, conn.begin() as transaction:
            make(conn)
            found.append(said(conn))
            transaction.rollback()
        engine.dispose()
    assert len(found[0]) > 100
    assert found[0] == found[1]


def test_the_file_says_what_the_migrations_say(store_url: str) -> None:
    """Whoever adds a migration has it written: ``python -m tests.ground.head``."""
    assert head.path(store_url.partition("+")[0].partition(":")[0]).read_text(encoding="utf-8") == head.written(store_url)


def test_a_new_store_needs_no_migration(store_url: str) -> None:
    """It has the newest number from the beginning."""
    database = Database(store_url)
    database.prepare()
    assert database.version() == SCHEMA
    database.close()
