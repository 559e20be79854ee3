"""Watching: what runs and tasks used adds up, the machine is looked at while a run is open, and forks come through it."""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_ledger import meters, probes, run_store, usage_store, watch
from prefect_ledger.database import Database
from prefect_ledger.events import RunStarted, UsageSeen
from prefect_ledger.meters import Meter
from prefect_ledger.queries import Reader
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.measured import done, metered
from prefect_ledger.usage import Prices, Usage, Used

PARENT, CHILD, GRANDCHILD = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))


def burn(seconds: float) -> None:
    """Use that much of this thread's CPU time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(200))


def wait_for(ready: Callable[[], bool]) -> None:
    """Until ``ready`` says so, half a minute at most."""
    for _ in range(600):
        if ready():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


# --- meters -----------------------------------------------------------------------------------------------------------------


class Clock:
    """The times that meters ask for, set by hand."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0

    def process_time_ns(self) -> int:
        return self.cpu

    def monotonic_ns(self) -> int:
        return self.wall


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock of this test's own under the meters."""
    return use_clock(monkeypatch)


def use_clock(patch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    patch.setattr(meters, "time", clock)
    patch.setattr(meters, "_state", meters._State())
    return clock


def test_the_innermost_body_gets_what_is_used(clock: Clock) -> None:
    """A body that waits for another gets nothing meanwhile, and goes on to be counted when the other has ended."""
    outer = Meter()
    inner = Meter(outer)
    outer.start()
    clock.cpu = 10
    inner.start()
    clock.cpu = 110
    inner.stop()
    clock.cpu = 111
    outer.stop()
    clock.cpu = 999  # nobody's
    assert (inner.read()[2], outer.read()[2]) == (100, 11)


def test_bodies_side_by_side_share_alike(clock: Clock) -> None:
    """What a process uses while several bodies run is split evenly, GPU time too."""
    one, two = Meter(), Meter()
    one.start()
    clock.cpu = 50
    two.start()
    clock.cpu = 150
    meters.gpu_used(80)
    one.stop()
    clock.cpu = 160
    two.stop()
    assert (one.read()[2:], two.read()[2:]) == ((100, 40), (60, 40))


def test_time_in_failed_tries_is_known(clock: Clock) -> None:
    """Of the time in a body, that of tries that failed is told apart."""
    meter = Meter()
    for failed, passed in ((True, 30), (True, 5), (False, 7)):
        meter.start()
        clock.wall += passed
        meter.stop(failed=failed)
        clock.wall += 1000  # a delay between tries is not in the body
    assert meter.read()[:2] == (42, 35)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1000)), max_size=60))
def test_nothing_is_lost_and_nothing_counted_twice(steps: list[tuple[int, int]]) -> None:
    """Whatever bodies begin and end in whatever order: what they have is what was used while any was open, but for rounding."""
    with pytest.MonkeyPatch.context() as patch:
        clock = use_clock(patch)
        root = Meter()
        tree = [root, Meter(root), Meter(root)]
        tree += [Meter(tree[1]), Meter(tree[2]), Meter()]
        is_open, used = [False] * len(tree), 0
        for which, cpu in steps:
            clock.cpu += cpu
            used += cpu if any(is_open) else 0
            tree[which].stop() if is_open[which] else tree[which].start()
            is_open[which] = not is_open[which]
        assert used - len(steps) * len(tree) <= sum(meter.read()[2] for meter in tree) <= used


