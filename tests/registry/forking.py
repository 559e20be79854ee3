"""Forks of this process that do something at the same moment, or until they are killed. Much cheaper than new processes."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PATIENCE = 120  # seconds, after which a child ends itself


@dataclass(frozen=True)
class Child:
    """A fork, and the pipe that its answer comes from."""

    pid: int
    answers: int

    def wait(self) -> None:
        """Until it has said something, or has ended."""
        select.select([self.answers], [], [], PATIENCE)

    def kill(self) -> str:
        """SIGKILL; returns what it had said by then."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        return self.end()

    def end(self) -> str:
        """All that it said, when it has ended."""
        with os.fdopen(self.answers, encoding="utf-8") as pipe:
            said = pipe.read()
        os.waitpid(self.pid, 0)
        return said


Say = Callable[[Any], object]


def start(work: Callable[[Say], None], *close: int) -> Child:
    """Fork; the child closes these descriptors, does ``work`` with a function that says something (as a line of JSON), and ends."""
    answers, say = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads: that it works is what the ledger promises
        pid = os.fork()
    if pid:
        os.close(say)
        return Child(pid, answers)
    signal.alarm(PATIENCE)
    code = 1
    try:
        for one in (answers, *close):
            os.close(one)
        work(lambda value: os.write(say, json.dumps(value).encode() + b"\n"))
        code = 0
    except BaseException as error:  # noqa: BLE001  # the child must never go on as a second pytest
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    finally:
        os._exit(code)


def race(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What ``work`` gave in so many processes that began at the same moment; of one that raised, the error's name and its words."""
    gate, opened = os.pipe()

    def one(number: int) -> Callable[[Say], None]:
        def do(say: Say) -> None:
            os.read(gate, 1)
            try:
                say({"gave": work(number)})
            except Exception as error:  # noqa: BLE001  # whatever it is, it is shown
                say({"error": type(error).__name__, "said": str(error)})

        return do

    children = [start(one(number), opened) for number in range(count)]
    os.close(gate)
    os.close(opened)
    found = [json.loads(child.end() or '{"error": "nothing", "said": ""}') for child in children]
    return [answer["gave"] if "gave" in answer else (answer["error"], answer["said"]) for answer in found]
