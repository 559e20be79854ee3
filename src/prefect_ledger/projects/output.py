"""Floor 5. What a program says: shown while it says it, and kept, masked, with its middle left out where it is long.

Promise: no text that is handed out shows a part of a secret that the whole would have hidden. A text that is cut off, because the program
still speaks or the middle is left out, is masked as if what is open at the cut went on behind it.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection
from typing import Literal, TextIO

from prefect_ledger.masking import MASK, mask_text

Echo = Literal["both", "stderr", "none"]
HALF = 2 << 20  # letters that are kept from the beginning, and from the end
_LINE = 1 << 16  # letters of a line that is not waited for any more
_BEFORE = 1 << 16  # letters before the end that is kept, which tell what is open where it begins
_SHUT = "\"\"\"'''`"  # closes whatever quote is open, so that all behind the quote counts as quoted
_LOOK = 0.05  # seconds between two looks at whether the program has ended
_AFTER = 5.0  # seconds for what is still in the pipes when it has


class Output:
    """The two streams of a program, line by line in the order in which they came: one does not break into a line of the other."""

    def __init__(self, echo: Echo, secrets: Collection[str] = (), *, half: int = HALF) -> None:
        self._echo, self._secrets, self._half = echo, [one for one in secrets if len(one) >= 4], half
        self._mutex = threading.Lock()
        self._begun = {"out": "", "err": ""}  # of each stream, the line that has not ended
        self._head, self._tail, self._before = list[str](), list[str](), ""
        self._kept, self._held, self._lost = 0, 0, 0

    @property
    def letters(self) -> int:
        """How many letters it has said, of lines that have ended."""
        return self._kept + self._held + self._lost

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
                        self.take(decoders[key.data].decode(data), key.data)
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

    def take(self, text: str, name: str) -> None:
        """Show and keep what came on the stream ``name``, "out" or "err"."""
        self._show(text, sys.stderr if name == "err" or self._echo == "stderr" else sys.stdout)
        with self._mutex:
            text = self._begun[name] + text
            lines = text if len(text) > _LINE else _whole_lines(text)
            self._begun[name] = text[len(lines) :]
            self._keep(lines)

    def _keep(self, text: str) -> None:
        if self._kept < self._half:
            self._head.append(text[: self._half - self._kept])
            self._kept += len(self._head[-1])
            text = text[len(self._head[-1]) :]
        if text:
            self._tail.append(text)
            self._held += len(text)
            while self._held - len(self._tail[0]) >= self._half:
                self._held -= len(gone := self._tail.pop(0))
                self._lost += len(gone)
                self._before = (self._before + gone)[-_BEFORE:]

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
        return self._text(ended=True)

    def so_far(self) -> str:
        """The same while the program runs, from any thread: whole lines, without what belongs to a secret that may go on."""
        return self._text(ended=False)

    def _text(self, *, ended: bool) -> str:
        with self._mutex:
            head, before, tail, lost = "".join(self._head), self._before, "".join(self._tail), self._lost
            rest = "".join(self._begun.values())
        mask = self._masked if ended else self._masked_open
        if not lost:
            return mask(head + tail + rest if ended else _whole_lines(head + tail))
        tail = tail + rest if ended else _whole_lines(tail)
        ending = _common_end(mask(before + tail), mask(tail[tail.find("\n") + 1 :]))
        return f"{self._masked_open(_whole_lines(head))}… ({lost:,} letters left out) …\n{ending}"

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return mask_text(text)

    def _masked_open(self, text: str) -> str:
        """``text``, behind which more came or may come, masked so that nothing of what is hidden then shows now."""
        for secret in self._secrets:
            text = text[: len(text) - _begun(secret, text)]
        masked = self._masked(text + _SHUT)
        return masked.removesuffix(_SHUT) if masked.endswith(_SHUT) else masked.rstrip(f"{_SHUT}\n") + "\n"


def _whole_lines(text: str) -> str:
    return text[: text.rfind("\n") + 1]


def _begun(secret: str, text: str) -> int:
    """With how many letters of ``secret`` the text ends, without all of it being there."""
    return next((length for length in range(min(len(secret) - 1, len(text)), 0, -1) if text.endswith(secret[:length])), 0)


def _common_end(known: str, text: str) -> str:
    """The end of ``text`` that ``known`` has too: where it begins within a secret, what is hidden in ``known`` is not in it."""
    low, high = 0, min(len(known), len(text))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if known[-middle:] == text[-middle:] else (low, middle - 1)
    common = text[len(text) - low :]
    return common if low == len(text) else common[common.find("\n") + 1 :]


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
