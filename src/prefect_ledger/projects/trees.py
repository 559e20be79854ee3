"""Floor 5. The tree of processes below one that was started here in a session of its own: found whole, and ended whole."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

import psutil

GRACE = 10.0  # seconds between being asked to end and being made to
_ROUNDS = 20  # a process that is being ended may have started another


def end(pid: int, *, word: tuple[str, str] | None = None, seconds: float = GRACE) -> None:
    """End ``pid``, what descends from it, and what is in its session: asked first, and after ``seconds`` made to.

    ``word``: also processes that have this variable in their environment, which are its descendants too, though they left the session and
    their parents are gone.
    """
    asked = set(_of(pid, word))
    for one in asked:
        with contextlib.suppress(psutil.Error):
            one.terminate()
    _wait(asked, seconds)
    for _ in range(_ROUNDS):
        left = {one for one in {*asked, *_of(pid, word)} if _lives(one)}
        if not left:
            return
        for one in left:
            with contextlib.suppress(psutil.Error):
                one.kill()
        _wait(left, 1.0)


def end_session(pid: int, *, seconds: float = 1.0) -> None:
    """End what a program that is gone has left running in its session ``pid``."""
    if left := {one for one in _in_session(pid) if _lives(one)}:
        for one in left:
            with contextlib.suppress(psutil.Error):
                one.terminate()
        _wait(left, seconds)
        for one in left:
            with contextlib.suppress(psutil.Error):
                one.kill()


def _of(pid: int, word: tuple[str, str] | None) -> Iterator[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        first = psutil.Process(pid)
        yield first
        yield from first.children(recursive=True)
    yield from _in_session(pid)
    if word is not None:
        yield from _having(*word)


def _in_session(session: int) -> Iterator[psutil.Process]:
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(pid) == session:
                yield psutil.Process(pid)


def _having(variable: str, value: str) -> Iterator[psutil.Process]:
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if one.pid != os.getpid() and one.environ().get(variable) == value:
                yield one


def _lives(one: psutil.Process) -> bool:
    try:
        return bool(one.is_running() and one.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _wait(processes: set[psutil.Process], seconds: float) -> None:
    """Until all have ended. A zombie has: whoever started it has not asked yet."""
    until = time.monotonic() + seconds
    while any(_lives(one) for one in processes) and time.monotonic() < until:
        time.sleep(0.02)
