"""A program whose processes log to one run in the ways Python has of starting them. ``python fork_program.py WAY``; prints JSON."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from prefect_ledger import ActiveRun, get_run, open_run, start_run
from prefect_ledger.tracking.ledger import ledger

POINTS = 300
PROCESSES = 3
run: ActiveRun


def by_handle(number: int) -> int:
    """Log through the handle that a forked process inherited."""
    for i in range(POINTS):
        run.log_metric("loss", float(number), step=number * POINTS + i)
    run.log_param(f"p{number}", number)
    run.set_tag(f"t{number}", number)
    return number


def by_id(run_id: str, number: int) -> int:
    """Log to the run of this id, as a process does that inherited nothing."""
    one = open_run(run_id)
    for i in range(POINTS):
        one.log_metric("loss", float(number), step=number * POINTS + i)
    one.log_param(f"p{number}", number)
    one.set_tag(f"t{number}", number)
    return number


def process(method: str, *, inherited: bool) -> None:
    """Processes of multiprocessing."""
    context = multiprocessing.get_context(method)
    jobs = [
        context.Process(target=by_handle, args=(n,)) if inherited else context.Process(target=by_id, args=(run.id, n))  # type: ignore[attr-defined]
        for n in range(PROCESSES)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0] * PROCESSES


def pool(method: str, *, inherited: bool, terminate: bool) -> None:
    """A pool of multiprocessing, ended in order or, as its ``with`` block does, by SIGTERM."""
    workers = multiprocessing.get_context(method).Pool(2)
    if inherited:
        workers.map(by_handle, range(PROCESSES), chunksize=1)
    else:
        workers.starmap(by_id, [(run.id, n) for n in range(PROCESSES)], chunksize=1)
    if terminate:
        workers.terminate()
    else:
        workers.close()
    workers.join()


def executor(method: str, *, inherited: bool) -> None:
    """A pool of concurrent.futures."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as workers:
        if inherited:
            list(workers.map(by_handle, range(PROCESSES)))
        else:
            list(workers.map(by_id, [run.id] * PROCESSES, range(PROCESSES)))


def many_forks(count: int = 200) -> None:
    """Forks at any moment while threads log and the recorder is in the store; each child logs through the handle, one in ten flushes."""
    stop = threading.Event()
    assert ledger().recorder is not None
    ledger().recorder._interval = 0.0  # type: ignore[union-attr]

    def busy(number: int) -> None:
        i = 0
        while not stop.is_set():
            run.log_metric(f"busy{number}", 1.0, step=i)
            run.log_params({f"q{number}": number})  # takes a lock that a child must not find held
            run.for_task(f"task{number}", i % 5 + 1)
            i += 1
            if i % 10 == 0:
                time.sleep(0.001)

    threads = [threading.Thread(target=busy, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    children = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for i in range(5):
                    run.log_metric("loss", 0.0, step=number * 5 + i)
                run.log_param(f"p{number}", number)
                if number % 10 == 0:
                    ledger().flush(60)
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
        if len(children) >= 8:
            assert os.waitpid(children.pop(0), 0)[1] == 0
    assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
    stop.set()
    for thread in threads:
        thread.join()


WAYS: dict[str, Callable[[], None]] = {
    "fork-process": lambda: process("fork", inherited=True),
    "spawn-process": lambda: process("spawn", inherited=False),
    "fork-pool": lambda: pool("fork", inherited=True, terminate=False),
    "fork-pool-terminated": lambda: pool("fork", inherited=True, terminate=True),
    "spawn-pool-terminated": lambda: pool("spawn", inherited=False, terminate=True),
    "fork-executor": lambda: executor("fork", inherited=True),
    "spawn-executor": lambda: executor("spawn", inherited=False),
    "forkserver-process": lambda: process("forkserver", inherited=False),
    "many-forks": many_forks,
}


def main(way: str) -> None:
    """Have the processes log, and say what the run has while it is still open, and how it then ended."""
    global run
    with start_run(experiment="forks") as run:
        run.log_metric("parent", 1.0, step=0)
        WAYS[way]()
        run.log_metric("parent", 1.0, step=1)
        open_steps = sorted(run.metric("loss").steps.tolist())
        found = get_run(run.id)
        status, params, tags = found.status, sorted(found.params), sorted(found.tags)
    ended = get_run(run.id)
    said = {"status": status, "steps": open_steps, "params": params, "tags": tags, "notes": ended.notes}
    print(json.dumps(said | {"end": ended.status, "parent": ended.metric("parent").steps.tolist(), "attempts": len(ended.attempts)}))


if __name__ == "__main__":
    main(sys.argv[1])
