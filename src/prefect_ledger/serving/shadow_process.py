"""Floor 5. The process of a shadow: reads requests from a pipe, asks its model, and says how its answers compare with those given.

It has a process of its own, and a low priority, so that a model that is slow, large or dies takes nothing from the one that serves.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":  # before the imports below: where a model's own modules are found is the server's to say
    import json

    sys.path[:] = json.loads(sys.argv[1])["path"]

import contextlib
import logging
import os
import threading
import time
from typing import Any

import orjson

from prefect_ledger.errors import LedgerError
from prefect_ledger.serving import frames
from prefect_ledger.serving.agreement import agreement
from prefect_ledger.serving.bodies import Reader
from prefect_ledger.serving.following import Followed
from prefect_ledger.serving.refusals import Refused
from prefect_ledger.serving.scorer import answer_to
from prefect_ledger.serving.served import named


class Asker:
    """Asks the model that is followed, one request after the other."""

    def __init__(self, followed: Followed, tolerance: float) -> None:
        self._followed, self._tolerance = followed, tolerance
        self._reader: tuple[Any, Reader] = (None, Reader(None))

    def said(self) -> dict[str, Any]:
        """Which model it is now."""
        return {"model": named(self._followed.current)}

    def ask(self, kind: str, body: bytes, given: bytes | None) -> dict[str, Any]:
        """What comes of one request, beside the answer that was ``given``, if any was."""
        predictor = self._followed.current
        if self._reader[0] is not predictor:
            self._reader = (predictor, Reader(predictor.signature))
        found, seconds = None, 0.0
        with contextlib.suppress(Refused):
            asked = self._reader[1].read(body, kind)
            begun = time.perf_counter()
            answer = answer_to(asked, predictor)
            found, seconds = (None if isinstance(answer, Refused) else answer), time.perf_counter() - begun
        if found is None:
            return {"model": named(predictor), "outcome": "failed"}
        compared = None if given is None else list(agreement(given, found, self._tolerance))
        return {"model": named(predictor), "outcome": "answered", "seconds": seconds, "compared": compared}


def main(words: str) -> None:
    """Answer until the pipe ends; the first message says that the model stands, or why it does not."""
    told, inward, outward = orjson.loads(words), os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123  # what a model reads and prints is no message
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    _outlive_nobody(told["parent"])
    with contextlib.suppress(OSError):
        os.nice(10)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s shadow: %(message)s")
    try:
        followed = Followed(told["reference"], seconds=told["follow"], trust=told["trust"])
    except Exception as error:  # noqa: BLE001  # whatever a model's own code raises as it is opened
        frames.send(outward, {"failed": str(error) if isinstance(error, LedgerError) else f"{type(error).__name__}: {error}"})
        return
    asker = Asker(followed, told["tolerance"])
    frames.send(outward, asker.said())
    with contextlib.suppress(EOFError, OSError):
        while True:
            head, parts = frames.receive(inward)
            frames.send(outward, asker.ask(head["kind"], parts[0], parts[1] if head["given"] else None))
    followed.stop()


def _outlive_nobody(parent: int) -> None:
    """End when the server does, though the model does not come back."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        time.sleep(2)  # in which it may end in order
        os._exit(1)

    threading.Thread(target=watch, name="prefect-ledger-parent", daemon=True).start()


if __name__ == "__main__":
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's, which ends this one in order
    main(sys.argv[1])
