"""Floor 4. What a run's surroundings are: the machine, the packages, the commit, an exception, the place of a function.

Nothing here raises because something cannot be known: it is then left out, or None. Nothing runs code of the repository it looks
at, asks for a password or reaches for a network. All of it is masked where secrets can be, and cheap enough for a background thread.
"""

from __future__ import annotations

from prefect_ledger.capture.changes import Changes, changes
from prefect_ledger.capture.failures import MESSAGE_LIMIT, TRACEBACK_LIMIT, exception
from prefect_ledger.capture.installed import origins, packages, packages_digest
from prefect_ledger.capture.lockfiles import lock_files
from prefect_ledger.capture.machine import environment
from prefect_ledger.capture.places import source
from prefect_ledger.capture.repository import GitState, git
from prefect_ledger.capture.variables import REPEATED, variables

__all__ = [
    "MESSAGE_LIMIT",
    "REPEATED",
    "TRACEBACK_LIMIT",
    "Changes",
    "GitState",
    "changes",
    "environment",
    "exception",
    "git",
    "lock_files",
    "origins",
    "packages",
    "packages_digest",
    "source",
    "variables",
]
