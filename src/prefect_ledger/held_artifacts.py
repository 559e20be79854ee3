"""Floor 4. Artifacts whose root was away when they were logged: kept in a folder of this machine until they can be sent.

Each ``hold`` is a folder of its own: the bytes first, then one file with what is to be said of them. Sent twice is stored once. What was
logged under the same path since then is newer and stays; where that cannot be told yet, the held bytes wait.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_ledger import model_store, registrations, run_store
from prefect_ledger.addresses import UNPLACED
from prefect_ledger.artifact_store import ArtifactStore, Stored
from prefect_ledger.errors import ArtifactsUnavailable, InvalidName
from prefect_ledger.events import ArtifactLogged, pack, unpack
from prefect_ledger.names import check_path
from prefect_ledger.queries import artifacts
from prefect_ledger.roots import joined
from prefect_ledger.waiting import SAID

if TYPE_CHECKING:
    from prefect_ledger.database import Database

Put = Callable[[ArtifactStore, str], Sequence[Stored]]


@dataclass
class Delivered:
    """What became of held artifacts."""

    sent: int = 0
    older: int = 0  # the store has them already, or something newer in their place
    waiting: int = 0
    trouble: list[str] = field(default_factory=list)


def hold(folder: Path, base_uri: str, put: Put, event_of: Callable[[Stored], ArtifactLogged]) -> int:
    """Have ``put`` store the bytes below ``folder`` instead of ``base_uri``; returns how many artifacts are held.

    Raises:
        ArtifactsUnavailable: they cannot be kept here either.
    """
    place = folder / uuid.uuid4().hex
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ArtifactsUnavailable(f"{folder} cannot be made: {error.strerror or error}") from error
    try:
        store = ArtifactStore(str(folder))
        stored = put(store, f"{place}/bytes")
        lines = [pack(event_of(Stored(one.path, f"{base_uri}/{one.path}", one.size, one.sha256))) for one in stored]
        if lines:
            store.put_bytes(str(place), SAID, b"\n".join(lines))
        return len(lines)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def held(folder: Path) -> list[tuple[Path, list[ArtifactLogged]]]:
    """What is held in ``folder``, the oldest first."""
    found = []
    for said in folder.glob(f"*/{SAID}") if folder.is_dir() else ():
        with suppress(FileNotFoundError):  # sent by somebody else just now
            events = [unpack(line) for line in said.read_bytes().splitlines()]
            mine = [event for event in events if isinstance(event, ArtifactLogged)]
            found.append((said.parent, [event for event in mine if _bytes(said.parent, event) is not None]))
    return sorted(found, key=lambda one: min((event.at for event in one[1]), default=0))


def _bytes(place: Path, event: ArtifactLogged) -> Path | None:
    """The file that an event speaks of, if it is there: one of this folder, whatever somebody wrote who gave it to us."""
    try:
        local = place / "bytes" / check_path(event.path)
        return local if local.is_file() and Path(os.path.realpath(local)) == Path(os.path.realpath(place)) / "bytes" / event.path else None
    except (InvalidName, OSError):
        return None


def send(folder: Path, store: ArtifactStore, database: Database, *, step: Callable[[int], object] | None = None) -> Delivered:
    """Send what is held and write its rows; safe to be done by several at once, and to be killed.

    What was held offline, and has no root yet, goes below that of ``store``. ``step`` hears the bytes of each as it is done with.

    Raises:
        ArtifactsUnavailable, StoreUnavailable: root or store are still away; what was sent until then is in.
    """
    done = Delivered()
    for place, events in held(folder):
        for event in events:
            local = place / "bytes" / event.path
            try:
                _deliver(event, local, store, database, done)
            except FileNotFoundError:
                pass  # sent by somebody else just now
            except InvalidName as error:
                done.waiting += 1
                done.trouble.append(f"{local} was logged for another artifact root: {error}")
            if step is not None:
                step(event.size)
        if any(model_store.is_to_register(event) for event in events):
            registrations.register_if_possible(database)
        if not any((place / "bytes" / event.path).is_file() for event in events):
            shutil.rmtree(place, ignore_errors=True)
    with suppress(OSError):
        os.rmdir(folder)  # noqa: PTH106  # only when it is empty
    return done


def _deliver(event: ArtifactLogged, local: Path, store: ArtifactStore, database: Database, done: Delivered) -> None:
    unplaced = event.uri.startswith(UNPLACED)
    if unplaced:
        event = replace(event, uri=joined(store.root, event.uri.removeprefix(UNPLACED)))
    with database.read() as tx:
        row = artifacts.one(tx, (event.run, event.path, event.attempt))
    if row is not None and row.at >= event.at:
        done.older += 1
    else:
        there = store.digest(event.uri)[1] if store.exists(event.uri) else None
        if there not in (None, event.sha256, row.sha256 if row is not None else ""):
            done.waiting += 1  # somebody logged there just now, or was killed while doing so: gc clears that away
            return
        if there != event.sha256:
            base = event.uri.removesuffix(f"/{event.path}")
            stored = store.put_file(base, event.path, local, progress=False)
            if stored.sha256 != event.sha256:
                done.trouble.append(f"{local} was changed while it was held; it was sent as it is now, and reading it will say so")
        with database.write() as tx:
            run_store.fold(tx, [event], "")
            if unplaced:
                run_store.hear(tx, event.run, {"uri": [event.attempt, 0, event.uri.removesuffix(f"/{event.path}")]})
        done.sent += 1
    local.unlink(missing_ok=True)
