"""Floor 5. Which runs this process began, in order: a run that is made again is the one of the same place in the other process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect_ledger.tracking.runs import ActiveRun

FILE = "PREFECT_LEDGER_BEGUN"  # where a process that makes runs again says which they are: a line a run
_count = 0


def note(run: ActiveRun) -> int:
    """Count a run that began here; returns its place among those, from 0."""
    global _count
    place, _count = _count, _count + 1
    if path := os.environ.get(FILE):
        try:
            with open(path, "a", encoding="ascii") as file:  # noqa: PTH123 - of whoever waits for it
                file.write(f"{place} {run.id}\n")
        except OSError:  # nobody waits any more
            pass
    return place


def read(text: str) -> dict[int, str]:
    """The ids by their places; the first of each, since processes that a program starts count from 0 too."""
    found: dict[int, str] = {}
    for line in text.splitlines():
        place, _, run_id = line.partition(" ")
        found.setdefault(int(place), run_id)
    return found
