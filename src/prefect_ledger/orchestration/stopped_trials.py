"""Floor 6. Ends a trial that its sweep has stopped, wherever it runs: the store says so, and the next value that it logs is its last."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from prefect_ledger.errors import LedgerError
from prefect_ledger.orchestration.context import open_runs
from prefect_ledger.sweep import trials

_LOOK = 1.0  # seconds between two questions


@contextlib.contextmanager
def listening(sweep: str, number: int) -> Iterator[None]:
    """While the block runs, a thread asks whether this trial was stopped, and has its run refuse values from then on."""
    over = threading.Event()
    thread = threading.Thread(target=_listen, args=(sweep, number, over), name=f"prefect-ledger-trial-{number}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _listen(sweep: str, number: int, over: threading.Event) -> None:
    while not over.wait(_LOOK):
        with contextlib.suppress(LedgerError):  # a store that is away for a while
            for place in trials.of_sweep(sweep, "", number=number, running=True):
                run = open_runs.get(place.run_id)
                if place.stopped and run is not None:
                    run.stop(trials.WHY_STOPPED)
                    return
