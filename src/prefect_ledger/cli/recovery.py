"""Floor 6. ``prefect-ledger sync`` and ``recover``: what they say of what they brought in."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from prefect_ledger.cli.render import console, dim, print_json, say, warn
from prefect_ledger.cli.store import opened
from prefect_ledger.errors import InvalidValue, LedgerError
from prefect_ledger.formats import count, listed, paragraph
from prefect_ledger.settings import Settings

if TYPE_CHECKING:
    from prefect_ledger.database import Database
    from prefect_ledger.held_artifacts import Delivered
    from prefect_ledger.recovery import Recovered
    from prefect_ledger.sync import BroughtIn
    from prefect_ledger.waiting import Place


def recover_all(*, json: bool) -> int:
    """Bring in whatever waits on this machine for the store of the settings; returns 1 when something of it cannot be, else 0."""
    return sync_all([], json=json)


def sync_all(folders: Sequence[Path], *, json: bool, watch: float | None = None) -> int:
    """The same, or bring in what lies in ``folders``; with ``watch`` again and again, with so many seconds between."""
    settings = Settings.resolve(mode="online")
    if watch is None:
        return _once(settings, folders, json=json, quiet=False)
    if not 1 <= watch < 1e6:
        raise InvalidValue(f"--watch takes seconds between two looks, from 1 on, not {watch!r}")
    dim(f"looking every {watch:g} s for what waits for {settings.shown_store_url}; Ctrl-C ends it")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            try:
                _once(settings, folders, json=json, quiet=True)
            except LedgerError as error:
                warn(paragraph(error), style="red")
            time.sleep(watch)
    return 0


def _once(settings: Settings, folders: Sequence[Path], *, json: bool, quiet: bool) -> int:
    from prefect_ledger import waiting

    given = {folder: waiting.below(folder) for folder in folders}
    places = [place for found in given.values() for place in found] if folders else waiting.of_store(settings)
    others = [] if folders or quiet else list(waiting.of_others(settings))
    if not (quiet or json):
        say(*(f"nothing waits in {folder}: no journal and no held artifact lies there" for folder, found in given.items() if not found))
    if not (places or json):
        return 0
    with opened(settings) as database, _Progress(places) as progress:
        found = _bring_in(settings, places, database, progress)
        names = _names(database, found.journals.crashed)
    if quiet and not (found.journals.journals or found.artifacts.sent or found.journals.broken or found.artifacts.trouble):
        return 0
    if json:
        print_json(_document(settings, found, others))
    else:
        _report(found.journals, names, settings.shown_store_url if folders else "")
        _report_held(found.artifacts)
        for place in others:
            _report_other(place, settings)
    return 1 if found.journals.broken or found.artifacts.trouble else 0


def _bring_in(settings: Settings, places: Sequence[Place], database: Database, progress: _Progress) -> BroughtIn:
    from prefect_ledger.artifact_store import ArtifactStore
    from prefect_ledger.sync import sync

    return sync(
        places,
        database,
        lambda: ArtifactStore(settings.artifact_root, settings.storage_options),
        between=progress.between,
        sent=progress.sent,
    )


def _document(settings: Settings, found: BroughtIn, others: Sequence[Place]) -> dict[str, Any]:
    return {
        **vars(found.journals),
        "store": settings.shown_store_url,
        "folder": settings.journal_folder,
        "folders": found.folders,
        "held_artifacts": vars(found.artifacts),
        "for_other_stores": [{"folder": place.folder, "store": place.store, "journals": len(place.waiting)} for place in others],
    }


class _Progress:
    """Bars on stderr: bytes of journals, then of artifacts; nothing where nobody looks, or where there is nothing to be done."""

    def __init__(self, places: Sequence[Place]) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        self._places, self._total = places, sum(place.bytes for place in places)
        seen = console("err").is_terminal and bool(self._total or any(place.artifacts for place in places))
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._bars = Progress(*columns, console=console("err"), transient=True, disable=not seen)
        self._values = self._bars.add_task("values", total=self._total)
        self._artifacts = self._bars.add_task("artifacts", total=sum(place.held_bytes for place in places) if seen else None)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._bars.stop()

    def between(self) -> bool:
        """A batch of values is in."""
        if not self._bars.disable:
            self._bars.update(self._values, completed=self._total - sum(place.bytes for place in self._places))
        return True

    def sent(self, size: int) -> None:
        """An artifact is in, and so are all values."""
        self._bars.update(self._values, completed=self._total)
        self._bars.advance(self._artifacts, size)


def _names(database: Database, runs: list[str]) -> list[str]:
    from prefect_ledger.queries import Reader

    reader = Reader(database)
    return [f"{run[:8]} {reader.run(run).name}" for run in runs]


def _report(found: Recovered, crashed: list[str], store: str) -> None:
    if found.journals:
        what = f"{count(found.points, 'point')} and {count(found.events, 'other record')}"
        runs = f", of {count(found.runs, 'run')}" if found.runs else ""  # those that began there; the store may know the run already
        say(f"brought in {count(found.journals, 'journal')}: {what}{runs}" + (f", into {store}" if store else ""))
    else:
        say("nothing waits: all that was logged here is in the store" if not found.alive else "nothing to bring in now")
    for run in crashed:
        warn(f"crashed: {listed([run])}")
    if found.alive:
        dim(
            f"left alone: {count(found.alive, 'journal')} of processes that are running, or that another machine wrote less than five"
            " minutes ago"
        )
    for sentence in found.broken:
        warn(f"cannot be read, and is kept: {listed([sentence])}", style="red")


def _report_held(sent: Delivered) -> None:
    if sent.sent:
        say(f"sent {count(sent.sent, 'held artifact')}")
    if sent.older:
        dim(f"not needed: {count(sent.older, 'held artifact')} that the store has already, or something newer in its place")
    if sent.waiting:
        warn(f"still held: {count(sent.waiting, 'artifact')}")
    for sentence in sent.trouble:
        warn(paragraph(sentence), style="red")


def _report_other(place: Place, settings: Settings) -> None:
    what = count(len(place.waiting), "journal") if place.waiting else count(place.artifacts, "held artifact")
    meant = place.store or "another store"
    warn(
        f"not brought in: {what} for {meant}. With that store set, prefect-ledger sync does it; to have it in"
        f" {settings.shown_store_url} instead: prefect-ledger sync {shlex.quote(str(place.folder))}"
    )
