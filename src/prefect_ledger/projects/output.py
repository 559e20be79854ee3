"""Floor 5. What a program says: shown while it says it, and kept, masked, with its middle left out where it is long."""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from typing import Literal, TextIO

from prefect_ledger.masking import MASK, mask_text

Echo = Literal["both", "stderr", "none"]
HALF = 2 << 20  # letters that are kept from the beginning, and from the end
_LOOK = 0.05  # seconds between two looks at whether the program has ended
_AFTER = 5.0  # seconds for what is still in the pipes when it has


class Output:
    """The two streams of a program, in the order in which they came."""

    def __init__(self, echo: Echo, secrets: Collection[str] = ()) -> None:
        self._echo, self._secrets = echo, [one for one in secrets if len(one) >= 4]
        self._head, self._tail = list[str](), list[str]()
        self._kept, self._held, self._lost = 0, 0, 0

    def follow(self, process: subprocess.Popen[bytes], ended: Callable[[], None]) -> None:
        """Read until the program has ended and nothing comes any more; ``ended`` is called between the two."""
        decoders = {}
        with selectors.DefaultSelector() as both:
            for stream, name in ((process.stdout, "out"), (process.stderr, "err")):
                assert stream is not None
                os.set_blocking(stream.fileno(), False)
                both.register(stream, selectors.EVENT_READ, name)
                decoders[name] = codecs.getincrementaldecoder("utf-8")("replace")
            until = 0.0
            while both.get_map() and (not until or time.monotonic() < until):
                for key, _ in both.select(_LOOK):
                    data = self._read(key.fd)
                    if data == b"":
                        both.unregister(key.fileobj)
                    elif data is not None:
                        self._take(decoders[key.data].decode(data), key.data)
                if not until and has_ended(process.pid):
                    ended()
                    until = time.monotonic() + _AFTER
        while not has_ended(process.pid):  # it closed its streams and works on
            time.sleep(_LOOK)
        ended()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()

    @staticmethod
    def _read(descriptor: int) -> bytes | None:
        try:
            return os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _take(self, text: str, name: str) -> None:
        self._show(text, sys.stderr if name == "err" or self._echo == "stderr" else sys.stdout)
        if self._kept < HALF:
            self._head.append(text[: HALF - self._kept])
            self._kept += len(self._head[-1])
            text = text[len(self._head[-1]) :]
        if text:
            self._tail.append(text)
            self._held += len(text)
            while self._held - len(self._tail[0]) >= HALF:
                self._held -= len(gone := self._tail.pop(0))
                self._lost += len(gone)

    def _show(self, text: str, stream: TextIO | None) -> None:
        if self._echo == "none" or stream is None:
            return
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError):  # whoever read along is gone; the program goes on
            self._echo = "none"

    def text(self) -> str:
        """All that was said, masked. Where it was too long, whole lines of its middle are left out."""
        head, tail = "".join(self._head), "".join(self._tail)
        if self._lost:
            head, tail = head[: head.rfind("\n") + 1], tail[tail.find("\n") + 1 :]
            head += f"… ({self._lost:,} letters left out) …\n"
        text = head + tail
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return mask_text(text)


def has_ended(pid: int) -> bool:
    """Whether a child has ended. It is not reaped by asking, so that its pid is nobody else's yet."""
    with contextlib.suppress(ChildProcessError):
        return _end_of(pid) is not None
    return True


def is_child(pid: int) -> bool:
    """Whether its exit code can still be asked for here: not where SIGCHLD is ignored, or somebody waits for any child."""
    with contextlib.suppress(ChildProcessError):
        _end_of(pid)
        return True
    return False


def _end_of(pid: int) -> os.waitid_result | None:
    """How a child ended, None while it runs; ChildProcessError where there is none to be asked about."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
