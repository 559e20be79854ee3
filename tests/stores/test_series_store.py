"""Points go in as columns and come out as they were; each key's summary is what all of its points come to."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_ledger import series_store
from prefect_ledger.chunks import CHUNK
from prefect_ledger.database import Database, rows
from prefect_ledger.events import RunStatusSeen
from prefect_ledger.flushes import HURRIED, OWN_CHUNK, SeriesName, mixed_chunks, prepare
from prefect_ledger.points import Groups, Points
from prefect_ledger.series_store import SeriesIds, live_series, read_points
from prefect_ledger.summaries import SUMMARY_COLUMNS
from tests.stores.folding import Drains, Point, fold, wipe

A, B = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    store = Database(store_url)
    yield store
    store.close()


def write(database: Database, known: SeriesIds, name: SeriesName, steps: Any, values: Any, *, start: int = 0) -> None:
    """One flush with points of one series; each point has a time of its own, from ``start`` on."""
    steps, values = np.asarray(steps, np.int64), np.asarray(values, np.float64)
    with database.write() as tx:
        series_store.ensure_series(tx, known, [name])
    points = Points(steps, np.arange(start, start + len(steps)), values)
    flush = prepare(Groups([known.ids[name]], np.array([len(steps)]), points), {known.ids[name]: name})
    with database.write() as tx:
        series_store.write_flush(tx, flush)


def read(database: Database, key: str, *, run: str = A, attempt: int | None = None, task: str | None = None) -> list[tuple[int, float]]:
    """(step, value) of the points that make up a key."""
    with database.read() as tx:
        series = live_series(tx, run, key, attempt, task)
        points = read_points(tx, run, series)
        for expected in (len(points.steps), max(0, len(points.steps) - 3)):  # decoded where they stay, and where there is less room
            again = read_points(tx, run, series, expected)
            assert all(a.tobytes() == b.tobytes() for a, b in zip(points, again, strict=True))
    return list(zip(points.steps.tolist(), points.values.tolist(), strict=True))


def summary(database: Database, key: str, run: str = A) -> dict[str, Any]:
    """The row of a key in ``metrics``."""
    with database.read() as tx:
        found = rows(tx, f"SELECT attempt, {', '.join(SUMMARY_COLUMNS)} FROM metrics WHERE run_id = ? AND key = ?", [run, key])
    return dict(zip(("attempt", *SUMMARY_COLUMNS), found[0], strict=True))


def kinds(database: Database, run: str = A) -> tuple[int, int]:
    """How many mixed chunks a run has, and how many of single series."""
    with database.read() as tx:
        mixed = rows(tx, "SELECT count(*) FROM chunks WHERE run_id = ?", [run])[0][0]
        return mixed, rows(tx, "SELECT count(*) FROM chunks c JOIN series s ON s.id = c.series_id WHERE s.run_id = ?", [run])[0][0]


# --- summaries ------------------------------------------------------------------------------------------------------


def slowly(points: list[Point], key: str) -> dict[str, Any]:
    """The summary of a key in Python, point by point: last attempt, of each task run the last try."""
    mine = [p for p in points if p.series[1] == key]
    attempt = max(p.series[2] for p in mine)
    mine = [p for p in mine if p.series[2] == attempt]
    tries = {task: max(p.series[4] for p in mine if p.series[3] == task) for task in {p.series[3] for p in mine}}
    mine = sorted((p for p in mine if p.series[4] == tries[p.series[3]]), key=lambda p: (p.step, p.time))
    numbers = [p for p in mine if not math.isnan(p.value)]
    finite = [p.value for p in numbers if math.isfinite(p.value)]
    low = min(numbers, key=lambda p: (p.value, p.step), default=None)
    high = min(numbers, key=lambda p: (-p.value, p.step), default=None)
    first, last = mine[0], mine[-1]

    def plain(value: float) -> float | None:
        return None if math.isnan(value) else value

    return {
        "attempt": attempt,
        "n": len(mine),
        "nan": len(mine) - len(numbers),
        "finite": len(finite),
        "mean": pytest.approx(math.fsum(finite) / len(finite), rel=1e-9, abs=1e-9) if finite else None,
        "vmin": low and low.value,
        "smin": low and low.step,
        "vmax": high and high.value,
        "smax": high and high.step,
        "fs": first.step,
        "ft": first.time,
        "fv": plain(first.value),
        "fnan": int(math.isnan(first.value)),
        "ls": last.step,
        "lt": last.time,
        "lv": plain(last.value),
        "lnan": int(math.isnan(last.value)),
    }


numbers = st.floats(-1e9, 1e9) | st.sampled_from([float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 5e-324, 1e-300])


@st.composite
def batches(draw: st.DrawFn) -> list[list[Point]]:
    """Flushes of points of one run: several keys, attempts, task runs and tries; steps go up and down."""
    found, time = [], 0
    for _ in range(draw(st.integers(1, 6))):
        batch = []
        for _ in range(draw(st.integers(1, 8))):
            task = draw(st.sampled_from(["", "t1", "t2"]))
            series = (A, draw(st.sampled_from("ab")), draw(st.sampled_from([1, 1, 2])), task, draw(st.integers(1, 3)) if task else 1)
            time += 1
            batch.append(Point(series, draw(st.integers(-3, 3)), draw(st.sampled_from([time, 100 - time])), draw(numbers)))
        found.append(batch)
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flushes=batches(), spread=st.lists(st.integers(0, 2), min_size=6, max_size=6))
@pytest.mark.long
def test_summaries_are_what_all_points_come_to(database: Database, flushes: list[list[Point]], spread: list[int]) -> None:
    """However points come in, a key's summary is that of all its points, recomputed the slow way."""
    wipe(database)
    journals: list[list[Any]] = [[], [], []]
    for which, flush in zip(spread, flushes, strict=False):
        journals[which].append(flush)
    Drains(database, journals).rest()
    points = [point for flush in flushes for point in flush]
    for key in {point.series[1] for point in points}:
        expected = slowly(points, key)
        assert summary(database, key) == expected
        assert len(read(database, key)) == expected["n"]


