"""Floor 2. Two roles for PostgreSQL: who logs, and who decides.

A *writer* is for workers: it writes runs and all that they log, reads the registry, and asks for versions. A *registrar* is for the
promotion worker and the dashboard: it may do that and change the registry, but not what must not change: rows of the audit log, votes,
evidence, policies and the digest of a version are added and never written again. The owner of the tables can do anything, so it is the one
that migrations run as, and no worker's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prefect_ledger.database import VERSION_TABLE, execute, rows
from prefect_ledger.errors import InvalidName, InvalidSettings
from prefect_ledger.tables import METADATA

if TYPE_CHECKING:
    import sqlalchemy as sa

READ, ADD, ALL = "SELECT", "SELECT, INSERT", "SELECT, INSERT, UPDATE, DELETE"
_REGISTRAR = {
    "registered_models": f"{ADD}, UPDATE (name, description, latest, updated, deleted)",
    "model_versions": f"{ADD}, UPDATE (stage, description, updated, deleted)",
    "model_aliases": ALL,
    "model_tags": ALL,
    "model_notes": ADD,
    "registrations": f"{ADD}, UPDATE (version, reason)",
    "policies": ADD,
    "evidences": ADD,
    "transition_requests": f"{ADD}, UPDATE (state, reason, closed)",
    "request_votes": ADD,
    "audit": ADD,
    "audit_head": "SELECT, UPDATE (seq, hash)",
    "outbox": f"{ADD}, UPDATE (sent)",
    "webhooks": f"{ADD}, UPDATE (planned, removed)",
    "deliveries": f"{ADD}, UPDATE (state, tries, due, status, answer, ended)",
    "saved_views": ALL,
}
REGISTRY = frozenset(_REGISTRAR)  # and what else is the dashboard's: workers read it
VIEWS = ("latest_metrics", "lineage", "model_versions_now", "runs_wide")  # they show a role no more than the tables below them do
PRIVATE = ("deliveries", "webhooks")  # URLs can be secrets, and what receivers answer: nobody but the registrar reads them


def statements(schema: str, writer: str, registrar: str) -> Iterator[str]:
    """The statements that give two roles, which exist, the rights they have and no others on the ledger's tables in ``schema``.

    Raises:
        InvalidName: a name of a role or schema that PostgreSQL has none of.
    """
    names = [_quoted(name) for name in (schema, writer, registrar)]
    where, roles = names[0], {names[1]: _of_writer, names[2]: _REGISTRAR.__getitem__}
    tables = sorted(table.name for table in METADATA.sorted_tables)
    for role, of_registry in roles.items():
        yield f"GRANT USAGE ON SCHEMA {where} TO {role}"
        yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {where} FROM {role}"
        yield f"GRANT SELECT ON {where}.{_quoted(VERSION_TABLE)} TO {role}"
        for table in tables:
            rights = of_registry(table) if table in REGISTRY else ALL
            if rights:
                yield f"GRANT {rights} ON {where}.{_quoted(table)} TO {role}"
        for view in VIEWS:
            yield f"GRANT {READ} ON {where}.{_quoted(view)} TO {role}"
        yield f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {where} TO {role}"
    yield _taken_from_others(schema, registrar)


def grant(tx: sa.Connection, writer: str, registrar: str) -> str:
    """Give two roles their rights on the ledger that this transaction is in; returns the schema's name.

    Raises:
        InvalidSettings: it is no PostgreSQL, or there is no such role. InvalidName.
    """
    if tx.dialect.name != "postgresql":
        raise InvalidSettings("roles are PostgreSQL's: whoever can open the file of an SQLite ledger is trusted with all of it")
    there = {row[0] for row in rows(tx, "SELECT rolname FROM pg_roles WHERE rolname IN (?, ?)", [writer, registrar])}
    if missing := [name for name in (writer, registrar) if name not in there]:
        raise InvalidSettings(f"there is no role {missing[0]!r}: CREATE ROLE {_quoted(missing[0])} LOGIN PASSWORD '…'")
    schema = str(rows(tx, "SELECT current_schema()")[0][0])
    for statement in statements(schema, writer, registrar):
        execute(tx, statement)
    return schema


def _of_writer(table: str) -> str:
    return ADD if table == "registrations" else "" if table in PRIVATE else READ


def _taken_from_others(schema: str, registrar: str) -> str:
    """A statement that takes the private tables from every other role that was given them, such as by default privileges."""
    tables = ", ".join(f"{_literal(f'{_quoted(schema)}.{_quoted(table)}')}::regclass" for table in PRIVATE)
    body = f"""DECLARE one record; BEGIN
 FOR one IN SELECT DISTINCT c.oid::regclass AS place, a.grantee FROM pg_class c, aclexplode(c.relacl) a
  WHERE c.oid IN ({tables}) AND a.grantee NOT IN (c.relowner, {_literal(_quoted(registrar))}::regrole)
 LOOP
  EXECUTE 'REVOKE ALL ON ' || one.place || ' FROM ' || CASE one.grantee WHEN 0 THEN 'PUBLIC' ELSE one.grantee::regrole::text END;
 END LOOP;
END"""
    return f"DO {_literal(body)}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    if not name or len(name.encode()) > 63 or not name.isprintable() or any(char in name for char in "?%"):
        raise InvalidName(f"a role or schema has a name of 1 to 63 bytes, not {name!r:.80}")
    return '"' + name.replace('"', '""') + '"'
