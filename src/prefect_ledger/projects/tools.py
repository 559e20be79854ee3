"""Floor 5. Programs of others that a project needs: git, uv, pip, conda, docker. Their words are told on, and kept for errors.

A tool that is waited for is ended when the wait is broken off, with all that it started.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from prefect_ledger import lockfile
from prefect_ledger.errors import EnvironmentFailed
from prefect_ledger.masking import mask_text
from prefect_ledger.projects import trees
from prefect_ledger.projects.interrupts import Interrupts

Say = Callable[[str], object]
_LINES, _LETTERS = 40, 6_000  # of a tool's words that an error has
_LOOK = 1.0  # seconds


def silent(_line: str) -> None:
    """Progress that nobody looks at."""


def locked(path: Path, say: Say, doing: str) -> lockfile.Lock:
    """The lock at ``path``, waited for as long as another process of ours holds it, which is said once: it is ``doing`` the same."""
    told = False
    while (lock := lockfile.acquire(path)) is None:
        if not told:
            say(f"another process is {doing}; waiting for it")
            told = True
        time.sleep(0.1)
    return lock


def run(words: Sequence[str], *, folder: Path, env: Mapping[str, str] | None = None, say: Say = silent, what: str) -> None:
    """Run ``words`` to their end, each line of theirs told to ``say``.

    Raises:
        EnvironmentFailed: they cannot be run, or fail; the message has ``what`` was being done and the end of what they said.
    """
    last: deque[str] = deque(maxlen=_LINES)
    with Interrupts() as interrupts:
        interrupts.hold()
        process = _started(words, folder, env, what)
        reader = threading.Thread(target=_tell, args=(process, last, say), name="prefect-ledger-tool", daemon=True)
        reader.start()
        try:
            interrupts.release()
            while reader.is_alive():
                reader.join(_LOOK)  # a signal that comes just before a wait is not noticed until the wait is over
            process.wait()
        except BaseException:
            trees.end(process.pid)
            process.wait()
            raise
    if process.returncode:
        said = "\n".join(last)[-_LETTERS:]
        raise EnvironmentFailed(f"{what}: `{mask_text(shlex.join(words))[:400]}` ended with {process.returncode}:\n{said}")


def _started(words: Sequence[str], folder: Path, env: Mapping[str, str] | None, what: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise EnvironmentFailed(f"{what}: `{words[0]}` cannot be run: {error.strerror or error}") from error


def _tell(process: subprocess.Popen[bytes], last: deque[str], say: Say) -> None:
    assert process.stdout is not None
    with process.stdout as stream:
        for raw in stream:
            line = mask_text(raw.decode("utf-8", "replace").rstrip())
            if line:
                last.append(line)
                say(line)


def ask(words: Sequence[str], *, folder: Path, env: Mapping[str, str] | None = None, seconds: float = 60.0) -> str | None:
    """What a tool answers on stdout; None where it is not there, fails, or takes longer."""
    try:
        done = subprocess.run(words, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


def clean_environment() -> dict[str, str]:
    """This process's environment, without what says in which environment of Python it runs."""
    own = ("VIRTUAL_ENV", "PYTHONHOME", "__PYVENV_LAUNCHER__", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "VIRTUAL_ENV_PROMPT")
    return {name: value for name, value in os.environ.items() if name not in own}