def test_extreme_values_neither_overflow_nor_vanish(database: Database) -> None:
    """The largest and smallest numbers of a float64 are summed up and read back, flush by flush, on every database."""
    known, name = SeriesIds(), (A, "wild", 1, "", 1)
    wild = [1.7e308, 1.7e308, -1.7e308, 5e-324, -5e-324, 1e-290, 3e-300]
    for i, value in enumerate(wild * 2):
        write(database, known, name, [i], [value], start=i)
    row = summary(database, "wild")
    assert (row["n"], row["vmin"], row["vmax"], row["lv"]) == (14, -1.7e308, 1.7e308, 3e-300)
    assert row["mean"] == pytest.approx(1.7e308 / 7, rel=1e-6)
    assert [value for _, value in read(database, "wild")] == wild * 2
    write(database, known, (A, "tiny", 1, "", 1), [0], [5e-324])
    write(database, known, (A, "tiny", 1, "", 1), [1], [5e-324], start=1)
    assert summary(database, "tiny")["vmax"] == 5e-324


def test_steps_and_times_of_any_size_come_back(database: Database) -> None:
    """Steps and times at the ends of 64 bits are kept exactly and ordered."""
    ends = [-(2**63), 2**63 - 1, 0, -1]
    fold(database, *(Point((A, "k", 1, "", 1), step, time, 1.0) for step, time in zip(ends, reversed(ends), strict=True)))
    assert [step for step, _ in read(database, "k")] == sorted(ends)
    assert (summary(database, "k")["fs"], summary(database, "k")["ls"]) == (-(2**63), 2**63 - 1)


# --- tries of tasks ---------------------------------------------------------------------------------------------------


def tried(turn: int, value: float, time: int, key: str = "loss") -> Point:
    return Point((A, key, 1, "task", turn), 0, time, value)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_only_the_last_try_of_a_task_counts(database: Database, order: tuple[int, ...]) -> None:
    """Of a task that was tried again only the last try counts, also when it is heard of first; other tasks' points stay in."""
    said = [tried(1, 100.0, 1), tried(2, 1.0, 2), Point((A, "loss", 1, "other", 1), 1, 3, 3.0)]
    for i, which in enumerate(order):
        fold(database, said[which], journal=f"journal-{i}")
    row = summary(database, "loss")
    assert (row["n"], row["vmax"], row["mean"]) == (2, 3.0, 2.0)
    assert read(database, "loss") == [(0, 1.0), (1, 3.0)]


