"""Our own time on the path of a flow and of a task, and what a call of ``log_metric`` costs inside them. Against a real Prefect server."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import stores
from benchmarks.logging import CALL_LIMIT, HARD_LIMIT, TAIL_LIMIT, from_threads
from benchmarks.measure import Row, Sample, Work, one_by_one, per_thousand
from prefect_ledger import configure, current_run, log_metric, tracked_flow, tracked_task
from prefect_ledger.tracking.ledger import ledger
from tests.services.test_changes import run_git
from tests.services_real.prefect_server import pointed_at, prefect_server

FLOW_LIMIT = 5.0  # ms
FILES = 10_000


def flows(work: Work) -> Iterator[Row]:
    """``@tracked_flow`` beside ``@flow``, ``@tracked_task`` beside ``@task``, and single calls inside.

    The heartbeat is off, for its thread would add up to a second to each flow.
    """
    with stores.folder() as folder, prefect_server() as url, pointed_at(url):
        configure(home=str(folder / "home"))
        ledger().database.prepare()
        try:
            for part in (_flows, _tasks, _calls):
                yield from asyncio.run(part(work))
            yield from asyncio.run(_capture(work, _repository(folder / "repository")))
        finally:
            ledger().close()


async def _flows(work: Work) -> list[Row]:
    from prefect import flow

    async def body(depth: int, rate: float = 0.1) -> float:
        return depth * rate

    async def logging(depth: int, rate: float = 0.1) -> dict[str, float]:
        for step in range(100):
            log_metric("loss", rate / (step + 1), step)
        return {"auc": depth * rate}

    plain, tracked, logs = flow(name="plain")(body), tracked_flow(name="tracked")(body), tracked_flow(name="logs")(logging)
    bare = tracked_flow(name="bare", capture=False)(body)
    found, used = await _in_turns(work.times(31, 11), *(lambda one=one: one(6) for one in (plain, tracked, bare, logs)))
    names = ("@tracked_flow over @flow", "the same with capture=False", "the same with 100 points and a returned mapping")
    rows = []
    for i, name in enumerate(names, 1):
        note = f"@flow itself {found[0].median:.1f} ms; of the difference {_more(used[i], used[0]).median:.1f} ms computed in its thread"
        rows.append(Row(name, _more(found[i], found[0]), "ms", limit=FLOW_LIMIT, note=note))
    return rows


async def _tasks(work: Work) -> list[Row]:
    from prefect import task

    def body(depth: int) -> int:
        return depth + 1

    plain, tracked = task(name="plain")(body), tracked_task(name="tracked")(body)
    times, found, used = work.times(51, 31), list[Sample](), list[Sample]()

    @tracked_flow(name="tasks")
    async def both() -> None:
        for kept, samples in zip((found, used), await _in_turns(times, lambda: _called(plain), lambda: _called(tracked)), strict=True):
            kept.extend(samples)

    await both()
    note = f"@task itself {found[0].median:.2f} ms; of the difference {_more(used[1], used[0]).median:.2f} ms computed in its thread"
    return [Row("@tracked_task over @task", _more(found[1], found[0]), "ms", limit=FLOW_LIMIT, note=note)]


async def _capture(work: Work, repository: Path) -> list[Row]:
    found: dict[str, Any] = {"__name__": "train", "__file__": str(repository / "train.py")}
    exec(compile((repository / "train.py").read_text(), found["__file__"], "exec"), found)
    body: Callable[[int], Awaitable[int]] = found["body"]
    tracked, bare = tracked_flow(name="captured")(body), tracked_flow(name="bare", capture=False)(body)
    taken, used = await _in_turns(work.times(31, 11), lambda: bare(6), lambda: tracked(6))
    note = f"of it {_more(used[1], used[0]).median:.1f} ms computed in the flow's thread; {FILES:,} files, one of them changed"
    return [Row("capture over capture=False, in a large repository", _more(taken[1], taken[0]), "ms", limit=FLOW_LIMIT, note=note)]


def _repository(folder: Path) -> Path:
    """A working tree of many files, of which one is not as it was committed."""
    for i in range(FILES):
        path = folder / f"part-{i % 100}" / f"file-{i}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{i}\n" * 20)
    (folder / "train.py").write_text("async def body(depth):\n    return depth + 1\n")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
        run_git(folder, *words)
    (folder / "part-0" / "file-0.txt").write_text("changed\n")
    return folder


async def _called(task: Any) -> int:
    found: int = task(6)
    return found


async def _in_turns(times: int, *things: Callable[[], Awaitable[Any]]) -> tuple[list[Sample], list[Sample]]:
    """Milliseconds of each, A B A B, after a first round that is not counted: as time passes, and as this thread computes."""
    found: list[list[tuple[float, float]]] = [[] for _ in things]
    for turn in range(times + 1):
        for kept, thing in zip(found, things, strict=True):
            start, before = time.perf_counter(), time.thread_time()
            await thing()
            if turn:
                kept.append(((time.perf_counter() - start) * 1000, (time.thread_time() - before) * 1000))
    return [Sample.of([wall for wall, _ in one]) for one in found], [Sample.of([used for _, used in one]) for one in found]


def _more(ours: Sample, than: Sample) -> Sample:
    return Sample.of([a - b for a, b in zip(ours.values, than.values, strict=True)])


async def _calls(work: Work) -> list[Row]:
    from prefect import task

    count, times = work.size(100_000, 50_000), work.times(5)
    single, together = np.float32(0.5), list[float]()
    found: dict[str, list[array[int]]] = {}

    def inside(name: str, value: float | np.float32) -> None:
        found.setdefault(name, []).append(one_by_one(lambda i: log_metric("loss", value, i), count))

    plain = task(name="plain")(inside)
    tracked = tracked_task(name="tracked")(inside)

    @tracked_task(name="threads")
    def threads() -> None:
        together.append(from_threads(current_run(), 4 * count, single))

    @tracked_flow(name="calls")
    async def logging() -> None:
        for _ in range(times):
            tracked("log_metric in a tracked task", 0.5)
            tracked("log_metric of np.float32 in a tracked task", single)
            plain("log_metric in a plain task of a tracked flow", 0.5)
            threads()

    await logging()
    rows = []
    for name, taken in found.items():
        limit = CALL_LIMIT if "float32" not in name and "plain" not in name else HARD_LIMIT
        rows.append(Row(f"{name}: median", Sample.of([per_thousand(one, 500) for one in taken]), "µs", limit=limit))
        rows.append(Row(f"{name}: p99.9", Sample.of([per_thousand(one, 999) for one in taken]), "µs", limit=TAIL_LIMIT))
    what = "4 threads, 50 keys, np.float32, in a Prefect task, all at once: a call"
    return [*rows, Row(what, Sample.of(together), "µs", limit=HARD_LIMIT, note="wall time / calls")]


BENCHES = {"flows": flows}
