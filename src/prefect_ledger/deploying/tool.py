"""Floor 5. Command line tools of others, such as kubectl: run, waited for, and their words masked before they are shown."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence

from prefect_ledger.errors import DeploymentFailed
from prefect_ledger.masking import mask_value

Done = subprocess.CompletedProcess[str]
_TAIL = 4000  # characters of a tool's words that an error shows
_QUICK = 30.0  # seconds for what only asks


def ask(command: Sequence[str], seconds: float = _QUICK) -> str:
    """What the tool answered.

    Raises:
        DeploymentFailed: it is not there, did not answer in time, or failed; the message has the end of its words.
    """
    try:
        done = _run(command, seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeploymentFailed(f"`{shlex.join(command)}` did not end well: {error}") from error
    if done.returncode:
        raise DeploymentFailed(f"`{shlex.join(command)}` failed: {words(done)}")
    return done.stdout


def attempt(command: Sequence[str], seconds: float = _QUICK) -> Done | None:
    """How the tool ended; None where it is not there, or did not answer in time."""
    try:
        return _run(command, seconds)
    except (OSError, subprocess.TimeoutExpired):
        return None


def words(done: Done | None) -> str:
    """The end of what a tool said, masked."""
    if done is None:
        return "it is not there, or did not answer in time"
    return str(mask_value("", (done.stderr or done.stdout).strip()[-_TAIL:]))


def _run(command: Sequence[str], seconds: float) -> Done:
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False, stdin=subprocess.DEVNULL)