def test_late_points_of_an_earlier_try_do_not_count(database: Database) -> None:
    """A process that knew of the first try alone writes more of it after another process wrote the second: the summary stays."""
    drains = Drains(database, [[[tried(1, 100.0, 1)], [tried(1, 200.0, 5)]], [[tried(2, 1.0, 3)]]])
    for which in (0, 1, 0):
        assert drains.turn(which)
    assert (summary(database, "loss")["n"], summary(database, "loss")["lv"]) == (1, 1.0)
    assert read(database, "loss", task="task") == [(0, 1.0)]


def test_an_earlier_attempt_is_still_there_by_its_number(database: Database) -> None:
    """The summary is the last attempt's; points of each attempt and task run are read by name."""
    fold(database, Point((A, "loss", 2, "", 1), 0, 1, 2.0), Point((A, "loss", 1, "", 1), 0, 2, 1.0), tried(1, 9.0, 3))
    assert (summary(database, "loss")["attempt"], summary(database, "loss")["lv"]) == (2, 2.0)
    assert read(database, "loss") == [(0, 2.0)]
    assert read(database, "loss", attempt=1) == [(0, 1.0), (0, 9.0)]
    assert read(database, "loss", attempt=1, task="task") == [(0, 9.0)]
    assert read(database, "loss", task="nobody") == []


def test_keys_of_one_run_do_not_mix_with_anothers(database: Database) -> None:
    """Two runs with the same key in one flush have their own chunks, series and summaries."""
    fold(database, *(Point((run, "k", 1, "", 1), i, i, float(i + (run == B))) for i in range(5) for run in (A, B)))
    assert read(database, "k") == [(i, float(i)) for i in range(5)]
    assert read(database, "k", run=B) == [(i, float(i + 1)) for i in range(5)]


# --- chunks -------------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_points_pass_from_mixed_chunks_to_their_own_unchanged(database: Database) -> None:
    """Mixed, merged, cut and final: after each step every series reads as it was written, and chunks become fewer."""
    known = SeriesIds()
    expected: dict[str, list[tuple[int, float]]] = {f"k{i}": [] for i in range(7)}
    rng = np.random.default_rng(5)
    for flush in range(40):
        for i, key in enumerate(expected):
            count = 3_000 if (i, flush) == (0, 20) else int(rng.integers(1, 400))
            steps = np.arange(len(expected[key]), len(expected[key]) + count)
            values = rng.normal(size=count)
            write(database, known, (A, key, 1, "", 1), steps, values, start=10_000 * flush)
            expected[key] += zip(steps.tolist(), values.tolist(), strict=True)
        if flush % 10 == 9:
            before = kinds(database)
            with database.write() as tx:
                series_store.compact(tx, A, final=False)
            assert kinds(database)[0] < before[0]
            assert {key: read(database, key) for key in expected} == expected
    with database.write() as tx:
        series_store.compact(tx, A, final=True)
    assert kinds(database) == (0, 7)
    assert {key: read(database, key) for key in expected} == expected
    with database.write() as tx:
        series_store.compact(tx, A, final=True)
    assert kinds(database) == (0, 7)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flushes=batches(), compactions=st.lists(st.booleans(), min_size=6, max_size=6), final=st.booleans())
@pytest.mark.long
def test_compaction_never_changes_what_is_read(
    database: Database, flushes: list[list[Point]], compactions: list[bool], final: bool
) -> None:
    """Whenever a run is compacted, between any flushes and at its end, the same points are read."""
    wipe(database)
    for number, (flush, compaction) in enumerate(zip(flushes, compactions, strict=False)):
        fold(database, *flush, journal=f"journal-{number}")
        if compaction:
            with database.write() as tx:
                series_store.compact(tx, A, final=final)
    keys = sorted({point.series[1] for flush in flushes for point in flush})
    before = {key: repr(read(database, key)) for key in keys}
    with database.write() as tx:
        series_store.compact(tx, A, final=True)
    assert {key: repr(read(database, key)) for key in keys} == before
    assert kinds(database)[0] <= 1


