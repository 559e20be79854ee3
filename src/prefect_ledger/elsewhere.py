"""Floor 4. Whether a journal is that of a living process on another machine, of which its lock may say nothing here.

A ledger's home may lie on a file system that several machines share, and some of those keep locks to each machine. So a lock that is free
proves nothing about a process of another host: such a journal is left alone while anything was heard of it lately.
"""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_ledger import lockfile, open_runs
from prefect_ledger.journal_folders import ENDED

if TYPE_CHECKING:
    from prefect_ledger.database import Database

SILENCE = 300.0  # seconds without a write or a word in the store, after which the lock is believed


def lives(journal: Path, database: Database) -> bool:
    """Whether the process that writes ``journal`` is on another machine and was heard of in the last five minutes.

    Raises:
        StoreUnavailable: the store cannot be asked.
    """
    if (journal / ENDED).exists() or not _is_of_another_machine(journal):
        return False
    since = time.time() - SILENCE
    if _written(journal) >= since:
        return True
    with database.read() as tx:
        return open_runs.heard_of(tx, journal.name, int(since * 1e6))


def _is_of_another_machine(journal: Path) -> bool:
    """By host and boot: in containers of one machine the hosts differ, and after a restart the boots; there the lock is right."""
    try:
        owner = json.loads((journal / "owner.json").read_text(encoding="utf-8"))
        theirs, here = (owner["host"], owner["boot"]), lockfile.identity()
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return all(theirs) and theirs[0] != here["host"] and theirs[1] != here["boot"]


def _written(journal: Path) -> float:
    """When the newest of its files was written, in seconds since 1970."""
    newest = 0.0
    with contextlib.suppress(OSError):
        for path in journal.iterdir():
            with contextlib.suppress(FileNotFoundError):
                newest = max(newest, path.stat().st_mtime)
    return newest
