"""Floor 5. Which Python an environment begins with: this one where it is what was asked for, which needs no looking."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path


def here(version: str) -> str:
    """The interpreter that runs this, without its environment, where it is a Python ``version``; "" where it is another."""
    own = platform.python_version()
    if version and version != own and not own.startswith(f"{version}."):
        return ""
    base = getattr(sys, "_base_executable", "") or sys.executable
    return base if Path(base).is_file() else sys.executable


def minor(version: str) -> str:
    """``3.11`` of ``3.11.4``.

    Example:
        >>> minor("3.11.4"), minor("3.11")
        ('3.11', '3.11')
    """
    return ".".join(version.split(".")[:2])


def on_path(version: str) -> str:
    """A Python of the same minor version on PATH, such as ``python3.11``; "" where there is none."""
    return shutil.which(f"python{minor(version)}") or ""
