"""Floor 6. ``prefect-ledger db``: the database, its schema and its size."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from prefect_ledger.cli.options import Json
from prefect_ledger.cli.render import pairs, print_json, say, show
from prefect_ledger.formats import size
from prefect_ledger.settings import Settings

if TYPE_CHECKING:
    from prefect_ledger.database import Database

app = App(name="db", help="The database: its schema and its state.")


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The database of these settings, closed at the end."""
    from prefect_ledger.database import Database

    database = Database(settings.store_url)
    try:
        yield database
    finally:
        database.close()


@app.command
def status(*, json: Json = False) -> int:
    """Where the database is, and whether this version speaks its schema.

    Exits with 1 when the database cannot be used as it is.

    For example:

        prefect-ledger db status
        prefect-ledger db status --json
    """
    from prefect_ledger.database import OLDEST, SCHEMA

    settings = Settings.resolve()
    with opened(settings) as database:
        found = database.version()
        usable = found is None or OLDEST <= found <= SCHEMA
        bytes_used = store_bytes(settings) if settings.store_url.startswith("sqlite") else _table_bytes(database, found)
    if json:
        print_json(
            {
                "store_url": settings.shown_store_url,
                "from": settings.origin["store_url"],
                "schema": found,
                "speaks": [OLDEST, SCHEMA],
                "usable": usable,
                "bytes": bytes_used,
            }
        )
        return 0 if usable else 1
    show(
        pairs(
            [
                ("store", settings.shown_store_url),
                ("from", settings.origin["store_url"]),
                ("schema", _schema_sentence(found, OLDEST, SCHEMA)),
                *([("size", size(bytes_used))] if bytes_used is not None else []),
            ]
        )
    )
    return 0 if usable else 1


def _schema_sentence(found: int | None, oldest: int, newest: int) -> str:
    if found is None:
        return "none yet: the first run, or prefect-ledger db upgrade, makes it"
    if found > newest:
        return f"{found}, newer than this prefect-ledger speaks ({oldest} to {newest}): pip install -U prefect-ledger"
    if found < newest:
        return f"{found}, this prefect-ledger writes {newest}: prefect-ledger db upgrade"
    return f"{found}, up to date"


def _table_bytes(database: Database, schema: int | None) -> int | None:
    """What the ledger's tables take in a database that may hold others; None when there are none, or of a schema that is not known."""
    from prefect_ledger.database import OLDEST, SCHEMA
    from prefect_ledger.queries.size import store_bytes

    if schema is None or not OLDEST <= schema <= SCHEMA:
        return None
    with database.read() as tx:
        return store_bytes(tx)


def store_bytes(settings: Settings) -> int | None:
    """What an SQLite store takes on disk, its write-ahead log included; None for others, or when it is not there yet."""
    path = sqlite_path(settings)
    if path is None or not path.exists():
        return None
    return sum(part.stat().st_size for part in (path, path.with_name(path.name + "-wal")) if part.exists())


def sqlite_path(settings: Settings) -> Path | None:
    """The file of an SQLite store."""
    return Path(settings.store_url.removeprefix("sqlite:///")) if settings.store_url.startswith("sqlite") else None


@app.command
def upgrade() -> None:
    """Make the schema, or bring it up to what this version writes.

    Nothing is lost; there is no way back down.

    For example:

        prefect-ledger db upgrade
    """
    settings = Settings.resolve()
    with opened(settings) as database:
        before, after = database.upgrade()
    if before is None:
        say(f"made: {settings.shown_store_url}, schema {after}")
    elif before == after:
        say(f"nothing to do: {settings.shown_store_url} has schema {after}")
    else:
        say(f"upgraded: {settings.shown_store_url}, schema {before} to {after}")


@app.command
def roles(
    *,
    writer: Annotated[str, Parameter(help="The role of workers: logs runs, reads the registry.")] = "ledger_writer",
    registrar: Annotated[str, Parameter(help="The role of the promotion worker and the dashboard: changes the registry too.")] = (
        "ledger_registrar"
    ),
    show_sql: Annotated[bool, Parameter(name="--sql", negative="", help="Show the statements and do nothing.")] = False,
    schema: Annotated[str, Parameter(help="With --sql: the schema of the ledger's tables.")] = "public",
) -> None:
    """Give two roles of PostgreSQL, which exist, their rights on the ledger's tables; run it as their owner, after each upgrade.

    The audit log, votes, evidence and the digests of versions can be written once by the registrar, and by the writer not at all.

    For example:

        prefect-ledger db roles
        prefect-ledger db roles --sql --schema ledger | psql
    """
    from prefect_ledger.roles import grant, statements

    if show_sql:
        for statement in statements(schema, writer, registrar):
            print(f"{statement};")  # noqa: T201 - for psql
        return
    with opened(Settings.resolve()) as database, database.write() as tx:
        where = grant(tx, writer, registrar)
    say(f"{writer} writes runs and {registrar} the registry too, in the schema {where}")
