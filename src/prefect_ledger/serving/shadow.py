"""Floor 5. A shadow: a model in a process of its own that is asked what another one has answered, and whose answers nobody gets.

Whoever offers it something never waits: what it cannot take is dropped. A process that dies, or does not answer in time, is begun again
after a while.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from prefect_ledger.errors import LedgerError
from prefect_ledger.serving import frames

log = logging.getLogger("prefect_ledger.serving")
_BYTES = 32 << 20  # that wait, at least
_FIRST, _LONGEST = 1.0, 60.0  # seconds until a process is begun again; twice as many each time


@dataclass(frozen=True, slots=True)
class Offer:
    """A request, and the body of the answer that the model ``by`` gave; None where it failed."""

    by: str
    kind: str
    body: bytes
    given: bytes | None

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return len(self.body) + len(self.given or b"")


class Shadow:
    """Asks the model of ``told`` (reference, follow, trust, tolerance), within so many ``seconds``; at most ``waiting`` requests wait.

    ``came`` is told of each what came of it, as ``shadow_process.Asker.ask`` says it.

    Raises:
        LedgerError: the model cannot be opened, with the words of the process that tried.
    """

    def __init__(
        self, told: Mapping[str, Any], came: Callable[[Offer, Mapping[str, Any]], None], *, seconds: float, waiting: int, body: int
    ) -> None:
        self._told, self._came, self._seconds, self._waiting, self._bytes = told, came, seconds, waiting, max(_BYTES, 2 * body)
        self._offers: deque[Offer] = deque()
        self._size, self._stopped, self._turn = 0, False, threading.Condition()
        self._pause, self._next_start = _FIRST, 0.0
        self.model = ""
        self._process = self._start()
        self._thread = threading.Thread(target=self._work, name="prefect-ledger-shadow", daemon=True)
        self._thread.start()

    def offer(self, one: Offer) -> bool:
        """Have it asked about this, later; False where too much waits, or it is not there."""
        with self._turn:
            if len(self._offers) >= self._waiting or self._size + one.size > self._bytes or time.monotonic() < self._next_start:
                return False
            self._offers.append(one)
            self._size += one.size
            self._turn.notify()
        return True

    def close(self) -> None:
        """End the process; what waits is asked no more."""
        with self._turn:
            self._stopped = True
            self._offers.clear()
            self._turn.notify()
        self._thread.join(timeout=2)
        self._end()
        self._thread.join(timeout=2)

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (one := self._next()) is not None:
            try:
                if self._process is None:
                    self._process = self._start()
                found = self._asked(one)
            except (OSError, EOFError, LedgerError) as error:  # TimeoutError is an OSError
                if self._stopped:
                    return
                log.warning(
                    "the shadow %s is begun again in %g s: %s", self._told["reference"], self._pause, str(error) or type(error).__name__
                )
                self._end()
                found = {"model": self.model, "outcome": "failed"}
                self._next_start = time.monotonic() + self._pause
                self._pause = min(2 * self._pause, _LONGEST)
            else:
                self._pause, self.model = _FIRST, found["model"]
            self._came(one, found)

    def _next(self) -> Offer | None:
        with self._turn:
            while not self._stopped:
                wait = self._next_start - time.monotonic()
                if wait <= 0 and self._offers:
                    one = self._offers.popleft()
                    self._size -= one.size
                    return one
                self._turn.wait(wait if wait > 0 else None)
            return None

    def _asked(self, one: Offer) -> dict[str, Any]:
        process, until = self._process, time.monotonic() + self._seconds
        if process is None or process.stdin is None or process.stdout is None:
            raise EOFError("it is gone")
        head = {"kind": one.kind, "given": one.given is not None}
        frames.send(process.stdin.fileno(), head, [one.body, one.given or b""], until=until)
        return frames.receive(process.stdout.fileno(), until=until)[0]

    # --- the process --------------------------------------------------------------------------------------------------

    def _start(self) -> subprocess.Popen[bytes] | None:
        words = json.dumps({**self._told, "parent": os.getpid(), "path": sys.path})
        command = [sys.executable, "-P", "-m", "prefect_ledger.serving.shadow_process", words]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert process.stdin is not None
        assert process.stdout is not None
        os.set_blocking(process.stdin.fileno(), False)
        try:
            found = frames.receive(process.stdout.fileno())[0]
        except EOFError:
            found = {"failed": f"its process ended with {process.wait()}"}
        if "failed" in found:
            _end(process)
            raise LedgerError(f"{self._told['reference']}: {found['failed']}")
        self.model = found["model"]
        return process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, first by the end of its pipe."""
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
    try:
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
