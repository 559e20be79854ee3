"""The machine a table was made on, and what else it had to do meanwhile."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.services_real.postgres import binaries


def describe() -> dict[str, Any]:
    """Size and versions."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "postgresql": _postgres(),
        **{name: _version(name) for name in ("prefect", "numpy", "sqlalchemy", "psycopg", "pandas")},
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _postgres() -> str:
    try:
        out = subprocess.run([str(binaries() / "postgres"), "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, RuntimeError, subprocess.CalledProcessError):
        return "none"
    return out.split()[-1]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


class Watch:
    """Sees how many cores other processes use between its making and :meth:`others`."""

    def __init__(self) -> None:
        self.load = os.getloadavg()[0]
        self._start, self._busy, self._ours = time.monotonic(), _busy(), _ours()

    def others(self) -> float:
        """Cores used by processes that are neither this one nor its children, those that ended included."""
        busy, ours, wall = _busy() - self._busy, _ours() - self._ours, time.monotonic() - self._start
        return max(0.0, busy - ours) / max(wall, 1e-9)


def wait_for_calm(seconds: float, *, enough: float = 0.15) -> None:
    """Wait until others use less than ``enough`` cores for two seconds, ``seconds`` at most."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        watch = Watch()
        time.sleep(2.0)
        if watch.others() < enough:
            return


def _busy() -> float:
    """Seconds that all cores worked, or had the machine's owner work for somebody else."""
    fields = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _waiting, hard, soft, steal = fields
    return (user + nice + system + hard + soft + steal) / os.sysconf("SC_CLK_TCK")


def _ours() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
