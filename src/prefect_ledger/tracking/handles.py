"""Floor 5. The handles of runs that this process has: one of each attempt that is open here, and the latest of runs of others."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect_ledger.tracking.runs import ActiveRun

_REMEMBERED = 1_000  # of runs of others


class Handles:
    """The handles of a ledger, by run and attempt. For one thread at a time."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, int], ActiveRun] = {}
        self._most = _REMEMBERED

    def open(self, run_id: str, attempt: int) -> ActiveRun | None:
        """The handle of this attempt; None where there is none, or the run was finished here."""
        found = self._of.get((run_id, attempt))
        return None if found is None or found.finished else found

    def keep(self, run: ActiveRun) -> ActiveRun:
        """Remember a handle, and let go of the oldest of runs of others: a worker may log for a hundred thousand in its life. Whoever works
        for one holds it."""
        self._of[run.id, run.attempt] = run
        if len(self._of) > self._most:
            others = [place for place, one in self._of.items() if not one.owned]
            for place in others[: len(others) // 2]:
                del self._of[place]
            self._most = _REMEMBERED + 2 * sum(one.owned for one in self._of.values())
        return run

    def drop(self, run: ActiveRun) -> None:
        """Forget a handle."""
        self._of.pop((run.id, run.attempt), None)

    def latest(self, prefix: str) -> ActiveRun | None:
        """The open handle of a run whose id begins so: of the last one by id, the last attempt."""
        found = [run for (its_id, _), run in sorted(self._of.items(), key=itemgetter(0)) if its_id.startswith(prefix) and not run.finished]
        return found[-1] if found else None

    def all(self) -> list[ActiveRun]:
        """Every handle."""
        return list(self._of.values())
