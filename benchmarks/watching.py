"""What looking at the machine takes from it, while a run is open and does nothing else."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

from benchmarks import stores
from benchmarks.measure import Row, Sample, Work, in_turns, timed
from prefect_ledger.tracking.ledger import Ledger

LIMIT = 0.5  # % of a core
_SETTLED = 2.0  # seconds, after which the first looks of a run are over


def watching(work: Work) -> Iterator[Row]:
    """CPU time of a process whose run is watched at the default pace until its points are stored, and of one whose run is not, in turns."""
    from prefect_ledger.probes import Machine, gpus

    seconds = work.size(15, 10)
    with stores.folder() as folder, stores.ledger(folder, f"sqlite:///{folder}/ledger.db") as ledger:
        pace = ledger.settings.watch_seconds

        def idle(*, watch: bool) -> float:
            return _used(ledger, seconds, watch=watch)

        on, off = in_turns(work.times(3, 2), lambda: idle(watch=True), lambda: idle(watch=False))
        extra = Sample.of([100 * (a - b) / seconds for a, b in zip(on.values, off.values, strict=True)])
        note = f"over a run that is not watched, which takes {100 * off.median / seconds:.2f} %; a look every {pace:g} s, {seconds} s each"
        yield Row("watching: % of one core at the default", extra, "%", limit=LIMIT, note=note)
    machine, cards = Machine(), gpus()
    looks = [1000 * timed(lambda: (machine.read(), cards.read() if cards is not None else None)) for _ in range(work.size(200, 50))]
    yield Row("a look at the machine", Sample.of(looks), "ms", note="with its GPUs" if cards is not None else "no GPU here")


def _used(ledger: Ledger, seconds: float, *, watch: bool) -> float:
    """CPU seconds of this process within so many, while a run is open."""
    ledger.settings = dataclasses.replace(ledger.settings, watch=watch)
    run = stores.new_run(ledger)
    time.sleep(_SETTLED)
    before = time.process_time()
    time.sleep(seconds)
    used = time.process_time() - before
    stores.end(run, ledger)
    return used


BENCHES = {"watching": watching}
