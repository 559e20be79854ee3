"""How fast points get into the store, the caller waiting at the end; and what is left over when the caller goes on computing instead."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks import raw, stores
from benchmarks.measure import Row, Sample, Work, in_turns, timed
from prefect_ledger.channel import Channel
from prefect_ledger.journal import Journal
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.runs import ActiveRun

POINTS_LIMIT = {"SQLite": 1.2e6, "PostgreSQL": 1.0e6}
ARRAYS_LIMIT, LATE_LIMIT, SLOWER_LIMIT = 8e6, 2.0, 3.0  # points/s, s, %
_MILLION = 1_000_000
_LogMetric = Callable[[str, float, int], object]


# --- until in the store -------------------------------------------------------------------------------------------------


def sqlite(work: Work) -> Iterator[Row]:
    """Single calls into SQLite beside executemany."""
    with stores.folder() as folder, stores.store("SQLite", folder) as (url, _), stores.ledger(folder, url) as ledger:
        rows = raw.RawSqlite(folder / "raw.db")
        for series in (10, 1000) if work.quick else (1, 10, 1000):
            yield from _through(work, ledger, "SQLite", series, {"executemany of rows": rows.insert})


def sqlite_growth(work: Work) -> Iterator[Row]:
    """The same with a tenth of the points, and ten times as many."""
    amounts = (10_000, 100_000) if work.quick else (100_000, 10 * _MILLION)
    with stores.folder() as folder, stores.store("SQLite", folder) as (url, _), stores.ledger(folder, url) as ledger:
        rows = raw.RawSqlite(folder / "raw.db")
        for amount in amounts:
            yield from _through(work, ledger, "SQLite", 10, {"executemany of rows": rows.insert}, amount=amount)


def postgresql(work: Work) -> Iterator[Row]:
    """Single calls into PostgreSQL beside COPY and executemany."""
    with stores.folder() as folder, stores.store("PostgreSQL", folder) as (url, dsn), stores.ledger(folder, url) as ledger:
        rows = raw.RawPostgres(dsn)
        for series in (10, 1000) if work.quick else (1, 10, 1000):
            yield from _through(work, ledger, "PostgreSQL", series, {"COPY of rows": rows.copy})
        if not work.quick:
            yield from _through(work, ledger, "PostgreSQL", 10, {"executemany of rows": rows.insert}, amount=100_000)


def postgresql_durable(work: Work) -> Iterator[Row]:
    """The same on a server that waits for the disk at each commit."""
    if work.quick:
        return
    with stores.folder() as folder, stores.store("PostgreSQL", folder, durable=True) as (url, dsn), stores.ledger(folder, url) as ledger:
        yield from _through(work, ledger, "PostgreSQL", 10, {"COPY of rows": raw.RawPostgres(dsn).copy}, durable=True)


def _through(
    work: Work,
    ledger: Ledger,
    kind: str,
    series: int,
    others: dict[str, Callable[[Iterator[raw.Point]], None]],
    *,
    amount: int = _MILLION,
    durable: bool = False,
) -> Iterator[Row]:
    count, ended, logged = work.size(amount, amount // 4 if amount == _MILLION else None), list[float](), list[float]()
    beside, insert = next(iter(others.items()))

    def ours() -> float:
        run = stores.new_run(ledger)
        loop, whole = log_all(run, ledger, count, series)
        logged.append(loop)
        ended.append(stores.end(run, ledger))
        return count / whole

    def theirs() -> float:
        taken, points = 0.0, raw.points(count, series, stores.noise())
        while piece := list(itertools.islice(points, _MILLION)):
            taken += timed(lambda: insert(iter(piece)))
        return count / taken

    if amount <= _MILLION:
        mine, raws = in_turns(work.times(5), ours, theirs)
    else:
        (mine,), (raws,) = in_turns(work.times(3), ours), in_turns(1, theirs)
    what = f"log_metric until in {kind}{', fsync on' if durable else ''}: {count:,} points in {series:,} series"
    note = f"of it the loop {Sample.of(logged).median:.2f} s; ending the run {Sample.of(ended).median:.2f} s more"
    grows = (f"points/s through log_metric until in {kind}, {series} series, by points of the run", count) if kind == "SQLite" else None
    limited = amount >= _MILLION and count >= amount // 4
    yield Row(what, mine, "points/s", raws, beside, POINTS_LIMIT[kind] if limited else None, more=True, grows=grows, note=note)


def log_all(run: ActiveRun, ledger: Ledger, count: int, series: int) -> tuple[float, float]:
    """Log ``count`` points by single calls, then wait for the store; returns the seconds of the loop and of all of it."""
    names, values, log = itertools.cycle(raw.key_names(series)), stores.noise(), run.log_metric
    start = time.perf_counter()
    for step, name, value in zip(range(count), names, values, strict=False):
        log(name, value, step)
    loop = time.perf_counter() - start
    stores.flush(ledger)
    return loop, time.perf_counter() - start


# --- arrays -------------------------------------------------------------------------------------------------------------


def arrays(work: Work) -> Iterator[Row]:
    """Whole arrays in one call, with their own times and without."""
    for kind in stores.STORES[:1] if work.quick else stores.STORES:
        with stores.folder() as folder, stores.store(kind, folder) as (url, dsn), stores.ledger(folder, url) as ledger:
            insert = raw.RawSqlite(folder / "raw.db").insert if kind == "SQLite" else raw.RawPostgres(dsn).copy
            yield from _arrays(work, ledger, kind, insert)


def _arrays(work: Work, ledger: Ledger, kind: str, insert: Callable[[Iterator[raw.Point]], None]) -> Iterator[Row]:
    count = work.size(5 * _MILLION, 2 * _MILLION)
    rnd = np.random.default_rng(7)
    values, times = rnd.normal(0.5, 0.1, count), clock(rnd, count)
    calls: list[float] = []

    def ours(*, timestamps: bool) -> float:
        run = stores.new_run(ledger)
        start = time.perf_counter()
        run.log_series("loss", values, timestamps=times if timestamps else None)
        calls.append(time.perf_counter() - start)
        stores.flush(ledger)
        taken = time.perf_counter() - start
        stores.end(run, ledger)
        return count / taken

    few = count // 10
    points = list(raw.points(few, 1, values.tolist()))
    plain, stamped, theirs = in_turns(
        work.times(5), lambda: ours(timestamps=False), lambda: ours(timestamps=True), lambda: few / timed(lambda: insert(iter(points)))
    )
    beside, note = (
        ("executemany of rows" if kind == "SQLite" else "COPY of rows"),
        f"the call itself {Sample.of(calls).median * 1000:.0f} ms",
    )
    what = f"log_series until in {kind}: {count:,} points"
    yield Row(what, plain, "points/s", theirs, beside, ARRAYS_LIMIT, more=True, note=note)
    yield Row(f"{what} with a jittered clock", stamped, "points/s", theirs, beside, ARRAYS_LIMIT, more=True)


def clock(rnd: np.random.Generator, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Times (µs) of a measurement at 100 Hz whose clock jitters by a millisecond."""
    times: np.ndarray[tuple[int], np.dtype[np.int64]] = (1_700_000_000_000_000 + np.cumsum(rnd.normal(10_000, 1_000, count))).astype(
        np.int64
    )
    return times


