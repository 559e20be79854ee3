"""Floor 5. Sweeps: many runs of a flow or project over a space of parameters, as child runs of one.

Names are loaded when they are first used. Over a flow: ``prefect_ledger.orchestration.sweeping.sweep_flow``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect_ledger.sweep.plan import Limits, Plan
    from prefect_ledger.sweep.projects import ProjectRunner
    from prefect_ledger.sweep.space import Choice, Range, Space
    from prefect_ledger.sweep.sweeping import Runner, Sweep, resume, shown, sweep
    from prefect_ledger.sweep.trials import Place, Trial

_HOME = {
    "Choice": "space",
    "Limits": "plan",
    "Place": "trials",
    "Plan": "plan",
    "ProjectRunner": "projects",
    "Range": "space",
    "Runner": "sweeping",
    "Space": "space",
    "Sweep": "sweeping",
    "Trial": "trials",
    "resume": "sweeping",
    "shown": "sweeping",
    "sweep": "sweeping",
}

__all__ = [
    "Choice",
    "Limits",
    "Place",
    "Plan",
    "ProjectRunner",
    "Range",
    "Runner",
    "Space",
    "Sweep",
    "Trial",
    "resume",
    "shown",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'prefect_ledger.sweep' has no attribute {name!r}")
    return getattr(importlib.import_module(f"prefect_ledger.sweep.{_HOME[name]}"), name)
