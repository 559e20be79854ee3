"""What one call costs the one who logs: by handle and by function, with numpy numbers, from threads, in a Prefect task."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks import raw, stores
from benchmarks.measure import Row, Sample, Work, in_turns, one_by_one, per_thousand
from prefect_ledger import log_metric
from prefect_ledger.tracking.context import using
from prefect_ledger.tracking.runs import ActiveRun

CALL_LIMIT, TAIL_LIMIT, HARD_LIMIT = 1.0, 50.0, 2.0  # µs
_THREADS, _KEYS = 4, 50

Call = Callable[[int], object]


def calls(work: Work) -> Iterator[Row]:
    """One call, timed by itself, ours and a committed row in turns, the recorder draining meanwhile as it does."""
    count = work.size(200_000, 50_000)
    with stores.folder() as folder, stores.ledger(folder, f"sqlite:///{folder}/ledger.db") as ledger:
        run, rows = stores.new_run(ledger), raw.RawSqlite(folder / "raw.db")
        one, small, single = run.log_metric, dict.fromkeys(raw.key_names(10), 0.5), np.float32(0.5)
        ways: dict[str, Call] = {
            "timer alone": lambda _: None,
            "log_metric by handle": lambda i: one("loss", 0.5, i),
            "log_metric by function, in a context": lambda i: log_metric("loss", 0.5, i),
            "log_metric of np.float32": lambda i: one("loss", single, i),
            "log_metric without a step": lambda _: one("count", 0.5),
            "log_metrics of 10": lambda i: run.log_metrics(small, step=i),
        }
        with using(run):
            found, committed = _measure(ways, count, work.times(7, 5), rows)
        yield from _rows(found, committed, count)


def _measure(ways: dict[str, Call], count: int, times: int, rows: raw.RawSqlite) -> tuple[dict[str, tuple[Sample, Sample]], Sample]:
    """Median and p99.9 of each way, and the median of a committed row."""
    medians: dict[str, list[float]] = {name: [] for name in ways}
    tails: dict[str, list[float]] = {name: [] for name in ways}
    committed = []
    for _ in range(times):
        for name, way in ways.items():
            taken = one_by_one(way, count)
            medians[name].append(per_thousand(taken, 500))
            tails[name].append(per_thousand(taken, 999))
        committed.append(per_thousand(one_by_one(lambda i: rows.insert_one((1, "loss", i, 0.5, i)), max(1, count // 20)), 500))
    return {name: (Sample.of(medians[name]), Sample.of(tails[name])) for name in ways}, Sample.of(committed)


def _rows(found: dict[str, tuple[Sample, Sample]], committed: Sample, count: int) -> Iterator[Row]:
    timer = found.pop("timer alone")[0].median
    limits = {"log_metric of np.float32": HARD_LIMIT, "log_metrics of 10": None}
    for name, (median, tail) in found.items():
        note = f"of it {timer:.2f} for the timer and an empty call; {count:,} calls a round"
        yield Row(f"{name}: median", median, "µs", committed, "one committed row", limits.get(name, CALL_LIMIT), note=note)
        yield Row(f"{name}: p99.9", tail, "µs", limit=TAIL_LIMIT)


def keys(work: Work) -> Iterator[Row]:
    """Calls in a row, a mean of all of them: with more keys, and with more calls into one run."""
    with stores.folder() as folder, stores.ledger(folder, f"sqlite:///{folder}/ledger.db") as ledger:
        for amount in (10, 100, 1_000) if work.quick else (100, 1_000, 10_000):
            run, names = stores.new_run(ledger), raw.key_names(amount)
            for i, name in enumerate(names):
                run.log_metric(name, 0.5, i)
            count = work.size(300_000, 100_000)
            (sample,) = in_turns(work.times(5), lambda run=run, names=names, count=count: _mean(run, names, count))  # type: ignore[misc]
            yield Row(
                f"log_metric, {amount:,} keys: mean", sample, "µs", limit=HARD_LIMIT, grows=("log_metric, mean, by keys of the run", amount)
            )
            stores.end(run, ledger)


def _mean(run: ActiveRun, names: list[str], count: int) -> float:
    one, start = run.log_metric, time.perf_counter()
    for i, name in zip(range(count), itertools.cycle(names), strict=False):
        one(name, 0.5, i)
    return (time.perf_counter() - start) / count * 1e6


def threads(work: Work) -> Iterator[Row]:
    """Four threads, fifty keys: the time until all are done, by the number of calls."""
    with stores.folder() as folder, stores.ledger(folder, f"sqlite:///{folder}/ledger.db") as ledger:
        run, count = stores.new_run(ledger), work.size(400_000, 100_000)
        plain, numpy = in_turns(work.times(7, 5), lambda: from_threads(run, count, 0.5), lambda: from_threads(run, count, np.float32(0.5)))
        yield Row("log_metric from 4 threads, 50 keys: a call", plain, "µs", limit=HARD_LIMIT, note="wall time / calls")
        yield Row("the same with np.float32: a call", numpy, "µs", limit=HARD_LIMIT, note="wall time / calls")


def from_threads(run: ActiveRun, count: int, value: float | np.float32) -> float:
    """Microseconds a call when four threads log at once."""
    names, ready = raw.key_names(_KEYS), threading.Barrier(_THREADS + 1)

    def work() -> None:
        one = run.log_metric
        ready.wait()
        for i, name in zip(range(count // _THREADS), itertools.cycle(names), strict=False):
            one(name, value, i)

    workers = [threading.Thread(target=work) for _ in range(_THREADS)]
    for worker in workers:
        worker.start()
    ready.wait()
    start = time.perf_counter()
    for worker in workers:
        worker.join()
    return (time.perf_counter() - start) / max(1, count // _THREADS * _THREADS) * 1e6


BENCHES = {"logging.calls": calls, "logging.keys": keys, "logging.threads": threads}
