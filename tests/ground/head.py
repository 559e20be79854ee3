"""What the migrations say to a database, written down: ``python -m tests.ground.head`` writes the files that a new store is made with."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from prefect_ledger import migrations
from prefect_ledger.migrations import BETWEEN, NOW, upgrade

_VERSION = "ledger_schema_version"
_RECENT = 10**15  # µs since 1970: what is greater is a time


def path(dialect: str) -> Path:
    """The file of a database."""
    return Path(migrations.__file__).with_name(f"head.{dialect}.sql")


def written(url: str) -> str:
    """What the file of this kind of database has to say; the database at ``url`` is empty, and has the schema afterwards."""
    engine, said = sa.create_engine(url), list[str]()

    def hear(_conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        text = _plain(statement.strip(), parameters)
        if text.startswith(("CREATE", "ALTER", "alter", "INSERT")) and not text.startswith(f"INSERT INTO {_VERSION}"):
            said.append(text)

    with engine.connect() as conn, conn.begin():
        sa.event.listen(conn, "before_cursor_execute", hear)
        upgrade(conn)
        sa.event.remove(conn, "before_cursor_execute", hear)
        version = conn.exec_driver_sql(f"SELECT version_num FROM {_VERSION}").scalar_one()
    engine.dispose()
    return BETWEEN.join([*said, f"INSERT INTO {_VERSION} (version_num) VALUES ('{version}')\n"])


def _plain(statement: str, parameters: Any) -> str:
    """With its values in it: numbers and plain words."""
    lines = "\n".join(line.rstrip() for line in statement.replace("\t", "  ").splitlines() if line.strip())
    if isinstance(parameters, Mapping):
        lines = re.sub(r"%\((\w+)\)s", lambda found: _value(parameters[found[1]]), lines).replace("%%", "%")
    elif parameters:
        values = iter(parameters)
        lines = re.sub(r"\?", lambda _found: _value(next(values)), lines)
    return lines


def _value(value: Any) -> str:
    if isinstance(value, int):
        return NOW if value > _RECENT else str(value)
    assert isinstance(value, str)
    assert "'" not in value
    return f"'{value}'"


if __name__ == "__main__":
    from tests.services_real.postgres import postgres

    with tempfile.TemporaryDirectory() as folder:
        path("sqlite").write_text(written(f"sqlite:///{folder}/ledger.db"), encoding="utf-8")
    with postgres() as server, server.schema() as schema:
        path("postgresql").write_text(written(server.url(schema)), encoding="utf-8")
