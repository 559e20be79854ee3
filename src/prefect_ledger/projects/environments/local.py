"""Floor 5. No environment of its own: the project runs with the Python, and the packages, that run it."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from prefect_ledger.projects.environments.base import Asked, Environment
from prefect_ledger.projects.spec import EnvironmentSpec


def check(_spec: EnvironmentSpec) -> list[str]:
    """What cannot be had: nothing is made."""
    return []


def prepare(spec: EnvironmentSpec, _asked: Asked) -> Environment:
    """This one. What the project asks for is not looked at, which is said where it asks for something."""
    from prefect_ledger import capture

    executable = Path(sys.executable)
    wanted = {"python": "the packages it names", "conda": "its conda.yaml", "docker": "its image"}.get(spec.kind, "")
    notes = (f"it runs in this Python as it is: {wanted} are left aside" if spec.kind != "docker" else "its image is left aside",)
    return Environment(
        "local",
        f"this Python {platform.python_version()}",
        python=platform.python_version(),
        executable=str(executable),
        path=(str(executable.parent),),
        packages=capture.packages(),
        notes=notes if wanted else (),
    )
