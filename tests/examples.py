"""How many examples a costly law is tried with: few for each change, many in ``make soak``."""

from __future__ import annotations

import os

_TIMES = int(os.environ.get("LEDGER_EXAMPLES", "1"))


def examples(count: int) -> int:
    """``count``, or so many times as many as the environment's ``LEDGER_EXAMPLES`` says."""
    return count * _TIMES
