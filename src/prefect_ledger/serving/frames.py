"""Floor 5. Messages through a pipe: a head in JSON, and parts of bytes behind it; whoever waits for one waits no longer than it says."""

from __future__ import annotations

import contextlib
import os
import select
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

_SIZES = struct.Struct("!II")  # of the head, of the parts together
_PIECE = 1 << 20


def send(pipe: int, head: Mapping[str, Any], parts: Sequence[bytes] = (), *, until: float | None = None) -> None:
    """Write one message; ``until`` by the monotonic clock, None for however long it takes. With one the pipe has to be one that does not
    block.

    Raises:
        TimeoutError: the other end does not read. OSError: it is gone.
    """
    first = orjson.dumps({**head, "parts": [len(part) for part in parts]})
    for data in (_SIZES.pack(len(first), sum(map(len, parts))) + first, *parts):
        rest = memoryview(data)
        while rest:
            _wait(pipe, select.POLLOUT, until)
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(pipe, rest) :]


def receive(pipe: int, *, until: float | None = None) -> tuple[dict[str, Any], list[bytes]]:
    """Read one message.

    Raises:
        TimeoutError: none came. EOFError: the other end is gone.
    """
    first, more = _SIZES.unpack(_take(pipe, _SIZES.size, until))
    head: dict[str, Any] = orjson.loads(_take(pipe, first, until))
    data, parts, start = _take(pipe, more, until), [], 0
    for size in head.pop("parts"):
        parts.append(data[start : start + size])
        start += size
    return head, parts


def _take(pipe: int, size: int, until: float | None) -> bytes:
    found = bytearray()
    while len(found) < size:
        _wait(pipe, select.POLLIN, until)
        if not (piece := os.read(pipe, min(size - len(found), _PIECE))):
            raise EOFError("the other end is gone")
        found += piece
    return bytes(found)


def _wait(pipe: int, event: int, until: float | None) -> None:
    if until is not None:
        poll = select.poll()
        poll.register(pipe, event)
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise TimeoutError("the other end is silent")
