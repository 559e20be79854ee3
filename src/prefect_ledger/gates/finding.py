"""Floor 4. What a gate's check finds: whether it passed, why, and the values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prefect_ledger.gates.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict that does not know yet which gate's it is."""

    passed: bool
    reason: str
    values: Mapping[str, Any] = field(default_factory=dict)


Check = Callable[[Evidence], Finding]


def no() -> bool:
    """What most gates say when they are asked whether they want rows."""
    return False


def yes() -> bool:
    """What those say that judge rows, or what was measured with them."""
    return True


@dataclass(frozen=True, slots=True)
class Built:
    """A gate's check, whether it compares with a champion, and what says whether it passes nothing without the rows of a holdout."""

    check: Check
    needs_champion: bool
    needs_rows: Callable[[], bool] = no


def rounded(value: float) -> float:
    """A number to twelve digits: what another machine's last bit changes is neither told nor compared.

    Example:
        >>> rounded(0.1 + 0.2)
        0.3
    """
    return float(f"{value:.12g}") if math.isfinite(value) else float(value)
