"""Floor 6. What ``doctor`` looks at: each check says what it found, whether that is well, and what to do where it is not.

Looking changes nothing: no database is made, no journal adopted.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from prefect_ledger import hooks, lockfile
from prefect_ledger.cli.store import opened, sqlite_path, store_bytes
from prefect_ledger.errors import LedgerError
from prefect_ledger.formats import count, duration, size
from prefect_ledger.settings import Settings, shown_url

if TYPE_CHECKING:
    from packaging.requirements import Requirement

Verdict = Literal["ok", "note", "wrong"]
_LOW_DISK = 500_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. ``remedy`` is what to do, where something is wrong or could be better."""

    topic: str
    name: str
    verdict: Verdict
    found: str
    remedy: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def checks(settings: Settings) -> Iterator[Check]:
    """Every check in turn."""
    yield from _settings(settings)
    if settings.store_url:
        yield from _store(settings)
    yield from _journals(settings)
    if settings.artifact_root:
        yield from _artifacts(settings)
    yield from _prefect()
    yield from _packages()


def _settings(settings: Settings) -> Iterator[Check]:
    options = ", ".join(f"{name}=********" for name in settings.storage_options)
    shown = {"store_url": settings.shown_store_url, "storage_options": options, "dashboard_url": shown_url(settings.dashboard_url)}
    shown["alert_to"] = ", ".join(map(hooks.shown_way, settings.alert_to))
    if settings.missing:
        yield Check(
            "settings", "block", "wrong", settings.missing, "see that Prefect answers, and that the block is there: prefect block ls"
        )
    for name, source in settings.origin.items():
        value = shown.get(name, str(getattr(settings, name)))
        if name == "mode" and settings.mode != "online":
            yield mode_check(settings)
            continue
        yield Check("settings", name, "ok", f"{value}  ({source})", details={"value": value, "from": source})


def mode_check(settings: Settings) -> Check:
    """What the mode comes to, where it is not online."""
    mode, source = settings.mode, settings.origin["mode"]
    said = {
        "offline": ("no store is asked; what is logged waits on this machine", "prefect-ledger sync brings it in"),
        "disabled": ("nothing is recorded", "leave it out, or say online, to record"),
    }
    text, remedy = said[mode]
    return Check("settings", "mode", "note", f"{mode}  ({source}): {text}", remedy, {"value": mode, "from": source})


# --- store --------------------------------------------------------------------------------------------------------


def _store(settings: Settings) -> Iterator[Check]:
    from prefect_ledger.database import OLDEST, SCHEMA

    try:
        with opened(settings) as database:
            found = database.version()
    except LedgerError as error:
        remedy = "see that it runs and lets you in; what is logged meanwhile waits in the journal"
        verdict: Verdict = "note" if settings.mode == "offline" else "wrong"
        yield Check("store", "reachable", verdict, str(error).splitlines()[0], remedy)
        return
    yield Check("store", "reachable", "ok", settings.shown_store_url)
    details = {"schema": found, "speaks": [OLDEST, SCHEMA]}
    if found is None:
        yield Check("store", "schema", "note", "none yet", "the first run makes it", details)
    elif found > SCHEMA:
        yield Check("store", "schema", "wrong", f"{found}, newer than {SCHEMA}", "pip install -U prefect-ledger", details)
    elif found < SCHEMA:
        yield Check("store", "schema", "wrong", f"{found}, older than {SCHEMA}", "prefect-ledger db upgrade", details)
    else:
        yield Check("store", "schema", "ok", f"{found}, up to date", details=details)
        yield from _webhooks(settings)
    yield from _sqlite(settings)


def _webhooks(settings: Settings) -> Iterator[Check]:
    """What keeps events from webhooks, where this process may know of them."""
    from prefect_ledger import webhook_store
    from prefect_ledger.webhooks import secrets

    try:
        with opened(settings) as database, database.read() as tx:
            found = webhook_store.webhooks(tx)
    except LedgerError:  # a role that may not read them
        return
    for one in found:
        name, details = f"webhook {one.id}", {"waiting": one.waiting, "dead": one.dead}
        if one.dead:
            text = f"{count(one.dead, 'delivery', 'deliveries')} to {one.place} given up"
            yield Check("store", name, "note", text, f"prefect-ledger webhooks dead {one.id}, and --retry", details)
        elif lacking := secrets.lacking(one.secret):
            yield Check("store", name, "note", f"{lacking}; {one.waiting} wait", "set it wherever events are sent from", details)
        else:
            yield Check("store", name, "ok", f"{one.place}, {one.waiting} waiting", details=details)


