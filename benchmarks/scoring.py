"""What scoring in chunks takes beside calling the model on the same chunks, and how much memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import stores
from benchmarks.measure import Row, Sample, Work
from benchmarks.memory import anonymous

COLUMNS = [f"f{number}" for number in range(20)]
CHUNK = 50_000
RATIO_LIMIT = 1.3  # of reading the chunks and calling the model on them
MEMORY_LIMIT = 500.0  # MB that are the process's own
_EVERY = 0.05  # seconds between looks


def scoring(work: Work) -> Iterator[Row]:
    """A forest of boosted trees over a Parquet file, in a process that does nothing else: ours and raw in turns, each in its own."""
    rows = work.size(10_000_000, 500_000)
    with stores.folder() as folder:
        ref = _prepare(folder, rows)
        seconds: dict[str, list[float]] = {"ours": [], "raw": []}
        most: list[float] = []
        for _ in range(work.times(2)):
            for kind, found in seconds.items():
                taken, memory = _apart(folder, kind, ref)
                found.append(taken)
                if kind == "ours":
                    most.append(memory)
    ours, raw = Sample.of(seconds["ours"]), Sample.of(seconds["raw"])
    what = f"{rows:,} rows of 20 columns, boosted trees"
    ratio = Sample.of([a / b for a, b in zip(ours.values, raw.values, strict=True)])
    yield Row(f"scoring {what}", ours, "s", raw, "the model called on the same chunks")
    yield Row(f"scoring / calling, {what}", ratio, "x", limit=RATIO_LIMIT)
    yield Row(f"most anonymous memory, {what}", Sample.of(most), "MB", limit=MEMORY_LIMIT, grows=("memory of scoring, by rows", rows))


def _prepare(folder: Path, rows: int) -> str:
    """A file, and a logged model; made in a process of its own, so that what making them takes is nobody's."""
    command = [sys.executable, "-c", "from benchmarks.scoring import prepare; prepare()", str(folder), str(rows)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]


def prepare() -> None:
    """Write the rows and log the model; says its reference."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet
    from sklearn.ensemble import HistGradientBoostingRegressor

    from prefect_ledger import save_model

    folder, rows = Path(sys.argv[1]), int(sys.argv[2])
    draw = np.random.default_rng(0)
    data = pd.DataFrame(draw.normal(size=(5_000, len(COLUMNS))), columns=COLUMNS)
    fitted = HistGradientBoostingRegressor(max_iter=20).fit(data, data["f0"] * data["f1"] + data["f2"])
    save_model(fitted, folder / "model", input_example=data.head(3))
    schema = pa.schema([("customer_id", pa.int64()), *((name, pa.float64()) for name in COLUMNS)])
    with parquet.ParquetWriter(folder / "in.parquet", schema) as writer:
        for start in range(0, rows, 1_000_000):
            count = min(1_000_000, rows - start)
            columns = [np.arange(start, start + count), *(draw.normal(size=count) for _ in COLUMNS)]
            writer.write_table(pa.table(columns, schema=schema))
    print(folder / "model")


def _apart(folder: Path, kind: str, ref: str) -> tuple[float, float]:
    """Seconds, and the most memory, of one pass in a process of its own, watched from outside."""
    command = [sys.executable, "-c", "from benchmarks.scoring import child; child()", str(folder), kind, ref]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        most = 0.0
        while process.poll() is None:
            most = max(most, anonymous(process.pid))
            time.sleep(_EVERY)
        return json.loads(process.stdout.read().splitlines()[-1])["seconds"], most


def child() -> None:
    """Score, or read the chunks and call the model; says how long it took."""
    folder, kind, ref = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    place = folder / "in.parquet"
    if kind == "ours":
        from prefect_ledger import score
        from prefect_ledger.tracking.ledger import ledger

        ledger().flush()  # makes the store
        start = time.perf_counter()
        score(ref, str(place), str(folder / "out.parquet"), chunk_rows=CHUNK, overwrite=True)
    else:
        from pyarrow import parquet

        from prefect_ledger import load_predictor

        start = time.perf_counter()
        model = load_predictor(ref)
        with parquet.ParquetFile(place) as file:
            for batch in file.iter_batches(batch_size=CHUNK, columns=COLUMNS):
                model.predict(batch.to_pandas())
    print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


BENCHES = {"scoring": scoring}
