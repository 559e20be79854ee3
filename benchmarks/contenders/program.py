"""A contender's program: one line of JSON asks for one measurement, one line answers. It imports nothing but the standard library.

Work is bounded by time, so that a slow tracker makes no long benchmark: calls go on for so many seconds, or up to so many.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import mmap
import os
import struct
import sys
import threading
import time
import traceback
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.contenders.contender import KEYS, Cannot, Contender, Log, LogMany, noise
from benchmarks.measure import per_thousand

_THREADS, _THREAD_KEYS = 4, 50


class Program:
    """Does what is asked of a contender."""

    def __init__(self, contender: Contender) -> None:
        self._contender, self._names = contender, itertools.count()
        self._run: Any = None

    def open(self, folder: str) -> None:
        """Open the store, and log a point, so that what is loaded at first use is loaded."""
        self._contender.open(Path(folder))
        run = self._contender.begin()
        self._contender.logger(run)("warm", 0.5, 0)
        self._end(run)

    def calls(self, seconds: float, most: int) -> dict[str, float]:
        """Median and p99.9 of a call in µs, each timed by itself, while the tracker writes behind as it does."""
        run = self._contender.begin()
        log, clock, taken = self._contender.logger(run), time.perf_counter_ns, array("q")
        until = clock() + int(seconds * 1e9)
        for i in range(most):
            start = clock()
            log("loss", 0.5, i)
            now = clock()
            taken.append(now - start)
            if now > until:
                break
        self._end(run)
        return {"median": per_thousand(taken, 500), "tail": per_thousand(taken, 999), "calls": len(taken)}

    def threads(self, seconds: float, most: int) -> float:
        """Wall time of a call in µs when four threads log to one run, fifty keys."""
        run = self._contender.begin()
        log, ready, done = self._contender.logger_in_threads(run), threading.Barrier(_THREADS + 1), array("q", bytes(8 * _THREADS))
        names = [f"key{i}" for i in range(_THREAD_KEYS)]

        def work(number: int) -> None:
            ready.wait()
            until, step = time.monotonic() + seconds, 0
            for step, name in zip(range(1, most // _THREADS + 1), itertools.cycle(names), strict=False):
                log(name, 0.5, step)
                if not step % 8 and time.monotonic() > until:
                    break
            done[number] = step

        workers = [threading.Thread(target=work, args=(number,)) for number in range(_THREADS)]
        for worker in workers:
            worker.start()
        ready.wait()
        start = time.perf_counter()
        for worker in workers:
            worker.join()
        taken = time.perf_counter() - start
        self._end(run)
        return taken / sum(done) * 1e6

    def store(self, way: str, seconds: float, most: int) -> dict[str, float]:
        """Points a second from the first call until all are in the store, ten series; and how many can be read then."""
        run, logged = self._contender.begin(), 0
        pieces, start = self._pieces(run, way), time.perf_counter()
        while logged < most and time.perf_counter() < start + seconds:
            logged += next(pieces)
        loop = time.perf_counter() - start
        self._contender.end(run)
        taken = time.perf_counter() - start
        self._contender.settle()
        return {"rate": logged / taken, "points": logged, "loop": loop, "readable": self._contender.count(self._contender.where(run))}

    def size(self, points: int) -> float:
        """Bytes that a point takes on the disk, beyond what a run without any takes."""
        folder = self._folder
        taken = []
        for amount in (0, 0, points):
            before, run, logged = self._contender.used(folder), self._contender.begin(), 0
            for way in ("quick", "many", "single"):
                with contextlib.suppress(Cannot):
                    pieces = self._pieces(run, way)
                    while logged < amount:
                        logged += next(pieces)
                    break
            self._end(run)
            taken.append(self._contender.used(folder) - before)
        return (taken[2] - taken[1]) / points

    def _end(self, run: Any) -> None:
        self._contender.end(run)
        self._contender.settle()

    def _pieces(self, run: Any, way: str) -> Iterator[int]:
        """Log without end, and say how many points went at each turn."""
        if way == "quick":
            return self._quickly(run, noise())
        if way == "many":
            return _many(self._contender.logger_of_many(run), noise())
        return _singly(self._contender.logger(run), noise())

    def _quickly(self, run: Any, values: Iterator[float]) -> Iterator[int]:
        batch = self._contender.batch
        for first in itertools.count(0, batch // len(KEYS)):
            self._contender.log_quickly(run, first, list(itertools.islice(values, batch)))
            yield batch

    def flood(self, folder: str, counter: str) -> None:
        """Log one point after the other and count each call that returned in ``counter``, until somebody kills this process."""
        run = self._contender.begin()
        Path(folder, "where").write_text(self._contender.where(run), encoding="utf-8")
        log, pack = self._contender.logger(run), struct.Struct("<q").pack_into
        with Path(counter).open("r+b") as file, mmap.mmap(file.fileno(), 8) as seen:
            for i in itertools.count():
                log("loss", 0.5, i)
                pack(seen, 0, i + 1)

    def kept(self, folder: str) -> int:
        """The points that such a process left behind, from a new one."""
        self._contender.open(Path(folder))
        return self._contender.count(Path(folder, "where").read_text(encoding="utf-8"))

    def make_series(self, count: int) -> str:
        """A series to read."""
        return self._contender.make_series(count)

    def read(self, folder: str, where: str, count: int) -> float:
        """Milliseconds of reading it, as the first thing in a process."""
        self._contender.open(Path(folder))
        start = time.perf_counter()
        found = self._contender.read(where)
        taken = time.perf_counter() - start
        assert found == count, (found, count)
        return taken * 1e3

    def make_runs(self, count: int) -> None:
        """Runs to search."""
        self._contender.make_runs(count)

    def search(self, condition: str, order: str) -> dict[str, float]:
        """Milliseconds of the first hundred."""
        start = time.perf_counter()
        found = self._contender.search(condition, order)
        return {"ms": (time.perf_counter() - start) * 1e3, "found": found}

    def frame(self) -> dict[str, Any]:
        """Milliseconds of a thousand runs as a DataFrame."""
        start = time.perf_counter()
        shape = self._contender.frame()
        return {"ms": (time.perf_counter() - start) * 1e3, "shape": shape}

    def log_model(self, folder: str, *, quick: bool) -> float:
        """Seconds of logging a model, at the first time that of fitting it too."""
        if self._run is None:
            self._run = self._contender.begin()
        path, start = Path(folder, f"m{next(self._names)}"), time.perf_counter()
        self._contender.log_model(self._run, path, quick=quick)
        return time.perf_counter() - start

    def log_files(self, path: str) -> float:
        """Seconds of logging a file or a folder."""
        if self._run is None:
            self._run = self._contender.begin()
        start = time.perf_counter()
        self._contender.log_files(self._run, Path(path))
        return time.perf_counter() - start

    # --- asked ------------------------------------------------------------------------------------------------------------

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What was found, or why not."""
        verb = asked.pop("verb")
        if verb == "open":
            self._folder = Path(asked["folder"])
        try:
            return {"answer": getattr(self, verb)(**asked)}
        except Cannot as why:
            return {"cannot": str(why)}
        except Exception:  # noqa: BLE001  # the one who asked is told
            return {"failed": traceback.format_exc()}


def _singly(log: Log, values: Iterator[float]) -> Iterator[int]:
    for step in itertools.count():
        for name, value in zip(KEYS, values, strict=False):
            log(name, value, step)
        yield len(KEYS)


def _many(log: LogMany, values: Iterator[float]) -> Iterator[int]:
    for step in itertools.count():
        log(dict(zip(KEYS, values, strict=False)), step)
        yield len(KEYS)


def main(contender: Contender) -> None:
    """Answer until standard input ends. What the tracker prints is no answer."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    program = Program(contender)
    for line in sys.stdin:
        replies.write(json.dumps(program.answer(json.loads(line))) + "\n")
        replies.flush()
