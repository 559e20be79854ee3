"""Models: what logging, opening and asking one cost beyond its framework's own work, timed beside it in turns.

The first call of a process is apart: it imports what saves models, skops alone for most of a second.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import Absent, Row, Sample, Work, in_turns, timed

LOG, LOG_WITH_EXAMPLE, LOAD, ASK = 0.15, 0.3, 0.02, 50.0  # seconds, seconds, seconds, µs: beyond the framework's own
ROWS, COLUMNS = 500, 20


def _fitted(work: Work) -> tuple[dict[str, Any], Any]:
    import numpy as np
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    x, y = make_classification(ROWS, COLUMNS, random_state=0)
    trees = work.size(100, 20)
    models = {"LogisticRegression": LogisticRegression(), f"RandomForest({trees})": RandomForestClassifier(trees, random_state=0)}
    return {name: model.fit(x, y) for name, model in models.items()}, np.asarray(x)


def _beyond(ours: Sample, theirs: Sample) -> Sample:
    return Sample.of([mine - bare for mine, bare in zip(ours.values, theirs.values, strict=True)])


def saving(work: Work) -> Iterator[Row | Absent]:
    """``log_model`` of a scikit-learn model, without and with an example, beside ``skops.io.dump``."""
    from skops import io

    from prefect_ledger import start_run

    models, x = _fitted(work)
    with tempfile.TemporaryDirectory() as folder, start_run(experiment="benchmarks") as run:
        path, turn = Path(folder) / "bare.skops", itertools.count()
        for name, model in models.items():
            for example, limit in ((None, LOG), (x[:5], LOG_WITH_EXAMPLE)):

                def log(model: Any = model, example: Any = example) -> float:
                    return timed(lambda: run.log_model(model, f"m{next(turn)}", input_example=example))

                def dump(model: Any = model) -> float:
                    return timed(lambda: io.dump(model, path))

                log()
                ours, bare = in_turns(work.times(9, 5), log, dump)
                what = f"log_model, {name}{'' if example is None else ', with an example'}: beyond skops"
                yield Row(what, _beyond(ours, bare), "s", bare, "skops.io.dump alone", limit=limit)


def opening(work: Work) -> Iterator[Row | Absent]:
    """``load_model`` of a folder and of the ledger beside ``skops.io.load``."""
    from skops import io

    from prefect_ledger import load_model, save_model, start_run

    models, _ = _fitted(work)
    with tempfile.TemporaryDirectory() as folder, start_run(experiment="benchmarks") as run:
        for name, model in models.items():
            place = Path(folder) / name
            told = save_model(model, place).flavors["sklearn"]["skops_trusted_types"]
            logged = run.log_model(model, name.partition("(")[0])

            def bare(place: Path = place, told: Any = told) -> float:
                return timed(lambda: io.load(place / "model.skops", trusted=told))

            for where, ref in (("a folder", place), ("the ledger", logged.uri)):

                def load(ref: Any = ref) -> float:
                    return timed(lambda: load_model(ref))

                load()
                ours, theirs = in_turns(work.times(9, 5), load, bare)
                yield Row(
                    f"load_model, {name}, from {where}: beyond skops", _beyond(ours, theirs), "s", theirs, "skops.io.load", limit=LOAD
                )


def asking(work: Work) -> Iterator[Row | Absent]:
    """``predict`` of a predictor beside the model's own, with arrays."""
    from prefect_ledger import load_predictor, save_model

    models, x = _fitted(work)
    model, count = models["LogisticRegression"], work.size(500, 200)
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, f"{folder}/m", input_example=x[:5])
        predictor = load_predictor(f"{folder}/m")
        for rows in (1, ROWS):
            data = x[:rows]

            def ours(data: Any = data) -> float:
                return timed(lambda: [predictor.predict(data) for _ in range(count)]) / count * 1e6

            def bare(data: Any = data) -> float:
                return timed(lambda: [model.predict(data) for _ in range(count)]) / count * 1e6

            mine, theirs = in_turns(work.times(9, 5), ours, bare)
            yield Row(
                f"predictor, array of {rows:,} rows: beyond the model", _beyond(mine, theirs), "µs", theirs, "model.predict", limit=ASK
            )


BENCHES = {"models.saving": saving, "models.opening": opening, "models.asking": asking}
