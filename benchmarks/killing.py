"""How many points a process that is killed at full speed leaves behind: those whose call had returned, counted after recovery."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import stores
from benchmarks.measure import Row, Sample, Work
from prefect_ledger.database import Database
from tests.services.kills import counted, kill_one, recover_all, tally


def kills(work: Work) -> Iterator[Row]:
    """SIGKILL at random moments on both databases."""
    for kind in stores.STORES:
        with stores.folder() as folder, stores.store(kind, folder) as (url, _):
            yield from _kills(work, kind, folder / "home", url)


def _kills(work: Work, kind: str, home: Path, url: str) -> Iterator[Row]:
    database = Database(url)
    database.prepare()
    database.close()
    rnd = random.Random(3)
    truth = dict(kill_one(home, url, rnd) for _ in range(work.times(5, 2)))
    start = time.perf_counter()
    recover_all(home, url)
    seconds = time.perf_counter() - start
    found = counted(url, list(truth))
    toll = tally(truth, found)
    kept, returned = 0, 0
    for run, (scalars, dicts, arrays, params) in truth.items():
        got = found[run]
        said = (scalars, 3 * dicts, 1_000 * arrays, params)
        stored = (got["scalars"], sum(got["dicts"]), got["arrays"], got["params"])
        kept += sum(map(min, said, stored))
        returned += sum(said)
    doubled, alive = len(toll.doubled), len(toll.not_crashed)
    note = f"{returned:,} values returned; runs with doubled values {doubled}, not CRASHED {alive}; recovered in {seconds:.2f} s"
    share = Sample.of([100 * kept / max(1, returned)])
    yield Row(f"values kept after {toll.kills} SIGKILLs at full speed, {kind}", share, "%", limit=100.0, more=True, note=note)


BENCHES = {"killing": kills}
