"""Floor 0. Where this ledger lives, resolved once and frozen.

Order: argument, environment (``PREFECT_LEDGER_*``), ``[integrations.ledger]`` of ``prefect.toml`` or
``[tool.prefect.integrations.ledger]`` of ``pyproject.toml`` in the working folder, default. ``origin`` says which one won.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from prefect_ledger.errors import InvalidSettings

PREFIX = "PREFECT_LEDGER_"
_FILES = (("prefect.toml", ("integrations", "ledger")), ("pyproject.toml", ("tool", "prefect", "integrations", "ledger")))
_SELECTS = ("host", "hostaddr", "port", "dbname", "service", "options")  # of a PostgreSQL URL's query: which database is meant
_SECRET = re.compile(r"(?i)([?&][^=&]*(?:pass|pwd|secret|token|key)[^=&]*=)[^&]*")
_PORT = re.compile(r":(\d*)$")
_YES, _NO = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


@dataclass(frozen=True)
class Settings:
    """Where runs, artifacts and journals go.

    ``store_url``: ``sqlite:////abs/path.db`` or ``postgresql+psycopg://…``. ``artifact_root``: a folder or an fsspec URL.
    ``home``: the ledger's own folder. ``journal_root``: where processes keep what is not in the store yet.
    ``capture_git``, ``capture_packages``: off switches of what is recorded by itself.

    Example:
        >>> Settings.resolve(home="/tmp/l", environ={}, folder="/").store_url
        'sqlite:////tmp/l/ledger.db'
    """

    store_url: str
    artifact_root: str
    home: Path
    journal_root: Path
    capture_git: bool = True
    capture_packages: bool = True
    origin: Mapping[str, str] = field(default_factory=dict, compare=False, hash=False, repr=False)

    @classmethod
    def resolve(cls, *, environ: Mapping[str, str] | None = None, folder: str | Path | None = None, **given: Any) -> Settings:
        """Settings from arguments, then environment, then files in ``folder`` (the working folder), then defaults.

        Raises:
            InvalidSettings: a value cannot be used, or a file does not parse; the message names its source.
        """
        env = os.environ if environ is None else environ
        got = _collect(env, Path(folder) if folder is not None else Path.cwd(), given)
        origin = {name: source for name, (_, source) in got.items()}
        values = {name: value for name, (value, _) in got.items()}
        home = _folder(values.get("home") or _default_home(env), "home", origin)
        store = _store_url(str(values.get("store_url") or f"sqlite:///{home.as_posix()}/ledger.db"), origin.get("store_url", "default"))
        journals = _folder(values.get("journal_root") or home / "journals", "journal_root", origin)
        flags = {n: _flag(values.get(n, True), n, origin.get(n, "")) for n in ("capture_git", "capture_packages")}
        return cls(
            store_url=store,
            artifact_root=_artifact_root(values.get("artifact_root") or home / "artifacts", origin),
            home=home,
            journal_root=journals,
            origin=MappingProxyType({f.name: origin.get(f.name, "default") for f in fields(cls) if f.name != "origin"}),
            **flags,
        )

    @property
    def shown_store_url(self) -> str:
        """The store's URL without its password, for people and logs."""
        return shown_url(self.store_url)

    @property
    def journal_folder(self) -> Path:
        """Journals of this store alone: a ledger never drains what was meant for another one."""
        return self.journal_root / hashlib.sha256(_which(self.store_url).encode("utf-8", "surrogateescape")).hexdigest()[:12]


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


def _which(url: str) -> str:
    """What of a store's URL says which store it is: not who comes, nor how."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return url
    place, _, query = rest.partition("?")
    authority, _, name = place.partition("/")
    host, _, port = _PORT.sub(r" \1", authority.rpartition("@")[2].lower()).partition(" ")
    chosen = sorted((key, value) for key, value in parse_qsl(query, keep_blank_values=True) if key in _SELECTS)
    return f"postgresql://{host}:{port or 5432}/{unquote(name)}?{urlencode(chosen)}"


def _collect(env: Mapping[str, str], folder: Path, given: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    names = [f.name for f in fields(Settings) if f.name != "origin"]
    if unknown := set(given) - set(names):
        raise InvalidSettings(f"no such setting: {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    got: dict[str, tuple[Any, str]] = {}
    for source, table in _tables(folder):
        for name in names:
            if name in table:
                got.setdefault(name, (_checked(name, table[name], source), source))
    for name in names:
        if value := env.get(PREFIX + name.upper(), ""):
            got[name] = (value, f"environment {PREFIX}{name.upper()}")
        if given.get(name) is not None:
            got[name] = (_checked(name, given[name], "argument"), "argument")
    return got


def _checked(name: str, value: Any, source: str) -> Any:
    kinds = bool | str if name.startswith("capture_") else str | os.PathLike
    if not isinstance(value, kinds):
        raise InvalidSettings(f"{name} (from {source}) is a {type(value).__name__}: write it as text")
    return value


def _tables(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, path in _FILES:
        try:
            table: Any = tomllib.loads((folder / name).read_text(encoding="utf-8"))
        except OSError:  # no such file, a folder of this name, no right to read it
            continue
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidSettings(f"{folder / name} does not parse: {error}") from error
        for key in path:
            table = table.get(key, {}) if isinstance(table, dict) else {}
        if isinstance(table, dict) and table:
            yield f"{name} [{'.'.join(path)}]", table


def _default_home(env: Mapping[str, str]) -> Path:
    prefect = env.get("PREFECT_HOME", "")
    try:
        return (Path(prefect).expanduser() if prefect else Path.home() / ".prefect") / "ledger"
    except RuntimeError:  # a user without a home, as in many containers
        raise InvalidSettings(f"this user has no home folder: set {PREFIX}HOME to a folder that can be written") from None


def _folder(value: Any, name: str, origin: Mapping[str, str]) -> Path:
    text = os.fspath(value)
    if "\0" in text:
        raise InvalidSettings(f"{name} (from {origin.get(name, 'default')}) has a NUL in it: {text!r}")
    try:
        return Path(os.path.abspath(Path(text).expanduser()))
    except RuntimeError as error:
        raise InvalidSettings(f"{name} (from {origin.get(name, 'default')}) is {text!r}: {error}") from None


def _artifact_root(value: Any, origin: Mapping[str, str]) -> str:
    text: str = os.fspath(value)
    if "://" in text:
        return text.rstrip("/")
    return str(_folder(text, "artifact_root", origin))


def _flag(value: Any, name: str, source: str) -> bool:
    low = str(value).strip().lower()
    if low not in _YES | _NO:
        raise InvalidSettings(f"{name} = {value!r} (from {source}): say true or false")
    return low in _YES


def _store_url(url: str, source: str) -> str:
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
    return f"sqlite:///{_folder(path, 'store_url', {'store_url': source}).as_posix()}"
