"""Floor 4. The thread beside an offline journal: it has the next segment ready and lets go of full ones; nothing is brought anywhere."""

from __future__ import annotations

import os

from prefect_ledger.recorder import Left, Recorder, distance


class Keeper(Recorder):
    """Takes the recorder's place in the offline mode: no store is asked, and what is full stays on the disk alone."""

    def flush(self, timeout: float) -> int:  # noqa: ARG002  # there is nothing to wait for
        """Returns how many records of this journal are held, roughly: those in segments that are still mapped."""
        return distance((0, 0), self.journal.position(), self.journal) if self.pid == os.getpid() else 0

    def finish(self, timeout: float) -> Left:
        """Stop the thread and close the journal, which stays for ``prefect-ledger sync``."""
        if self.pid != os.getpid():
            return Left(0, 0)
        self._end_thread(timeout)
        with self.journal._lock:
            held = self.flush(0)
            return Left(held, self.journal.close(reached=(0, 0)))

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self.journal.prepared:
                self.journal.prepare()
            self.journal.let_go()
            self._rest(self._interval)
