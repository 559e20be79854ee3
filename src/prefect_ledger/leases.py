"""Floor 4. Whether a run's process lives: by its journal's lock on this machine, elsewhere by the lease that it refreshes in the store.

A process refreshes the lease of its open runs every 30 s (see ``recorder``). One that was not heard of for :data:`SILENCE` is taken for
lost, provisionally: a laptop slept, a network was cut, and the next thing heard of the run opens it again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_ledger import lockfile, open_runs
from prefect_ledger.journal_folders import spare_root

if TYPE_CHECKING:
    from prefect_ledger.database import Database
    from prefect_ledger.open_runs import Change, OpenRun

SILENCE = 300.0  # seconds


def lives_here(folder: Path, journal: str) -> bool:
    """Whether a process of this machine holds ``journal``: it may be asleep, and not be heard of, and is not lost."""
    return bool(journal) and any(lockfile.is_held(place / journal / "lock") for place in (folder, spare_root(folder)))


def claim(database: Database, folder: Path, run: str, *, silence: float = SILENCE) -> bool:
    """Open a run again that ended, or whose process is gone, for the caller alone; False where a process has it open.

    A process of another machine counts as gone when nothing was heard of the run for ``silence`` seconds.

    Raises:
        StoreUnavailable.
    """
    at = time.time_ns() // 1000

    def lives(one: OpenRun) -> bool:
        here = any((place / one.owner).exists() for place in (folder, spare_root(folder))) if one.owner else False
        return lives_here(folder, one.owner) or (not here and one.heard >= at - int(silence * 1e6))

    with database.write() as tx:
        return open_runs.claim(tx, run, at=at, lives=lives)


def give_up_silent(
    database: Database, folder: Path, runs: Iterable[OpenRun], *, silence: float = SILENCE, dry_run: bool = False
) -> list[Change]:
    """Take those of ``runs`` for lost that say nothing since ``silence`` seconds and whose process does not live here.

    Raises:
        StoreUnavailable: nothing was written.
    """
    since = time.time_ns() // 1000 - int(silence * 1e6)
    silent = [run for run in runs if run.heard < since]
    held = {journal for journal in {run.owner for run in silent} if lives_here(folder, journal)}
    wanted = [run.id for run in silent if run.owner not in held]
    if not wanted:
        return []
    reason = f"not heard of for {_shown(silence)}: its process or machine is gone"
    with database.read() if dry_run else database.write() as tx:
        return open_runs.give_up(tx, wanted, silent_since=since, reason=reason, dry_run=dry_run)


def _shown(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:g} seconds"
