"""Floor 5. Projects: a folder, repository or archive with entry points and an environment, run by anyone as a run of the ledger.

Names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect_ledger.projects.handle import ProjectRun
    from prefect_ledger.projects.running import run_project
    from prefect_ledger.projects.spec import EntryPoint, Parameter, Project

_HOME = {"EntryPoint": "spec", "Parameter": "spec", "Project": "spec", "ProjectRun": "handle", "run_project": "running"}

__all__ = ["EntryPoint", "Parameter", "Project", "ProjectRun", "run_project"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'prefect_ledger.projects' has no attribute {name!r}")
    return getattr(importlib.import_module(f"prefect_ledger.projects.{_HOME[name]}"), name)
