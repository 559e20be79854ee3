"""How long ``log_image`` and ``log_table`` hold their caller, beside making the bytes alone; to a local root, in a run being logged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import stores
from benchmarks.measure import Absent, Row, Sample, Work, in_turns, timed
from prefect_ledger.tracking.images import encode
from prefect_ledger.tracking.tabular import to_parquet, to_table

if TYPE_CHECKING:
    import pandas as pd

    from prefect_ledger.tracking.runs import ActiveRun

SIDES = (64, 256, 1_024)  # pixels of a square picture
ROWS = (100, 10_000, 100_000)


def verbs(work: Work) -> Iterator[Row | Absent]:
    """One call of each, pictures and tables of several sizes."""
    with stores.folder() as folder, stores.ledger(folder, f"sqlite:///{folder}/ledger.db") as one:
        run = stores.new_run(one)
        for side in SIDES:
            yield _held(work, f"log_image, {side:,} x {side:,}, colour", *_picture(run, max(1, side // work.divisor)))
        for rows in ROWS:
            yield _held(work, f"log_table, {rows:,} rows of 4 columns", *_table(run, max(1, rows // work.divisor)))
        stores.end(run, one)


def _held(work: Work, what: str, encoded: Callable[[], Any], verb: Callable[[], Any]) -> Row:
    encoded(), verb()
    alone, held = in_turns(work.times(41, 15), lambda: timed(encoded), lambda: timed(verb))
    ours, raw = (Sample.of([1_000 * seconds for seconds in sample.values]) for sample in (held, alone))
    return Row(what, ours, "ms", raw, "encoding alone")


def _picture(run: ActiveRun, side: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    x, y = np.mgrid[0:side, 0:side]
    waves = 120 + 60 * np.sin(x / 40) + 60 * np.cos(y / 60)
    noise = np.random.default_rng(1).normal(0, 4, (side, side, 3))
    pixels = np.clip(waves[..., None] + noise, 0, 255).astype(np.uint8)
    return lambda: encode(pixels, "one.png"), lambda: run.log_image(pixels, key=f"side {side}")


def _table(run: ActiveRun, rows: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    frame = _frame(rows)
    return lambda: to_parquet(to_table(frame, stepped=False)), lambda: run.log_table(frame, f"rows {rows}")


def _frame(rows: int) -> pd.DataFrame:
    import pandas as pd

    chance = np.random.default_rng(1)
    words = chance.choice(["yes", "no", "perhaps"], rows)
    return pd.DataFrame({"id": np.arange(rows), "word": words, "score": chance.random(rows), "right": chance.random(rows) > 0.5})


BENCHES = {"media.verbs": verbs}
