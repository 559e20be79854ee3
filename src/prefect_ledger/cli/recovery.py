"""Floor 6. ``prefect-ledger recover``: what it says of the journals that it brought in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_ledger.cli.formats import count, listed
from prefect_ledger.cli.render import console, dim, print_json, say, warn
from prefect_ledger.cli.store import opened
from prefect_ledger.settings import Settings

if TYPE_CHECKING:
    from prefect_ledger.database import Database
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
    if json:
        print_json({**vars(found), "crashed": found.crashed, "folder": folder})
    else:
        _report(found, names, folder)
    return 1 if found.broken else 0


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
