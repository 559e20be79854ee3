"""Floor 0. Where this ledger lives, resolved once and frozen.

Order: argument, environment (``PREFECT_LEDGER_*``), ``[integrations.ledger]`` of ``prefect.toml`` or
``[tool.prefect.integrations.ledger]`` of ``pyproject.toml`` in the working folder, the block that one of these names, default.
``origin`` says which one won. In the mode "disabled" nothing is refused: what cannot be used does not matter then.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

from prefect_ledger import sources
from prefect_ledger.addresses import shown_url, store_url, which_store, whole_folder
from prefect_ledger.errors import BlockNotLoaded, InvalidSettings
from prefect_ledger.names import ALERT_LEVELS

__all__ = ["BLOCK", "OFFLINE", "PREFIX", "Mode", "Settings", "shown_url"]

PREFIX = "PREFECT_LEDGER_"
BLOCK = "block"  # what an origin begins with when a block won
OFFLINE = "offline"  # the folder below the journals' root in which the offline mode keeps all that it logs
Mode = Literal["online", "offline", "disabled"]
_MODES: tuple[str, ...] = get_args(Mode)
_ANY = "any"  # in place of a store's digest: what was logged while nobody had said for which store
_FILES = (("prefect.toml", ("integrations", "ledger")), ("pyproject.toml", ("tool", "prefect", "integrations", "ledger")))
_YES, _NO = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
_KEEPS = ("auto", "on", "off")
_FLAGS = ("capture_git", "capture_packages", "prefect_artifacts", "watch")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,200}")
_WAY = re.compile(r"block:[a-z0-9-]{1,100}/[a-z0-9-]{1,200}")
_NUMBERS = {"watch_seconds": (5.0, 0.1), "cpu_hour_price": (0.0, 0.0), "gpu_hour_price": (0.0, 0.0)}  # default, least
_NOT_SET = ("missing", "address", "origin")  # fields that are no settings
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Settings:
    """Where runs, artifacts and journals go, and what is recorded by itself.

    ``store_url``: ``sqlite:////abs/path.db`` or ``postgresql+psycopg://…``. ``artifact_root``: a folder or an fsspec URL;
    ``storage_options`` go to its driver. ``home``: the ledger's own folder. ``journal_root``: where processes keep what is not in the
    store yet. ``block``: the LedgerStore block that says store and artifact root where nothing above it does. ``dashboard_url``: where
    the dashboard answers. ``mode``: "online"; "offline", where no store is asked and ``prefect-ledger sync`` brings in later what was
    logged; "disabled", where nothing is recorded. ``capture_git``, ``capture_packages``, ``prefect_artifacts``, ``watch``: off switches.
    ``capture_changes``: whether uncommitted changes are kept with a run: "on", "off", or "auto", where store and artifacts are on this
    machine. ``capture_variables``: environment variables that are recorded besides those that results are known to hang on, as text with
    commas. ``watch_seconds``: between two looks at the machine. ``alert_to``: who is told of alerts, URLs and notification blocks of
    Prefect (``block:slack-webhook/team``), as text with commas. ``alert_secret``: what signs what is posted to URLs, ``env:NAME`` or
    ``block:name``. ``alert_level``: "info", "warning" or "error", the least that is told. ``cpu_hour_price``, ``gpu_hour_price``: in
    whatever money, 0 for no price.

    ``missing`` is why the block's values are not known yet, and then the settings that only it has are empty.

    Example:
        >>> Settings.resolve(home="/tmp/l", environ={}, folder="/").store_url
        'sqlite:////tmp/l/ledger.db'
    """

    store_url: str = field(repr=False)
    artifact_root: str
    home: Path
    journal_root: Path
    block: str = ""
    mode: Mode = "online"
    storage_options: Mapping[str, Any] = field(default_factory=lambda: _NOTHING, repr=False, hash=False)
    dashboard_url: str = ""
    capture_git: bool = True
    capture_packages: bool = True
    capture_changes: str = "auto"
    capture_variables: tuple[str, ...] = ()
    prefect_artifacts: bool = True
    watch: bool = True
    watch_seconds: float = 5.0
    alert_to: tuple[str, ...] = field(default=(), repr=False)
    alert_secret: str = ""
    alert_level: str = "info"
    cpu_hour_price: float = 0.0
    gpu_hour_price: float = 0.0
    missing: str = ""
    address: str = field(default="", repr=False)  # of the block: which one is meant
    origin: Mapping[str, str] = field(default_factory=dict, compare=False, hash=False, repr=False)

    @classmethod
    def resolve(
        cls, *, environ: Mapping[str, str] | None = None, folder: str | Path | None = None, patient: Any = False, **given: Any
    ) -> Settings:
        """Settings from arguments, then environment, then files in ``folder`` (the working folder), then the block, then defaults.

        With ``patient`` a block that cannot be loaded now leaves its settings empty, and ``missing`` says why.

        Raises:
            InvalidSettings: a value cannot be used, or a file does not parse; the message names its source.
            BlockNotLoaded: the block that is named cannot be loaded, and something of it is needed.
        """
        env = os.environ if environ is None else environ
        place = Path(folder) if folder is not None else _working_folder()
        if (asked := _mode_asked(env, place, given))[0] == "disabled":
            return _disabled(env, place, given, asked)
        got = _collect(env, place, given)
        block, address, missing = _text(got, "block"), "", ""
        if block and not {"store_url", "artifact_root"} <= set(got):
            address = _address(block)
            if asked[0] == "offline":
                missing, patient = "the mode is offline, so the block is not asked", True
            try:
                if missing:
                    raise BlockNotLoaded(missing)
                got = {**_of_block(block), **got}
            except BlockNotLoaded as error:
                if not patient:
                    raise
                missing = str(error)
        return _made(env, got, block=block, address=address, missing=missing)

    def loaded(self) -> Settings:
        """These settings with the block's values, which were missing.

        Raises:
            BlockNotLoaded: it still cannot be loaded. InvalidSettings: its values cannot be used.
        """
        known = {f.name: (getattr(self, f.name), self.origin[f.name]) for f in fields(self) if f.name not in _NOT_SET}
        got = {name: value for name, value in known.items() if value[1] not in ("default", "missing")}
        return _made({}, {"home": known["home"], **_of_block(self.block), **got}, self.block, self.address, "")

    @property
    def shown_store_url(self) -> str:
        """The store's URL without its password, for people and logs."""
        return shown_url(self.store_url) if self.store_url else f"the store of block {self.block!r}"

    @property
    def journal_folder(self) -> Path:
        """Journals of this store alone: a ledger never drains what was meant for another one.

        A store that a block names is that block's, whether its values are known now or not.
        """
        return self._offline_folder / "journals" if self.mode == "offline" else self.journal_root / self._digest

    @property
    def held_folder(self) -> Path:
        """Where artifacts of this store wait that could not be sent when they were logged."""
        return self._offline_folder / "held" if self.mode == "offline" else self.home / "held" / self._digest

    @property
    def _offline_folder(self) -> Path:
        """One folder with all that was logged offline: for this store, or for whichever it will be, where nobody has said one."""
        return self.journal_root / OFFLINE / (_ANY if self.origin.get("store_url", "default") == "default" else self._digest)

    @property
    def _digest(self) -> str:
        of_block = not self.store_url or self.origin.get("store_url", "").startswith(f"{BLOCK} ")
        which = f"{BLOCK} {self.address}" if of_block else which_store(self.store_url)
        return hashlib.sha256(which.encode("utf-8", "surrogateescape")).hexdigest()[:12]

    def travelling(self) -> dict[str, str]:
        """What another process needs to find this ledger, as text and without secrets: of what a block says, its name."""
        found = {name: str(getattr(self, name)) for name in ("store_url", "artifact_root") if not self._is_blocks(name)}
        if self.mode == "offline":  # what is logged for no store in particular is to be found with the rest of its run
            found = {name: value for name, value in found.items() if self.origin[name] != "default"}
            found |= {"mode": self.mode, "journal_root": str(self.journal_root)}
        return {**found, "block": self.block} if self.block else found

    def _is_blocks(self, name: str) -> bool:
        return not getattr(self, name) or self.origin.get(name, "").startswith(f"{BLOCK} ")


