"""Floor 5. The next chunk is read while the model works on this one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
U = TypeVar("U")
_LOOK = 0.1  # seconds between two looks whether anybody still wants what was read


def ahead(things: Iterator[T], change: Callable[[T], U]) -> Generator[U]:
    """``change`` of each of ``things``, made in a thread of its own, one ahead of whoever takes them; in their order.

    What ``things`` or ``change`` raises is raised here, when its turn comes. Closed early, the thread ends before this does.
    """
    made: queue.Queue[tuple[bool, Any]] = queue.Queue(maxsize=1)
    stop = threading.Event()

    def put(item: tuple[bool, Any]) -> None:
        while not stop.is_set():
            try:
                made.put(item, timeout=_LOOK)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for thing in things:
                put((True, change(thing)))
                if stop.is_set():
                    break
            put((False, None))
        except BaseException as error:  # noqa: BLE001  # it is raised again where the chunk is wanted
            put((False, error))
        finally:
            close = getattr(things, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=work, name="prefect-ledger-scoring", daemon=True)
    thread.start()
    try:
        while True:
            there, thing = made.get()
            if not there:
                if thing is not None:
                    raise thing
                return
            yield thing
            del thing  # else two chunks are held while the next one is waited for
    finally:
        stop.set()
        thread.join()
