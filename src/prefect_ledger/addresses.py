"""Floor 0. URLs of stores: which are understood, which store one means, and how it looks without its passwords."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode

from prefect_ledger.errors import InvalidSettings

UNPLACED = "offline:"  # what the address of an artifact begins with whose root is chosen when it is brought in
_SELECTS = ("host", "hostaddr", "port", "dbname", "service", "options")  # of a PostgreSQL URL's query: which database is meant
_SECRET = re.compile(r"(?i)([?&][^=&]*(?:pass|pwd|secret|token|key)[^=&]*=)[^&]*")
_PORT = re.compile(r":(\d*)$")


def shown_url(url: str) -> str:
    """A database URL without its passwords, for people and logs.

    Example:
        >>> shown_url("postgresql+psycopg://ann:s3cret@db/ledger?sslpassword=x")
        'postgresql+psycopg://ann:********@db/ledger?sslpassword=********'
    """
    scheme, colon, rest = url.partition("://")
    if scheme.startswith("sqlite"):
        return url
    who, at, where = rest.rpartition("@")
    user, colon_too, _ = who.partition(":")
    hidden = f"{user}:********@" if colon_too else f"{who}{at}"
    return _SECRET.sub(r"\1********", f"{scheme}{colon}{hidden}{where}")


def which_store(url: str) -> str:
    """What of a store's URL says which store it is: not who comes, nor how."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return url
    place, _, query = rest.partition("?")
    authority, _, name = place.partition("/")
    host, _, port = _PORT.sub(r" \1", authority.rpartition("@")[2].lower()).partition(" ")
    chosen = sorted((key, value) for key, value in parse_qsl(query, keep_blank_values=True) if key in _SELECTS)
    return f"postgresql://{host}:{port or 5432}/{unquote(name)}?{urlencode(chosen)}"


def store_url(url: str, source: str) -> str:
    """``url``, which ``source`` gave, as the database's driver takes it.

    Raises:
        InvalidSettings: not a URL of a store; the message names the source and shows no password.
    """
    scheme, colon, rest = url.partition("://")
    name, _, driver = scheme.partition("+")
    if not colon or name not in ("sqlite", "postgresql", "postgres") or driver not in ("", "pysqlite", "psycopg"):
        begins = re.match(r"[A-Za-z0-9+]{0,20}", url)  # no more of it: what does not parse may hold a password anywhere
        raise InvalidSettings(
            f"store_url (from {source}) begins with {begins.group() if begins else ''!r}:"
            " give sqlite:////path/to/ledger.db or postgresql://user@host/database"
        )
    if name == "sqlite":
        return _sqlite_url(rest, source)
    if rest.count("@") > 1 or "@" in rest.partition("?")[2]:
        raise InvalidSettings(f"store_url (from {source}): write '@' as %40 and '?' as %3F, but for the '@' before the host")
    return f"postgresql+psycopg://{rest}"


def _sqlite_url(rest: str, source: str) -> str:
    if "?" in rest:
        raise InvalidSettings(f"store_url (from {source}): an SQLite ledger takes no options, and its path has no '?': {rest!r}")
    path = rest.lstrip("/") if os.name == "nt" else rest[1:]
    if not path or path == ":memory:":
        raise InvalidSettings(f"store_url (from {source}): an SQLite ledger is a file, as in sqlite:////path/to/ledger.db")
    return f"sqlite:///{whole_folder(path, 'store_url', source).as_posix()}"


def whole_folder(value: str | os.PathLike[str], name: str, source: str) -> Path:
    """The absolute path that the setting ``name`` means, as ``source`` gave it.

    Raises:
        InvalidSettings: it has a NUL in it, or names a user that there is not.
    """
    text = os.fspath(value)
    if "\0" in text:
        raise InvalidSettings(f"{name} (from {source}) has a NUL in it: {text!r}")
    try:
        return Path(os.path.abspath(Path(text).expanduser()))
    except RuntimeError as error:
        raise InvalidSettings(f"{name} (from {source}) is {text!r}: {error}") from None