def _made(env: Mapping[str, str], got: Mapping[str, tuple[Any, str]], block: str, address: str, missing: str) -> Settings:
    origin = {name: source for name, (_, source) in got.items()}
    values = {name: value for name, (value, _) in got.items()}

    def folder(name: str, default: str | Path) -> Path:
        return whole_folder(values.get(name) or default, name, origin.get(name, "default"))

    home = folder("home", values.get("home") or _default_home(env))
    store, root = values.get("store_url"), values.get("artifact_root")
    if missing:
        origin |= {name: "missing" for name in ("store_url", "artifact_root") if name not in got}
    else:
        store, root = store or f"sqlite:///{home.as_posix()}/ledger.db", root or home / "artifacts"
    switches: dict[str, Any] = {name: _flag(values.get(name, True), name, origin.get(name, "")) for name in _FLAGS}
    for name, (default, least) in _NUMBERS.items():
        switches[name] = _number(values.get(name, default), least, name, origin.get(name, ""))
    return Settings(
        store_url=store_url(str(store), origin.get("store_url", "default")) if store else "",
        artifact_root=_artifact_root(root, origin.get("artifact_root", "default")) if root else "",
        home=home,
        journal_root=folder("journal_root", home / "journals"),
        block=block,
        mode=_mode(values.get("mode", "online"), origin.get("mode", "default")),
        storage_options=_options(values.get("storage_options"), origin.get("storage_options", "default")),
        alert_to=_ways(values.get("alert_to") or (), origin.get("alert_to", "")),
        alert_secret=_secret_name(str(values.get("alert_secret") or ""), origin.get("alert_secret", "")),
        alert_level=_choice("alert_level", values.get("alert_level"), ALERT_LEVELS, origin),
        capture_variables=_variables(values.get("capture_variables") or (), origin.get("capture_variables", "")),
        capture_changes=_choice("capture_changes", values.get("capture_changes"), _KEEPS, origin),
        dashboard_url=str(values.get("dashboard_url") or "").rstrip("/"),
        missing=missing,
        address=address,
        origin=MappingProxyType({f.name: origin.get(f.name, "default") for f in fields(Settings) if f.name not in _NOT_SET}),
        **switches,
    )


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:  # it was removed under this process
        return Path()