def _sqlite(settings: Settings) -> Iterator[Check]:
    path, used = sqlite_path(settings), store_bytes(settings)
    if path is None or used is None:
        return
    yield Check("store", "size", "ok", size(used), details={"bytes": used})
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        yield Check("store", "writable", "wrong", f"{path} cannot be written", "mend the rights of the file and of its folder")
    # Bytes 18 and 19 of the file say how it is written: 2 is the write-ahead log.
    with path.open("rb") as file:
        if file.read(20)[18:20] == b"\x02\x02":
            yield Check("store", "WAL", "ok", "on: reading and writing do not wait for one another")
        else:
            yield Check("store", "WAL", "wrong", "off: writers and readers block one another", f"sqlite3 {path} 'pragma journal_mode=wal'")


# --- journals -----------------------------------------------------------------------------------------------------


def _journals(settings: Settings) -> Iterator[Check]:
    from prefect_ledger import waiting

    folder = settings.journal_folder
    problem = _unwritable(folder)
    if problem:
        remedy = f"mend its rights, or set PREFECT_LEDGER_JOURNAL_ROOT; until then a folder in {tempfile.gettempdir()} is used"
        yield Check("journals", "folder", "wrong", problem, remedy)
    else:
        yield Check("journals", "folder", "ok", str(folder))
    yield _room(folder)
    places = waiting.of_store(settings)
    found = [path for place in places for path in place.found]
    for path in found:
        yield _journal(path)
    if not found:
        yield Check("journals", "waiting", "ok", "nothing: all that was logged is in the store")
    for path in [path for place in places if place.journals is not None for path in sorted(place.journals.glob(".broken-*"))]:
        yield Check(
            "journals", path.name[8:16], "wrong", f"cannot be read, kept as {path}", "please report it; delete the folder to give up on it"
        )
    for place in waiting.of_others(settings):  # nobody who uses this store brings them in
        what = count(len(place.waiting), "journal waits", "journals wait") if place.waiting else "held artifacts wait"
        remedy = f"prefect-ledger sync, with that store set; to have it in this store instead: prefect-ledger sync {place.folder}"
        yield Check("journals", "other store", "note", f"{what} for {place.store or 'another store'}", remedy)


def _unwritable(folder: Path) -> str:
    """What stands against writing into ``folder``; its nearest existing parent is asked when it is not there yet."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return f"{place} is not a folder"
    if not os.access(place, os.W_OK | os.X_OK):
        return f"{place} cannot be written by this user"
    if place == folder and hasattr(os, "geteuid") and folder.stat().st_uid != os.geteuid():
        return f"{folder} belongs to another user"
    return ""


def _room(folder: Path) -> Check:
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(place).free
    details = {"free_bytes": free}
    if free < _LOW_DISK:
        return Check(
            "journals", "room", "note", f"{size(free)} free", "make room: a full disk makes the journal hold values in memory", details
        )
    return Check("journals", "room", "ok", f"{size(free)} free", details=details)


def _journal(path: Path) -> Check:
    from prefect_ledger.settings import OFFLINE
    from prefect_ledger.waiting import owner as owner_of

    owner = owner_of(path)
    offline = path.parent.parent.parent.name == OFFLINE
    held = sum(part.stat().st_size for part in path.glob("*.seg"))
    alive = lockfile.is_held(path / "lock")
    since = owner.get("time")
    who = f"process {owner.get('pid', '?')} on {owner.get('host', '?')}"
    when = f", for {duration(time.time() - since)}" if isinstance(since, int | float) else ""
    details = {"journal": path.name, "alive": alive, "bytes": held, "owner": owner}
    if alive:
        return Check("journals", path.name[:8], "ok", f"{who}, running{when}, {size(held)}", details=details)
    remedy = "prefect-ledger sync" if offline else "prefect-ledger recover"
    return Check("journals", path.name[:8], "note", f"{who} is gone and left {size(held)}", remedy, details)


# --- artifacts ----------------------------------------------------------------------------------------------------


def _artifacts(settings: Settings) -> Iterator[Check]:
    root = settings.artifact_root
    from prefect_ledger import waiting

    for place in waiting.of_store(settings):
        if place.artifacts:
            yield Check("artifacts", "held", "note", f"{place.artifacts} wait in {place.held} to be sent", "prefect-ledger sync")
    scheme, found, _ = root.partition("://")
    if not found or scheme == "file":
        folder = Path(root.removeprefix("file://"))
        problem = _unwritable(folder) or _probe(folder)
        if problem:
            yield Check("artifacts", "root", "wrong", problem, "mend its rights, or set PREFECT_LEDGER_ARTIFACT_ROOT")
        else:
            yield Check("artifacts", "root", "ok", f"{folder}, writable")
    elif scheme == "memory":
        yield Check("artifacts", "root", "note", root, "kept in memory: they are gone when the process ends")
    else:
        yield _remote(settings, scheme)


def _probe(folder: Path) -> str:
    """Whether a file can be written: some mounts only say so when it is tried."""
    if not folder.exists():
        return ""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        return f"{folder} cannot be written: {error.strerror or error}"
    return ""


def _remote(settings: Settings, scheme: str) -> Check:
    from prefect_ledger.artifact_store import ArtifactStore

    root = settings.artifact_root
    place = f"{root}/.doctor-{os.getpid()}"
    try:
        store = ArtifactStore(root, settings.storage_options)
        store.put_bytes(place, "probe", b"x")
    except (LedgerError, OSError, ImportError, ValueError) as error:
        remedy = f"see that the driver of {scheme}:// is installed and its keys are set"
        return Check("artifacts", "root", "wrong", f"{root}: {str(error).splitlines()[0]}", remedy)
    with contextlib.suppress(LedgerError, OSError):
        store.delete_tree(place)
    return Check("artifacts", "root", "ok", f"{root}, writable")


# --- Prefect ------------------------------------------------------------------------------------------------------

# In a process of its own: a Prefect that does not start must not take the doctor with it.
_ASK = """
import json, urllib.request
from prefect.settings import get_current_settings
s = get_current_settings()
url, key = s.api.url, s.api.key
answer = {"home": str(s.home), "api": url, "ephemeral": bool(s.server.ephemeral.enabled), "profile": None, "health": None}
try:
    from prefect.context import get_settings_context
    answer["profile"] = get_settings_context().profile.name