def test_real_seconds_add_up() -> None:
    """On the real clock too, what several threads' bodies used is what the process used meanwhile."""
    outer = Meter()
    parts = [Meter(outer) for _ in range(3)]

    def work(meter: Meter) -> None:
        meter.start()
        burn(0.05)
        meter.stop()

    before = time.process_time_ns()
    outer.start()
    threads = [threading.Thread(target=work, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outer.stop()
    used = time.process_time_ns() - before
    found = sum(meter.read()[2] for meter in (outer, *parts))
    assert 0.15e9 <= found <= used


# --- what is kept ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An empty store, on each database in turn."""
    found = Database(store_url)
    found.prepare()
    yield found
    found.close()


def test_usage_adds_up_over_processes_attempts_and_children(database: Database) -> None:
    """Of one process the latest word counts, in whatever order it is heard; processes, attempts, tasks and runs below are added up."""
    said = [
        (UsageSeen(PARENT, 1, 1, cpu=1_000_000, ran=2_000_000), "a"),
        (UsageSeen(PARENT, 2, 1, cpu=3_000_000, ran=4_000_000), "a"),
        (UsageSeen(PARENT, 3, 2, cpu=5_000_000), "a"),
        (UsageSeen(PARENT, 3, 1, task="t", cpu=1_000_000, waited=9_000_000, retried=500_000), "a"),
        (UsageSeen(PARENT, 4, 1, task="t", cpu=2_000_000, waited=8_000_000, gpu=7_000_000), "b"),
        (UsageSeen(CHILD, 4, 1, cpu=10_000_000), "c"),
        (UsageSeen(GRANDCHILD, 4, 1, task="u", cpu=20_000_000), "d"),
    ]
    said = said + said[:2]
    random.Random(3).shuffle(said)
    with database.write() as tx:
        for run, parent in ((PARENT, None), (CHILD, PARENT), (GRANDCHILD, CHILD)):
            run_store.fold(tx, [RunStarted(run, 1, parent=parent)], "a")
        for event, journal in said:
            run_store.fold(tx, [event], journal)
    usage = Reader(database, prices=Prices(cpu_hour=3600.0, gpu_hour=7200.0)).usage(PARENT)
    assert usage.own == Used(ran=4.0, cpu=8.0)
    assert usage.tasks == {"t": Used(waited=9.0, retried=0.5, cpu=3.0, gpu=7.0)}
    assert usage.children.cpu == 30.0
    assert (usage.total.cpu, usage.cost) == (41.0, 41.0 + 14.0)
    assert Reader(database).usage(PARENT).cost is None
    assert Reader(database).usage("nobody") == Usage()


def test_runs_in_a_circle_are_counted_once(database: Database) -> None:
    """Two runs that each name the other as their parent do not keep a reader for ever."""
    with database.write() as tx:
        for run, parent in ((PARENT, CHILD), (CHILD, PARENT)):
            run_store.fold(tx, [RunStarted(run, 1, parent=parent), UsageSeen(run, 1, 1, cpu=1_000_000)], "a")
        assert usage_store.read(tx, PARENT, Prices()).total.cpu == 2.0


# --- the watch ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def watched(fresh_ledger: Ledger) -> Ledger:
    """A ledger that looks ten times a second."""
    fresh_ledger.settings = dataclasses.replace(fresh_ledger.settings, watch_seconds=0.1)
    return fresh_ledger


def test_a_run_has_series_of_the_machine(watched: Ledger) -> None:
    """While a run is open what the machine does is logged on it, apart from its own metrics, and can be searched for."""
    run = watched.start(experiment="watched")
    run.log_metric("loss", 0.5)
    wait_for(lambda: watched.flush(20) == 0 and watched.reader.watched(run.id).get("system.cpu_percent", _none).count >= 3)
    run.finish()
    watched.flush()
    found = watched.reader.run(run.id)
    assert dict(found.metrics) == {"loss": 0.5}
    assert list(found.summaries) == ["loss"]
    seen = found.watched
    assert {"system.cpu_percent", "system.memory_percent", "system.process.memory_mb", "system.process.cpu_percent"} <= set(seen)
    assert all(one.min is not None and one.min >= 0 for one in seen.values())
    assert all(one.max is not None and one.max <= 100 for key, one in seen.items() if key.endswith(("cpu_percent", "memory_percent")))
    assert found.metric("system.cpu_percent").steps.tolist() == list(range(seen["system.cpu_percent"].count))
    assert [one.id for one in watched.reader.search_runs(filter="max(metrics.system.cpu_percent) >= 0")] == [run.id]
    frame = watched.reader.search_runs(as_="pandas")
    assert [name for name in frame.columns if name.startswith("metrics.")] == ["metrics.loss"]


_none = SimpleNamespace(count=0)


def test_what_a_run_used_is_known_while_it_runs_and_after(watched: Ledger) -> None:
    """A run's CPU seconds are in the store before it ends, so that a killed run has them, and grow until it ends."""
    run = watched.start(experiment="watched")
    burn(0.05)
    wait_for(lambda: watched.flush(20) == 0 and watched.reader.usage(run.id).own.cpu > 0.04)
    with metered(run.for_task("t")):
        burn(0.05)
    done(run.for_task("t"), waited=1_500_000)
    burn(0.05)
    run.finish()
    watched.flush()
    usage = watched.reader.usage(run.id)
    assert usage.own.cpu >= 0.1
    assert usage.tasks["t"].cpu >= 0.045
    assert usage.tasks["t"].waited == 1.5


def test_nothing_is_looked_at_once_no_run_is_open(watched: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread ends by itself when the last run has ended, and a later run has one again."""
    monkeypatch.setattr(watch, "LINGER", 0.05)
    monkeypatch.setattr(watch, "watch", watch.Watch())
    for _ in range(2):
        run = watched.start()
        thread = watch.watch._thread
        assert thread is not None
        assert thread.is_alive()
        run.finish()
        thread.join(20)
        assert not thread.is_alive()
        assert watch.watch._turns == {}


def test_runs_are_looked_at_soon_and_then_at_their_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short run has a point too: the first looks come within the first second, the others as far apart as the setting says."""
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    turn = watch._Turn(SimpleNamespace(), 5.0, lambda: None)
    due = []
    for _ in range(4):
        due.append(turn.next)
        turn.taken(turn.next)
    assert due == [100.25, 101.0, 106.0, 111.0]


def test_the_off_switch(fresh_ledger: Ledger) -> None:
    """With ``watch`` off there is no look, no meter and no word of it in the store."""
    fresh_ledger.settings = dataclasses.replace(fresh_ledger.settings, watch=False, watch_seconds=0.1)
    before = set(watch.watch._turns)
    with fresh_ledger.start() as run:
        assert set(watch.watch._turns) == before
        with metered(run.for_task("t")):
            run.log_metric("a", 1)
    fresh_ledger.flush()
    assert dict(fresh_ledger.reader.watched(run.id)) == {}
    assert fresh_ledger.reader.usage(run.id) == Usage()


FORKS = """
import os, sys
from prefect_ledger import configure, start_run, watch
configure(watch_seconds=0.1)
watch.SOON = ()
run = start_run(experiment="parent")
children = []
for number in range(12):
    pid = os.fork()
    if not pid:
        assert watch.watch._thread is None and not watch.watch._turns
        with start_run(experiment="child") as mine:
            mine.log_metric("number", number)
            assert watch.watch._thread.is_alive()
        sys.exit(0)
    children.append(pid)
print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children])
run.finish()
"""


@pytest.mark.long
def test_a_fork_comes_through_a_look(home: Path) -> None:
    """Children forked while the machine is looked at neither hang nor look for their parent's runs, and watch their own."""
    from prefect_ledger import search_runs
    from prefect_ledger.tracking import ledger as module

    command = [sys.executable, "-W", "error::UserWarning", "-c", FORKS]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == str([0] * 12), done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ledger", None)
        assert sorted(run.metrics["number"] for run in search_runs("child")) == list(range(12))
        module.ledger().close()


# --- GPUs -------------------------------------------------------------------------------------------------------------------


class Nvml:
    """What NVML answers on a machine with two GPUs of which the second has no power sensor."""

    class NVMLError(Exception):
        """Not supported."""

    def nvmlInit(self) -> None:  # noqa: N802
        """Ready."""

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:  # noqa: N802
        return ("GPU-aa11", "GPU-bb22")[handle]

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(gpu=(50, 100)[handle])

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(used=2_000_000, total=8_000_000)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        if handle:
            raise self.NVMLError
        return 70_500


def test_gpus_are_read_as_far_as_they_answer() -> None:
    """Load, memory and power of each GPU that the process may use; what one does not know is left out."""
    gpus = probes.Gpus(Nvml())
    assert gpus.read() == {
        "gpu.0.percent": 50.0,
        "gpu.0.memory_percent": 25.0,
        "gpu.0.memory_mb": 2.0,
        "gpu.0.watts": 70.5,
        "gpu.1.percent": 100.0,
        "gpu.1.memory_percent": 25.0,
        "gpu.1.memory_mb": 2.0,
    }
    assert gpus.busy == 1.5
    assert set(probes.Gpus(Nvml(), "GPU-bb").read()) == {"gpu.1.percent", "gpu.1.memory_percent", "gpu.1.memory_mb"}


@pytest.mark.parametrize(
    ("visible", "found"),
    [(None, [0, 1]), ("0,1", [0, 1]), ("1", [1]), ("1,0", [1, 0]), ("GPU-bb22", [1]), ("", []), ("-1", []), ("0,9,1", [0]), ("GPU-", [])],
)
def test_only_gpus_that_cuda_would_show_are_seen(visible: str | None, found: list[int]) -> None:
    """``CUDA_VISIBLE_DEVICES`` is understood as CUDA does: indices or beginnings of names, up to the first that means none."""
    assert probes.chosen(["GPU-aa11", "GPU-bb22"], visible) == found


def test_this_machine_s_gpus_are_read_or_there_are_none() -> None:
    """With the real library: without a driver there are no GPUs and no error, with one each says how busy it is."""
    pytest.importorskip("pynvml")
    found = probes.gpus()
    if found is not None:
        assert all(0 <= value <= 100 for key, value in found.read().items() if key.endswith("percent"))
