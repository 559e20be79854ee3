"""Floor 5. Who and what begins a run: the user of this machine, and the program that runs."""

from __future__ import annotations

import functools
import getpass
import sys
from pathlib import Path


@functools.cache
def user() -> str:
    """The user's name; "" where nobody knows one."""
    try:
        return getpass.getuser()[:250]
    except (KeyError, OSError):
        return ""


def program() -> str:
    """What runs of this process are named after: the script's file, or that it is a notebook."""
    stem = Path(sys.argv[0]).stem
    return "notebook" if stem in ("", "ipykernel_launcher") else stem
