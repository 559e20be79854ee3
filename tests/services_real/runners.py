"""A process that serves flows and a process worker, both real, both asking Prefect once a second, both gone afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from tests.services_real.processes import dies_with_us, start, stop, wait_until

T = TypeVar("T")
_QUICK = {"PREFECT_RUNNER_POLL_FREQUENCY": "1", "PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_LOGGING_LEVEL": "INFO"}


@contextlib.contextmanager
def serving(file: Path, folder: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """``python file serve``, which serves flows; its log is ``folder / "serving.log"``."""
    command = [*dies_with_us(signal.SIGTERM), sys.executable, str(file), "serve"]
    child = start(command, folder / "serving.log", env={**os.environ, **_QUICK, **more}, cwd=file.parent)
    try:
        yield child
    finally:
        stop(child, signal.SIGTERM)


@contextlib.contextmanager
def worker(pool: str, folder: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process worker of a pool that is there; its log is ``folder / "worker.log"``."""
    command = [*dies_with_us(signal.SIGTERM), sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"]
    child = start(command, folder / "worker.log", env={**os.environ, **_QUICK, **more}, cwd=folder)
    try:
        yield child
    finally:
        stop(child, signal.SIGTERM)


def until(ask: Callable[[], T | None], child: subprocess.Popen[bytes], log: Path, *, seconds: float = 180) -> T:
    """What ``ask`` gives once it gives something; raises as :func:`wait_until`."""
    found: list[T] = []

    def ready() -> bool:
        got = ask()
        if got:
            found.append(got)
        elif child.poll() is None:
            time.sleep(0.1)
        return bool(got)

    wait_until(ready, child, log, seconds=seconds)
    return found[0]


def environment(**more: str) -> Mapping[str, str]:
    """This process's environment and more."""
    return {**os.environ, **more}
