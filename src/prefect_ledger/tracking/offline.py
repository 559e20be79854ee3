"""Floor 5. The mode "offline": values stay in the journal, artifacts are held on this machine, and no store is asked for anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from prefect_ledger.addresses import UNPLACED
from prefect_ledger.names import experiment_id
from prefect_ledger.tracking import endings
from prefect_ledger.tracking.ledger import Ledger

if TYPE_CHECKING:
    from prefect_ledger.journal import Journal
    from prefect_ledger.recorder import Left, Recorder
    from prefect_ledger.settings import Settings
    from prefect_ledger.tracking.runs import ActiveRun

NEXT_STEP = "prefect-ledger sync"


class OfflineLedger(Ledger):
    """The ledger of a process that logs for later."""

    offline = True

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._began = (0, 0)  # runs that a process began, and which process

    def _unasked(self) -> NoReturn:
        from prefect_ledger.errors import NotOnline

        raise NotOnline(
            "the ledger is offline here, so neither its store nor its registry is asked for anything: what was logged waits in"
            f" {self.settings.journal_folder.parent} until {NEXT_STEP} brings it in; to read or to change what is there, leave"
            " PREFECT_LEDGER_MODE=offline (or the setting mode) out, or say online"
        )

    database = property(_unasked)
    artifacts = property(_unasked)
    reader = property(_unasked)

    def _artifact_uri(self, experiment: str, run_id: str, attempt: int) -> str:
        """A place below whatever the artifact root is when the run is brought in."""
        uri = f"{UNPLACED}{experiment_id(experiment)}/{run_id}/artifacts"  # the layout of artifact_store, without a root
        return uri if attempt == 1 else f"{uri}.{attempt}"

    def _begin(self, *about: Any) -> ActiveRun:
        run = super()._begin(*about)
        if run.owned:
            here, (count, pid) = os.getpid(), self._began
            self._began = (count + 1 if pid == here else 1), here
        return run

    def _new_recorder(self, journal: Journal) -> Recorder:
        from prefect_ledger.keeper import Keeper

        return Keeper(journal, lambda: self.database)

    def _last_words(self, left: Left) -> Iterable[str]:
        """Once, by the process that began the runs: where all lies, and what brings it in. No warning: it is as it was asked for."""
        count, pid = self._began
        if left.waiting and pid == os.getpid():
            folder = self.settings.journal_folder.parent
            runs, them = ("1 run of this process waits", "it") if count == 1 else (f"{count} runs of this process wait", "them")
            also = "" if str(folder) in self.journal.folders else f", and in {self.journal.folders}"
            shown = "" if self.settings.origin.get("store_url") == "default" else self.settings.shown_store_url
            store = shown if shown.startswith("the store") else f"the store {shown}".rstrip()  # of a block it says so itself
            with suppress(OSError, ValueError, AttributeError):  # a stream that is closed, or none
                sys.stderr.write(f"prefect-ledger is offline: {runs} in {folder}{also}; {NEXT_STEP} brings {them} into {store}\n")
            self._began = (0, 0)
        return endings.lost(self, left)

    def _send_held(self) -> str:
        return ""