@pytest.mark.parametrize("small_first", [True, False])
def test_equal_points_come_back_as_they_arrived(database: Database, *, small_first: bool) -> None:
    """Points of one step and microsecond keep the order of their arrival, though one came with few others and one with many."""
    known, name = SeriesIds(), (A, "loss", 1, "", 1)
    flushes = [([5], [1.0], 5), (np.arange(3_000), np.zeros(3_000), 0)]
    for steps, values, start in flushes if small_first else reversed(flushes):
        write(database, known, name, steps, values, start=start)
    assert read(database, "loss")[4:8] == [(4, 0.0), *([(5, 1.0), (5, 0.0)] if small_first else [(5, 0.0), (5, 1.0)]), (6, 0.0)]


def test_only_neighbouring_chunks_are_joined(database: Database) -> None:
    """At a run's end chunks are joined with those that arrived next to them, so that neither order nor arrival is lost."""
    known, name = SeriesIds(), (A, "loss", 1, "", 1)
    for number, count in enumerate((2_100, 2_200, CHUNK // 4, 2_300, 2_400)):
        write(database, known, name, np.arange(count), np.full(count, number))
    with database.write() as tx:
        series_store.compact(tx, A, final=True)
    assert kinds(database) == (0, 3)
    assert read(database, "loss")[:5] == [(0, float(number)) for number in range(5)]


def test_a_long_series_is_joined_chunk_by_chunk(database: Database) -> None:
    """Small chunks are joined into chunks of their greatest size at most, and all points are there once."""
    known, name = SeriesIds(), (A, "loss", 1, "", 1)
    count, times = CHUNK // 4 - 1, 6
    for number in range(times):
        write(database, known, name, number * count + np.arange(count), np.zeros(count), start=number * count)
    with database.write() as tx:
        series_store.compact(tx, A, final=True)
    with database.read() as tx:
        assert [row[0] for row in rows(tx, "SELECT n FROM chunks ORDER BY id")] == [4 * count, 2 * count]
    assert [step for step, _ in read(database, "loss")] == list(range(times * count))


def test_ids_of_series_are_not_remembered_for_ever() -> None:
    """Ids of a run that has ended are forgotten, and all of them when they are many more than are in use."""
    known = SeriesIds()
    known.ids |= {(run, "loss", 1, "", 1): 1 for run in (A, B)}
    known.forget(A)
    assert known.missing([(A, "loss", 1, "", 1), (B, "loss", 1, "", 1)]) == [(A, "loss", 1, "", 1)]
    known.ids |= {(A, f"key{i}", 1, "", 1): i for i in range(series_store.REMEMBERED + 3)}
    assert known.missing([(B, "loss", 1, "", 1)]) == [(B, "loss", 1, "", 1)]
    assert not known.ids


def test_a_small_run_ends_as_one_mixed_chunk(database: Database) -> None:
    """A run with few points keeps them in one chunk, however many keys it has."""
    known = SeriesIds()
    for i in range(30):
        write(database, known, (A, f"k{i}", 1, "", 1), range(10), np.arange(10.0) + i)
    with database.write() as tx:
        series_store.compact(tx, A, final=True)
    assert kinds(database) == (1, 0)
    assert read(database, "k29")[9] == (9, 38.0)


def test_reading_while_another_transaction_compacts(database: Database) -> None:
    """A reader sees every point once, before, during and after a compaction by somebody else."""
    known = SeriesIds()
    for flush in range(24):
        write(database, known, (A, "k", 1, "", 1), np.arange(300) + 300 * flush, np.full(300, float(flush)), start=300 * flush)
    expected = [(i, float(i // 300)) for i in range(24 * 300)]
    entered, leave, seen = threading.Event(), threading.Event(), []

    def compact() -> None:
        with database.write() as tx:
            series_store.compact(tx, A, final=True)
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=compact)
    thread.start()
    assert entered.wait(30)
    seen.append(read(database, "k"))
    leave.set()
    thread.join()
    seen.append(read(database, "k"))
    assert seen == [expected, expected]


def test_two_that_compact_at_once_double_nothing(database: Database) -> None:
    """Two processes that end one run both compact it; the points are there once."""
    known = SeriesIds()
    for flush in range(8):
        write(database, known, (A, "k", 1, "", 1), np.arange(2_500) + 2_500 * flush, np.zeros(2_500), start=2_500 * flush)
        write(database, known, (A, "m", 1, "", 1), [flush], [1.0])
    begin = threading.Barrier(4)
    errors: list[Exception] = []

    def compact() -> None:
        begin.wait(30)
        try:
            with database.write() as tx:
                series_store.compact(tx, A, final=True)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is shown
            errors.append(error)

    threads = [threading.Thread(target=compact) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [step for step, _ in read(database, "k")] == list(range(20_000))
    assert len(read(database, "m")) == 8


@pytest.mark.long
def test_two_recorders_of_one_run_lose_no_summary(database: Database) -> None:
    """Two processes that log the same keys of one run at once, with a task tried twice: the summaries have every point that counts."""
    begin, errors = threading.Barrier(2), []

    def drain(which: int) -> None:
        said = [
            [Point((A, f"k{k}", 1, f"t{which}", 1 + which), i, 1_000 * which + i, 1.0) for k in (range(20) if which else range(19, -1, -1))]
            for i in range(15)
        ]
        said += [[Point((A, f"k{k}", 1, "both", 1 + which), i, 1_000 * which + i, 5.0) for k in range(20)] for i in range(15)]
        one = Drains(database, [said]).drains[0]
        one.journal = f"of-{which}"
        begin.wait(30)
        try:
            while one.step():
                pass
        except Exception as error:  # noqa: BLE001  # whatever it is, it is shown
            errors.append(error)

    threads = [threading.Thread(target=drain, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for k in range(20):
        row = summary(database, f"k{k}")
        assert (row["n"], row["finite"], row["mean"]) == (45, 45, pytest.approx((30 * 1.0 + 15 * 5.0) / 45))


@pytest.mark.long
def test_more_series_than_a_statement_has_parameters(database: Database) -> None:
    """A key that more task runs logged than a statement takes parameters is read whole."""
    tasks = 33_000
    with database.write() as tx:
        for low in range(0, tasks, 1_000):
            text = ", ".join(f"('{A}', 'k', 1, 't{i}', 1, 1)" for i in range(low, low + 1_000))
            tx.exec_driver_sql(f"INSERT INTO series (run_id, key, attempt, task_run_id, try_number, n) VALUES {text}")
        ids = np.array(live_series(tx, A, "k"))
        points = Points(np.arange(tasks), np.arange(tasks), np.ones(tasks))
        series_store.insert_chunks(tx, list(mixed_chunks(A, np.sort(ids), points)))
    assert len(read(database, "k")) == tasks


def test_a_chunk_that_cannot_be_read_does_not_stop_the_drain(database: Database) -> None:
    """When old bytes of a run are damaged, what is new still goes in; the compaction is left out and said."""
    fold(database, Point((A, "k", 1, "", 1), 0, 1, 1.0))
    with database.write() as tx:
        tx.exec_driver_sql("UPDATE chunks SET data = " + ("x'00'" if database.dialect == "sqlite" else "'\\x00'::bytea"))
    drains = Drains(database, [[], [[Point((A, "k", 1, "", 1), 1, 2, 2.0), RunStatusSeen(run=A, at=3, status="COMPLETED", attempt=1)]]])
    drains.rest()
    assert summary(database, "k")["n"] == 2
    assert len(drains.drains[1].refused) == 1


def test_what_was_written_in_a_hurry_is_deflated_at_the_end(database: Database) -> None:
    """Small chunks of many series in one flush are written as they are; when the run ends they are as small as those of others."""
    keys, amount = [f"k{i}" for i in range(HURRIED)], OWN_CHUNK
    known = SeriesIds()
    with database.write() as tx:
        series_store.ensure_series(tx, known, [(A, key, 1, "", 1) for key in keys])
    names = {known.ids[name]: name for name in known.ids}
    values = np.tile(np.arange(amount) % 20 / 20, HURRIED)
    points = Points(np.tile(np.arange(amount), HURRIED), np.tile(np.arange(amount) * 7, HURRIED), values)
    flush = prepare(Groups(sorted(names), np.full(HURRIED, amount), points), names)
    with database.write() as tx:
        series_store.write_flush(tx, flush)
        hurried = rows(tx, "SELECT SUM(LENGTH(data)) FROM chunks")[0][0]
        series_store.compact(tx, A, final=True, hurried=flush.hurried)
        assert rows(tx, "SELECT SUM(LENGTH(data)) FROM chunks")[0][0] < hurried / 2
    assert read(database, "k3") == list(zip(range(amount), values[:amount].tolist(), strict=True))
