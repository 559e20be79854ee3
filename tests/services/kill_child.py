"""A process that logs at full speed until it is killed, and counts in a shared page what had returned.

Run as ``python kill_child.py HOME STORE_URL RUN_ID SERIES COUNTER``.
"""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import numpy as np

from prefect_ledger.settings import Settings
from prefect_ledger.tracking.ledger import Ledger

SCALARS, DICTS, ARRAYS, PARAMS = range(4)


def main(home: str, store_url: str, run_id: str, series: int, counter: Path) -> None:
    with counter.open("r+b") as file:
        # Eight bytes stored at once: pack_into would tear them in a kill and the truth would lie.
        returned = memoryview(mmap.mmap(file.fileno(), 32)).cast("q")
    ledger = Ledger(Settings.resolve(home=home, store_url=store_url))
    ledger.journal._segment_bytes = ledger.journal._first_bytes = 1 << 18  # dozens of segments in half a second
    run = ledger.enter(run_id, experiment="kills", kind="script")
    assert ledger.recorder is not None
    ledger.recorder._interval = 0.02  # so that kills fall into drains
    keys = [f"k{i}" for i in range(series)]
    print("go", flush=True)
    i = 0
    while True:
        run.log_metric(keys[i % series], float(i), step=i)
        i += 1
        returned[SCALARS] = i
        if i % 200 == 0:
            done = returned[DICTS]
            run.log_metrics({"d0": done, "d1": -done, "d2": 0.5}, step=done)
            returned[DICTS] = done + 1
        if i % 10_000 == 0:
            done = returned[ARRAYS]
            steps = np.arange(done * 1000, done * 1000 + 1000)
            run.log_series("arr", steps.astype(float), steps=steps)
            returned[ARRAYS] = done + 1
            run.log_param(f"p{done}", done)
            returned[PARAMS] = done + 1


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), Path(sys.argv[5]))
