"""Floor 5. Processes that outlive whoever started them, known again by a word in their environment: a pid alone may be another's by now."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

# Those of this process, with what they were started with: so that they do not stay as zombies, and since the environment of a process that
# has only just begun cannot be read yet.
_children: dict[int, tuple[subprocess.Popen[bytes], Mapping[str, str]]] = {}


def start(command: Sequence[str], *, log: Path, env: Mapping[str, str], folder: Path) -> int:
    """Start ``command`` in a session of its own, working in ``folder``, its output appended to ``log``; returns its pid."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor, env=env, cwd=folder, start_new_session=True
        )
    finally:
        os.close(descriptor)
    _children[child.pid] = child, env
    return child.pid


def lives(pid: int, variable: str, word: str) -> bool:
    """Whether the process ``pid`` lives and is the one that was started with ``variable`` as ``word``."""
    _reap()
    try:
        return _word(psutil.Process(pid), variable) == word
    except psutil.Error:
        return False


def end(variable: str, word: str, *, seconds: float) -> None:
    """End every process that was started with ``variable`` as ``word``, and those they started: first asked, after ``seconds`` made to."""
    found = list(_having(variable, word))
    parents = {one.pid for one in found}
    for one in found:
        with contextlib.suppress(psutil.Error):
            if one.ppid() not in parents:  # a supervisor ends its workers itself, in order
                one.terminate()
    _, left = psutil.wait_procs(found, timeout=seconds)
    for one in {*left, *_having(variable, word)}:
        with contextlib.suppress(psutil.Error):
            one.kill()
    psutil.wait_procs(left, timeout=5)
    _reap()


def _having(variable: str, word: str) -> Iterator[psutil.Process]:
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if _word(one, variable) == word and one.pid != os.getpid():
                yield one


def _word(process: psutil.Process, variable: str) -> str | None:
    """The word; None of one that has none, has ended, or is of another user."""
    if (child := _children.get(process.pid)) is not None:
        return child[1].get(variable) if child[0].poll() is None else None
    if process.status() == psutil.STATUS_ZOMBIE:
        return None
    found: str | None = process.environ().get(variable)
    return found


def _reap() -> None:
    for pid, (child, _) in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)