except Exception:
    pass
if url:
    headers = {"Authorization": "Bearer " + key.get_secret_value()} if key else {}
    try:
        request = urllib.request.Request(url.rstrip("/") + ("/health" if not key else "/"), headers=headers)
        answer["health"] = urllib.request.urlopen(request, timeout=5).status
    except Exception as error:
        answer["health"] = f"{type(error).__name__}: {error}"
print("answer" + json.dumps(answer))
"""


def _prefect() -> Iterator[Check]:
    try:
        yield Check("prefect", "version", "ok", version("prefect"))
    except PackageNotFoundError:
        yield Check("prefect", "version", "wrong", "Prefect is not installed", "pip install prefect-ledger")
        return
    done = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True, timeout=120, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith("answer{")), "")
    if not line:
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        yield Check("prefect", "settings", "wrong", last, "prefect config view says more")
        return
    answer = json.loads(line.removeprefix("answer"))
    yield Check(
        "prefect", "home", "ok", f"{answer['home']}" + (f"  (profile {answer['profile']})" if answer["profile"] else ""), details=answer
    )
    yield _api(answer)


def _api(answer: Mapping[str, Any]) -> Check:
    url, health = answer["api"], answer["health"]
    if url is None and answer["ephemeral"]:
        return Check(
            "prefect", "API", "ok", "none set: each process starts a small server of its own", "prefect server start makes a lasting one"
        )
    if url is None:
        return Check(
            "prefect", "API", "wrong", "none set, and none may be started", "prefect config set PREFECT_API_URL=... or start a server"
        )
    if isinstance(health, int) and health < 400:
        return Check("prefect", "API", "ok", f"{url} answers")
    return Check(
        "prefect", "API", "wrong", f"{url} does not answer: {health}", "prefect server start, or prefect config unset PREFECT_API_URL"
    )


# --- packages -----------------------------------------------------------------------------------------------------


def _packages() -> Iterator[Check]:
    base, extras = _requirements()
    unmet = [problem for requirement in base if (problem := _unmet(requirement))]
    for problem in unmet:
        yield Check("packages", "base", "wrong", problem, "pip install --upgrade --force-reinstall prefect-ledger")
    fastapi = next((requirement for requirement in base if requirement.name == "fastapi"), None)
    if fastapi is not None and not _unmet(fastapi):
        yield Check("packages", "FastAPI", "ok", f"{version('fastapi')}, one that Prefect's server starts with ({fastapi.specifier})")
    if not unmet:
        yield Check("packages", "base", "ok", f"{count(len(base), 'requirement')} met")
    for extra, requirements in sorted(extras.items()):
        missing = [problem for requirement in requirements if (problem := _unmet(requirement))]
        if missing:
            yield Check(
                "packages", f"extra {extra}", "note", f"not installed: {', '.join(missing)}", f"pip install 'prefect-ledger[{extra}]'"
            )
        else:
            yield Check("packages", f"extra {extra}", "ok", "installed")


def _requirements() -> tuple[list[Requirement], dict[str, list[Requirement]]]:
    """What this distribution asks for: always, and by extra."""
    from packaging.requirements import Requirement

    base: list[Requirement] = []
    extras: dict[str, list[Requirement]] = {}
    for text in requires("prefect-ledger") or []:
        one = Requirement(text)
        extra = str(one.marker).rpartition("extra == ")[2].strip("\"' ") if one.marker and "extra" in str(one.marker) else ""
        if one.name == "prefect-ledger" or (not extra and one.marker and not one.marker.evaluate()):
            continue
        extras.setdefault(extra, []).append(one) if extra else base.append(one)
    return base, extras


def _unmet(requirement: Requirement) -> str:
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return requirement.name
    return (
        "" if requirement.specifier.contains(found, prereleases=True) else f"{requirement.name} {found} ({requirement.specifier} is needed)"
    )
