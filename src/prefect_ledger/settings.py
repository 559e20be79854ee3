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
from urllib.parse import urlsplit

from prefect_ledger.errors import InvalidSettings

PREFIX = "PREFECT_LEDGER_"
_FILES = (("prefect.toml", ("integrations", "ledger")), ("pyproject.toml", ("tool", "prefect", "integrations", "ledger")))
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
        home = _folder(values.get("home") or _default_home(env))
        store = _store_url(str(values.get("store_url") or f"sqlite:///{home.as_posix()}/ledger.db"), origin.get("store_url", "default"))
        root = str(values.get("artifact_root") or home / "artifacts")
        journals = _folder(values.get("journal_root") or home / "journals")
        flags = {n: _flag(values.get(n, True), n, origin.get(n, "")) for n in ("capture_git", "capture_packages")}
        return cls(
            store_url=store,
            artifact_root=_artifact_root(root),
            home=home,
            journal_root=journals,
            origin=MappingProxyType({f.name: origin.get(f.name, "default") for f in fields(cls) if f.name != "origin"}),
            **flags,
        )

    @property
    def shown_store_url(self) -> str:
        """The store's URL without its password, for people and logs."""
        return re.sub(r"(://[^/@]*:)[^/@]*@", r"\1********@", self.store_url)

    @property
    def journal_folder(self) -> Path:
        """Journals of this store alone: a ledger never drains what was meant for another one."""
        parts = urlsplit(self.store_url)
        bare = f"{parts.scheme.split('+')[0]}://{parts.netloc.rpartition('@')[2]}{parts.path}?{parts.query}"
        return self.journal_root / hashlib.sha256(bare.encode()).hexdigest()[:12]


def _collect(env: Mapping[str, str], folder: Path, given: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    names = [f.name for f in fields(Settings) if f.name != "origin"]
    if unknown := set(given) - set(names):
        raise InvalidSettings(f"no such setting: {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    got: dict[str, tuple[Any, str]] = {}
    for source, table in _tables(folder):
        for name in names:
            if name in table:
                got.setdefault(name, (table[name], source))
    for name in names:
        if value := env.get(PREFIX + name.upper(), ""):
            got[name] = (value, f"environment {PREFIX}{name.upper()}")
        if given.get(name) is not None:
            got[name] = (given[name], "argument")
    return got


def _tables(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, path in _FILES:
        try:
            table: Any = tomllib.loads((folder / name).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidSettings(f"{folder / name} does not parse: {error}") from error
        for key in path:
            table = table.get(key, {}) if isinstance(table, dict) else {}
        if isinstance(table, dict) and table:
            yield f"{name} [{'.'.join(path)}]", table


def _default_home(env: Mapping[str, str]) -> Path:
    prefect = env.get("PREFECT_HOME", "")
    return (Path(prefect).expanduser() if prefect else Path.home() / ".prefect") / "ledger"


def _folder(value: Any) -> Path:
    return Path(os.path.abspath(Path(str(value)).expanduser()))


def _artifact_root(value: str) -> str:
    if "://" in value:
        return value.rstrip("/")
    return str(_folder(value))


def _flag(value: Any, name: str, source: str) -> bool:
    low = str(value).strip().lower()
    if low not in _YES | _NO:
        raise InvalidSettings(f"{name} = {value!r} (from {source}): say true or false")
    return low in _YES


def _store_url(url: str, source: str) -> str:
    scheme, colon, rest = url.partition("://")
    name, _, driver = scheme.partition("+")
    if not colon or name not in ("sqlite", "postgresql", "postgres") or driver not in ("", "pysqlite", "psycopg"):
        raise InvalidSettings(
            f"store_url (from {source}) begins with {scheme[:40]!r}: give sqlite:////path/to/ledger.db or postgresql://user@host/database"
        )
    if name == "sqlite":
        path = rest.partition("?")[0].lstrip("/") if os.name == "nt" else rest.partition("?")[0][1:]
        if not path or path == ":memory:":
            raise InvalidSettings(f"store_url (from {source}): an SQLite ledger is a file, as in sqlite:////path/to/ledger.db")
        return f"sqlite:///{_folder(path).as_posix()}"
    return f"postgresql+psycopg://{rest}"
