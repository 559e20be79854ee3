"""Floor 4. The process and its machine."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect_ledger.capture.failures import middle_out
from prefect_ledger.masking import mask_argv

COMMAND_LIMIT = 8_000  # characters


def environment() -> dict[str, Any]:
    """Python, platform, machine, user, working folder, process id and masked command line of this process; asked once a process.

    ``memory`` is the machine's, in bytes; ``cpus`` what the machine has, ``cpus_usable`` what this process may use. ``gpus`` is there
    when there is a driver.

    Example:
        >>> sorted(environment())[:4]
        ['command', 'cpus', 'cpus_usable', 'cwd']
    """
    return dict(_environment(os.getpid()))


@functools.lru_cache(maxsize=1)
def _environment(pid: int) -> dict[str, Any]:
    machine = os.uname()
    found = {
        "python": ".".join(map(str, sys.version_info[:3])),
        "implementation": sys.implementation.name,
        "executable": sys.executable,
        "platform": f"{machine.sysname}-{machine.release}-{machine.machine}",
        "libc": _or_none(lambda: os.confstr("CS_GNU_LIBC_VERSION")),
        "hostname": machine.nodename,
        "cpus": os.cpu_count(),
        "cpus_usable": _or_none(lambda: len(os.sched_getaffinity(0))),
        "memory": _or_none(lambda: os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")),
        "user": _user(),
        "cwd": _or_none(os.getcwd),
        "pid": pid,
        "command": _command(),
        "gpus": _gpus(),
    }
    return {key: value for key, value in found.items() if value not in (None, "", [])}


def _or_none(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except (OSError, ValueError, AttributeError):
        return None  # this system does not say


def _user() -> str:
    """The account this process acts as; unlike $USER, nobody can set it to a name of their liking."""
    uid = os.geteuid()
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return f"uid {uid}"


def _command() -> str:
    import shlex

    return middle_out(shlex.join(mask_argv(sys.orig_argv)), COMMAND_LIMIT)


def _gpus(drivers: Path = Path("/proc/driver/nvidia/gpus")) -> list[str]:
    """The models of NVIDIA's GPUs as their driver lists them; nothing is started or imported for it."""
    found = []
    for file in sorted(drivers.glob("*/information")):
        text = _or_none(file.read_text) or ""
        found += [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("Model:")]
    return found
