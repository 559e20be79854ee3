"""Floor 6. ``prefect-ledger recover``: what it says of the journals that it brought in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger.cli.render import console, dim, print_json, say, warn
from prefect_ledger.cli.store import opened
from prefect_ledger.errors import ArtifactsUnavailable
from prefect_ledger.formats import count, listed, paragraph
from prefect_ledger.settings import Settings

if TYPE_CHECKING:
    from prefect_ledger.database import Database
    from prefect_ledger.held_artifacts import Delivered
    from prefect_ledger.recovery import Recovered


def recover_all(*, json: bool) -> int:
    """Recover every journal of a dead process; returns 1 when one cannot be read, else 0."""
    from prefect_ledger import lockfile, recovery
    from prefect_ledger.journal_reader import left_behind

    settings = Settings.resolve()
    folder = settings.journal_folder
    waiting = sum(not lockfile.is_held(path / "lock") for path in left_behind(folder))
    with opened(settings) as database, _progress(waiting) as step:
        found = recovery.recover(folder, database, progress=step)
        names = _names(database, found.crashed)
        sent = _send(settings, database)
    if json:
        print_json({**vars(found), "crashed": found.crashed, "folder": folder, "held_artifacts": vars(sent)})
    else:
        _report(found, names, folder)
        _report_held(sent)
    return 1 if found.broken or sent.trouble else 0


def _send(settings: Settings, database: Database) -> Delivered:
    """Send artifacts whose root was away when they were logged; that it still is, is told and no error of the journals."""
    from prefect_ledger import held_artifacts
    from prefect_ledger.artifact_store import ArtifactStore
    from prefect_ledger.tracking.keeping import folder_of

    folder = folder_of(settings)
    if not folder.is_dir():
        return held_artifacts.Delivered()
    try:
        return held_artifacts.send(folder, ArtifactStore(settings.artifact_root, settings.storage_options), database)
    except ArtifactsUnavailable as error:
        left = sum(len(events) for _, events in held_artifacts.held(folder))
        return held_artifacts.Delivered(waiting=left, trouble=[str(error)])


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[str], Any]]:
    """A bar on stderr, a step for each journal; nothing where nobody looks."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("recovering"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console("err"), transient=True, disable=not (total and console("err").is_terminal)) as bar:
        task = bar.add_task("", total=total)
        yield lambda _name: bar.advance(task)


def _names(database: Database, runs: list[str]) -> list[str]:
    from prefect_ledger.queries import Reader

    reader = Reader(database)
    return [f"{run[:8]} {reader.run(run).name}" for run in runs]


def _report_held(sent: Delivered) -> None:
    if sent.sent:
        say(f"sent {count(sent.sent, 'held artifact')}")
    if sent.older:
        dim(f"not sent: {count(sent.older, 'held artifact')} that something newer was logged over")
    if sent.waiting:
        warn(f"still held: {count(sent.waiting, 'artifact')}")
    for sentence in sent.trouble:
        warn(paragraph(sentence), style="red")


def _report(found: Recovered, crashed: list[str], folder: Path) -> None:
    if found.journals:
        say(f"recovered {count(found.journals, 'journal')}: {count(found.points, 'point')} and {count(found.events, 'other record')}")
    else:
        say("nothing to recover")
    for run in crashed:
        warn(f"crashed: {listed([run])}")
    if found.alive:
        dim(f"left alone: {count(found.alive, 'journal')} of processes that are running")
    for sentence in found.broken:
        warn(f"cannot be read, kept in {folder}: {listed([sentence])}", style="red")
