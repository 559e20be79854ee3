"""Child processes that never outlive a test run, and folders that are swept when one did not get to say goodbye."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without any ``PREFECT_*`` variable, plus ``more``: nothing of the machine's user leaks in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {**kept, "DO_NOT_TRACK": "1", **more}


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def dies_with_us(signum: signal.Signals = signal.SIGKILL) -> list[str]:
    """The words before a command that make the kernel send it ``signum`` when the process that started it is gone."""
    if shutil.which("setpriv") is None:  # util-linux; elsewhere only an orderly end cleans up
        return []
    return ["setpriv", "--pdeathsig", signum.name.removeprefix("SIG"), "--"]


@contextlib.contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """A folder with a short path, gone afterwards; also clears those left by processes that were killed."""
    base = Path(tempfile.gettempdir())
    for old in base.glob(f"{prefix}-*-*"):
        owner = old.name.removeprefix(f"{prefix}-").partition("-")[0]
        if owner.isdigit() and not _alive(int(owner)):
            shutil.rmtree(old, ignore_errors=True)
    root = Path(tempfile.mkdtemp(prefix=f"{prefix}-{os.getpid()}-", dir=base))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def wait_until(ready: Callable[[], bool], child: subprocess.Popen[bytes], log: Path, *, seconds: float) -> None:
    """Return once ``ready()`` holds.

    Raises:
        RuntimeError: the child ended first, or ``seconds`` passed; the message carries the end of its log.
    """
    until = time.monotonic() + seconds
    while not ready():
        late = time.monotonic() > until
        if late or child.poll() is not None:
            why = f"was not ready within {seconds:.0f} s" if late else f"ended with {child.returncode}"
            raise RuntimeError(f"{child.args!r} {why}\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.02)


def start(command: list[str], log: Path, *, env: Mapping[str, str], cwd: Path, user: int | None = None) -> subprocess.Popen[bytes]:
    """Start ``command`` with its output appended to ``log``; as another user (uid and gid alike) if asked."""
    groups: list[int] | None = None if user is None else []
    with log.open("ab") as out:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=cwd, user=user, group=user, extra_groups=groups
        )


def stop(child: subprocess.Popen[bytes], signum: signal.Signals, *, seconds: float = 15) -> None:
    """Ask with ``signum``, then insist."""
    if child.poll() is None:
        child.send_signal(signum)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
