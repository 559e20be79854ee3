"""What judging rows takes: the paired bootstrap of a metric that is a mean of rows, and of the area under the ROC curve."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.measure import Row, Sample, Work, timed
from benchmarks.memory import anonymous

LIMIT = 3.0  # s
MEMORY_LIMIT = 300.0  # MB that are the process's own, on top of the evidence
_EVERY = 0.005  # seconds between looks
_PART = 20  # of the resamples, that peers are asked for


def gates(work: Work) -> Iterator[Row]:
    """The whole of judging one gate, with its report, on evidence that is there; peers at a part of the resamples."""
    import numpy as np

    from prefect_ledger.gates import Evidence, Holdout, Side, judge, parse_gate

    draw, n = np.random.default_rng(0), work.size(100_000)
    target = (draw.random(n) < 0.3).astype(int)
    candidate, champion = (1 / (1 + np.exp(-(target + draw.normal(size=(2, n))))))[:]
    side = Side("bench", 1, "d")
    evidence = Evidence(side, side, Holdout("rows", "d", {}, target, candidate, champion))
    for metric, resamples, peer, beside in (
        ("accuracy", 10_000, _scipy, "scipy.stats.bootstrap"),
        ("squared_error", 10_000, _scipy, "scipy.stats.bootstrap"),
        ("auc", 1_000, _sklearn, "scikit-learn's roc_auc_score of drawn rows"),
    ):
        gate = parse_gate({"gate": "bootstrap", "metric": metric, "resamples": resamples, "min_rows": 2})
        most: list[float] = []

        def ours(gate: Any = gate, most: list[float] = most) -> float:
            return _watched(lambda: judge([gate], evidence), most)

        seconds = Sample.of([ours() for _ in range(work.times(5, 3))])
        asked = max(2, work.size(resamples) // _PART)
        peer(metric, target[:99], candidate[:99], champion[:99], 2)  # imports what it needs
        theirs = Sample.of([timed(lambda: peer(metric, target, candidate, champion, asked)) * resamples / asked])  # noqa: B023
        what = f"paired bootstrap of {metric}, {resamples:,} resamples of {n:,} rows"
        yield Row(what, seconds, "s", theirs, f"{beside}, {asked:,} resamples and so many times more", limit=LIMIT)
        yield Row(f"most anonymous memory on top, {what}", Sample.of(most), "MB", limit=MEMORY_LIMIT)


def _watched(work: Callable[[], Any], most: list[float]) -> float:
    """Seconds that ``work`` takes, with the most memory that it had meanwhile put into ``most``."""
    done, before, seen = threading.Event(), anonymous(os.getpid()), [0.0]

    def look() -> None:
        while not done.wait(_EVERY):
            seen[0] = max(seen[0], anonymous(os.getpid()) - before)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        return timed(work)
    finally:
        done.set()
        watcher.join()
        most.append(seen[0])


def _scipy(metric: str, target: Any, candidate: Any, champion: Any, resamples: int) -> None:
    from scipy.stats import bootstrap  # type: ignore[import-untyped]

    from prefect_ledger.gates.row_metrics import Mean, named

    of = named(metric)
    assert isinstance(of, Mean)
    rows = of.oriented(of.rows(target, candidate), of.rows(target, champion))
    bootstrap((rows,), _mean, n_resamples=resamples, batch=100, vectorized=True, method="percentile", rng=0)


def _mean(values: Any, axis: int) -> Any:
    return values.mean(axis=axis)


def _sklearn(metric: str, target: Any, candidate: Any, champion: Any, resamples: int) -> None:  # noqa: ARG001
    import numpy as np
    from sklearn.metrics import roc_auc_score

    draw = np.random.default_rng(0)
    for _ in range(resamples):
        rows = draw.integers(0, len(target), len(target))
        for scores in (candidate, champion):
            roc_auc_score(target[rows], scores[rows])


BENCHES = {"gates": gates}
