"""Floor 5. Where an artifact's bytes go when they are logged: to their root, and while that is away, aside; the run goes on either way."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_ledger.errors import ArtifactsUnavailable, LedgerError, StoreUnavailable
from prefect_ledger.events import ArtifactLogged, Event, Noted

if TYPE_CHECKING:
    from prefect_ledger.artifact_store import Stored
    from prefect_ledger.held_artifacts import Put
    from prefect_ledger.settings import Settings
    from prefect_ledger.tracking.ledger import Ledger
    from prefect_ledger.tracking.runs import ActiveRun

AGAIN = 30.0  # seconds before a root that was away is tried again
_away: dict[str, float] = {}  # by root: until when it is left alone


def folder_of(settings: Settings) -> Path:
    """Where artifacts of this store are held."""
    return settings.held_folder


def keep(ledger: Ledger, run: ActiveRun, put: Put, event_of: Callable[[Stored], ArtifactLogged], at: int, *, beside: bool = False) -> None:
    """Have ``put`` store bytes and say what was stored: bytes first. Trouble of the storage never ends the run: it is told once.

    ``beside``: where the root is far, hold the bytes on this machine and have them sent in the background; the caller waits for no network.
    """
    if ledger.offline:
        _hold(ledger, run, put, event_of, at)
        return
    if beside and _far(ledger):
        if _hold(ledger, run, put, event_of, at):
            ledger.sender.soon()
        return
    root = ledger.settings.artifact_root
    said = ""
    try:
        if time.monotonic() >= _away.get(root, 0.0):
            events: list[Event] = [event_of(stored) for stored in put(ledger.artifacts, run.artifact_uri)]
            for event in events:
                run.say(event)
            _away.pop(root, None)
            return
    except ArtifactsUnavailable as error:
        _away[root] = time.monotonic() + AGAIN
        said = f"{error}; what is logged is held in {folder_of(ledger.settings)}: prefect-ledger recover sends it"
    except StoreUnavailable as error:  # the block that names the root cannot be loaded
        _lost(ledger, run, at, error)
        return
    if _hold(ledger, run, put, event_of, at) and said:
        ledger.journal.tell("artifacts", said)


def _far(ledger: Ledger) -> bool:
    try:
        return ledger.artifacts.far
    except StoreUnavailable:  # the block that names the root cannot be loaded: said where bytes are put
        return False


def _hold(ledger: Ledger, run: ActiveRun, put: Put, event_of: Callable[[Stored], ArtifactLogged], at: int) -> bool:
    from prefect_ledger.held_artifacts import hold

    try:
        hold(folder_of(ledger.settings), run.artifact_uri, put, event_of)
    except ArtifactsUnavailable as error:
        _lost(ledger, run, at, error)
        return False
    return True


def _lost(ledger: Ledger, run: ActiveRun, at: int, error: LedgerError) -> None:
    run.say(Noted(run=run.id, at=at, text=f"an artifact could not be stored: {error}"))
    ledger.journal.tell("artifacts lost", f"an artifact of run {run.id} could not be stored, and the run goes on: {error}")


def send_in_background(ledger: Ledger) -> None:
    """Send what is held for a root that is far; what cannot be sent now waits for the next call, or for the end of the process."""
    from prefect_ledger import held_artifacts

    root, folder = ledger.settings.artifact_root, folder_of(ledger.settings)
    if time.monotonic() < _away.get(root, 0.0):
        return
    try:
        held_artifacts.send(folder, ledger.artifacts, ledger.database)
        _away.pop(root, None)
    except ArtifactsUnavailable as error:
        _away[root] = time.monotonic() + AGAIN
        ledger.journal.tell("artifacts", f"{error}; what is logged is held in {folder}: prefect-ledger recover sends it")
    except Exception as error:  # noqa: BLE001  # a thread of ours must not end for what it cannot send; the bytes stay, and the end says so
        if not isinstance(error, LedgerError):
            ledger.journal.tell("artifacts held", f"artifacts wait in {folder}: {type(error).__name__}: {error}")


def send_held(ledger: Ledger) -> str:
    """At the end of the process: send what is held, if the root is back. Returns what to say of the rest, '' when there is none."""
    folder = folder_of(ledger.settings)
    if not folder.is_dir():
        return ""
    from prefect_ledger import held_artifacts

    try:
        if time.monotonic() >= _away.get(ledger.settings.artifact_root, 0.0):
            held_artifacts.send(folder, ledger.artifacts, ledger.database)
    except LedgerError:
        pass
    left = sum(len(events) for _, events in held_artifacts.held(folder))
    return f"{left} artifacts are not in {ledger.settings.artifact_root} yet; they wait in {folder}: prefect-ledger recover" if left else ""