def _mode_asked(env: Mapping[str, str], folder: Path, given: Mapping[str, Any]) -> tuple[str, str]:
    """The mode that is asked for, as far as that can be told, and where: before anything is refused."""
    name, variable = "mode", f"{PREFIX}MODE"
    if given.get(name) is not None:
        return str(given[name]).strip().lower(), "argument"
    if env.get(variable):
        return env[variable].strip().lower(), f"environment {variable}"
    with contextlib.suppress(InvalidSettings):
        for source, table in _tables(folder):
            if name in table:
                return str(table[name]).strip().lower(), source
    return "online", "default"


def _disabled(env: Mapping[str, str], folder: Path, given: Mapping[str, Any], asked: tuple[str, str]) -> Settings:
    """Settings with which nothing is recorded: the others as they are, where all of them can be used. No block is asked."""
    with contextlib.suppress(InvalidSettings):
        return _made(env, _collect(env, folder, given), block="", address="", missing="")
    return _made({}, {"home": (os.devnull, "default"), "mode": asked}, block="", address="", missing="")


def _mode(value: Any, source: str) -> Mode:
    low = str(value).strip().lower()
    if low not in _MODES:
        raise InvalidSettings(f"mode = {value!r} (from {source}): say {', '.join(_MODES[:-1])} or {_MODES[-1]}")
    return cast("Mode", low)