# --- while the main thread computes ---------------------------------------------------------------------------------------


def backlog(work: Work) -> Iterator[Row]:
    """A million points in 20 series, logged at full speed; then the main thread computes, and does not wait."""
    count, late, slower, lost = work.size(_MILLION, 250_000), list[float](), list[float](), list[float]()
    with stores.folder() as folder, stores.store("SQLite", folder) as (url, _), stores.ledger(folder, url) as ledger:
        for _ in range(work.times(7, 5)):
            run = stores.new_run(ledger)
            quiet = _speed(0.3)
            names, values, log = itertools.cycle(raw.key_names(20)), stores.noise(), run.log_metric
            for step, name, value in zip(range(count), names, values, strict=False):
                log(name, value, step)
            seconds, busy = _compute_until_stored(ledger)
            late.append(seconds)
            stores.end(run, ledger)
            slower.append((1 - busy / ((quiet + _speed(0.3)) / 2)) * 100)
            lost.append(seconds * slower[-1] / 100)
    yield Row(f"backlog after {count:,} points in 20 series, main thread computing", Sample.of(late), "s", limit=LATE_LIMIT)
    note = f"{Sample.of(lost).median * 1000:.0f} ms of its time in all"
    yield Row("the main thread's loop slower while that is drained", Sample.of(slower), "%", limit=SLOWER_LIMIT, note=note)


