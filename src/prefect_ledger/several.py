"""Floor 2. The same work for many things, several at a time, in their order; the first that fails ends it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")
_V = TypeVar("_V")
_IN_LINE = 8  # jobs that wait for each thread


def at_once(threads: int, work: Callable[[_V], _T], items: Sequence[_V], alone: Callable[[_V], bool] | None = None) -> list[_T]:
    """``work`` of each item, in their order, ``threads`` at a time; the first that fails ends it.

    What is not worth a thread, as ``alone`` says, is done here; and no more wait in line than keep the threads busy.
    """
    done: dict[int, _T] = {}
    line: deque[tuple[int, Future[_T]]] = deque()
    with ThreadPoolExecutor(min(threads, len(items) or 1), "prefect-ledger-artifacts") as pool:
        try:
            for at, item in enumerate(items):
                if alone is not None and alone(item):
                    done[at] = work(item)
                    continue
                if len(line) >= _IN_LINE * threads:
                    first, job = line.popleft()
                    done[first] = job.result()
                line.append((at, pool.submit(work, item)))
            done.update((at, job.result()) for at, job in line)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [done[at] for at in range(len(items))]