def _collect(env: Mapping[str, str], folder: Path, given: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    names = [f.name for f in fields(Settings) if f.name not in _NOT_SET]
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
    kinds: Any = str | os.PathLike
    if name in _FLAGS:
        kinds = bool | str
    elif name in _NUMBERS:
        kinds = int | float | str
    elif name in ("alert_to", "capture_variables"):
        kinds = list | tuple | str
    elif name == "storage_options":
        kinds = Mapping | str
    if not isinstance(value, kinds) or (name in _NUMBERS and isinstance(value, bool)):
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


def _text(got: Mapping[str, tuple[Any, str]], name: str) -> str:
    return os.fspath(got[name][0]).strip() if name in got else ""


def _address(block: str) -> str:
    return sources.shelf.address(block) if sources.shelf is not None else block


def _of_block(block: str) -> dict[str, tuple[Any, str]]:
    if sources.shelf is None:
        raise BlockNotLoaded(f"the block {block!r} cannot be loaded: nobody here knows of blocks")
    return {name: (value, f"{BLOCK} {block}") for name, value in sources.shelf.values(block).items() if value}


def _default_home(env: Mapping[str, str]) -> Path:
    prefect = env.get("PREFECT_HOME", "")
    try:
        return (Path(prefect).expanduser() if prefect else Path.home() / ".prefect") / "ledger"
    except RuntimeError:  # a user without a home, as in many containers
        raise InvalidSettings(f"this user has no home folder: set {PREFIX}HOME to a folder that can be written") from None


def _artifact_root(value: Any, source: str) -> str:
    text: str = os.fspath(value)
    return text.rstrip("/") if "://" in text else str(whole_folder(text, "artifact_root", source))


def _options(value: Any, source: str) -> Mapping[str, Any]:
    try:
        found = json.loads(value) if isinstance(value, str) else value or {}
    except ValueError:
        found = None
    if not isinstance(found, Mapping):  # not quoted: it is where keys are kept
        raise InvalidSettings(f"storage_options (from {source}) are a mapping, as JSON text: " + '{"anon": true}')
    return MappingProxyType(dict(found))


def _ways(value: Any, source: str) -> tuple[str, ...]:
    found = _several(value)
    for way in found:
        if not _WAY.fullmatch(way) and not way.startswith(("https://", "http://")):  # a URL may be a secret: what is none is not quoted
            raise InvalidSettings(f"alert_to (from {source}): one is neither a URL (https://…) nor a block (block:slack-webhook/team)")
    return found


def _variables(value: Any, source: str) -> tuple[str, ...]:
    found = _several(value)
    if strange := next((one for one in found if not _VARIABLE.fullmatch(one)), None):
        raise InvalidSettings(f"capture_variables (from {source}): {strange!r:.80} is no name of an environment variable")
    return found


def _several(value: Any) -> tuple[str, ...]:
    """Texts of a sequence, or of one text with commas: each once, without empty ones."""
    texts = (str(one).strip() for one in (value.split(",") if isinstance(value, str) else value))
    return tuple(dict.fromkeys(text for text in texts if text))


def _secret_name(value: str, source: str) -> str:
    if value and not value.startswith(("env:", "block:")):
        raise InvalidSettings(f"alert_secret (from {source}) names where the secret is, env:NAME or block:name, and is not the secret")
    return value


def _choice(name: str, value: Any, choices: Sequence[str], origin: Mapping[str, str]) -> str:
    """One of the choices; the first where nothing is said."""
    low = str(value or choices[0]).strip().lower()
    if low not in choices:
        raise InvalidSettings(f"{name} = {value!r} (from {origin.get(name, 'default')}): say {', '.join(choices)}")
    return low


def _flag(value: Any, name: str, source: str) -> bool:
    low = str(value).strip().lower()
    if low not in _YES | _NO:
        raise InvalidSettings(f"{name} = {value!r} (from {source}): say true or false")
    return low in _YES


def _number(value: Any, least: float, name: str, source: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not least <= number < float("inf"):
        raise InvalidSettings(f"{name} = {value!r} (from {source}): say a number of at least {least:g}")
    return number