def _speed(seconds: float) -> float:
    """Slices of pure Python a second."""
    done, start = 0, time.perf_counter()
    while time.perf_counter() < start + seconds:
        _slice(_SLICE)
        done += 1
    return done / (time.perf_counter() - start)


_SLICE = 3_000  # turns, a fraction of a millisecond


def _slice(turns: int) -> int:
    total = 0
    for i in range(turns):
        total += i * i % 7
    return total


def _compute_until_stored(ledger: Ledger) -> tuple[float, float]:
    """Compute until the store has everything, nobody asking for it; returns the seconds, and the slices a second meanwhile."""
    recorder = ledger.recorder
    assert recorder is not None
    target, done, start = ledger.journal.position(), 0, time.perf_counter()
    while recorder._reached() < target and time.perf_counter() < start + 60:
        _slice(_SLICE)
        done += 1
    seconds = time.perf_counter() - start
    return seconds, done / seconds if done else 0.0


def loop(work: Work) -> Iterator[Row]:
    """A loop of pure Python that logs once a turn: with a call that does nothing, with ours undrained, and with ours as it is."""
    with stores.folder() as folder, stores.store("SQLite", folder) as (url, _), stores.ledger(folder, url) as ledger:
        run, undrained = stores.new_run(ledger), _undrained(folder)
        for micros in (100,) if work.quick else (100, 20):
            turns, grain = work.size(700_000 // micros, 500_000 // micros), _turns_for(micros)

            def ours(turns: int = turns, grain: int = grain) -> float:
                taken = _loop(run.log_metric, turns, grain)
                stores.flush(ledger)  # what is left is not the next one's trouble
                return taken

            def others(log: _LogMetric, turns: int = turns, grain: int = grain) -> Callable[[], float]:
                return lambda: _loop(log, turns, grain)

            nothing, held, mine = in_turns(work.times(7, 5), others(_nothing), others(undrained.log_metric), ours)
            note = f"undrained {_slower(held, nothing).median:+.1f} %, so the recorder {_slower(mine, held).median:+.1f} %"
            limit = SLOWER_LIMIT if micros == 100 else None
            yield Row(f"loop slower by a log_metric every {micros} µs of pure Python", _slower(mine, nothing), "%", limit=limit, note=note)


def _slower(ours: Sample, than: Sample) -> Sample:
    return Sample.of([(a / b - 1) * 100 for a, b in zip(ours.values, than.values, strict=True)])


def _undrained(folder: Path) -> Channel:
    return Channel(Journal(folder / "undrained", segment_bytes=64 << 20, first_bytes=64 << 20), "00000000-0000-4000-8000-000000000000")


def _nothing(_key: str, _value: float, _step: int) -> None:
    return None


def _turns_for(micros: int) -> int:
    """How many turns of :func:`_slice` take so long."""
    _slice(100_000)
    return max(1, int(micros * 1e-6 * 200_000 / min(timed(lambda: _slice(200_000)) for _ in range(5))))


def _loop(log: _LogMetric, turns: int, grain: int) -> float:
    names, start = itertools.cycle(raw.key_names(20)), time.perf_counter()
    for step, name in zip(range(turns), names, strict=False):
        _slice(grain)
        log(name, 0.5, step)
    return time.perf_counter() - start


BENCHES = {
    "draining.sqlite": sqlite,
    "draining.sqlite-growth": sqlite_growth,
    "draining.postgresql": postgresql,
    "draining.postgresql-durable": postgresql_durable,
    "draining.arrays": arrays,
    "draining.backlog": backlog,
    "draining.loop": loop,
}
