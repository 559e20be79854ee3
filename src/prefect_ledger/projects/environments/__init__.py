"""Floor 5. Environments of projects: which manager makes one, and what it makes."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.projects.environments import conda, docker, local, pythons
from prefect_ledger.projects.environments.base import Asked, Environment
from prefect_ledger.projects.spec import EnvironmentSpec

__all__ = ["MANAGERS", "Asked", "Environment", "check", "choose", "prepare"]

MANAGERS = ("uv", "virtualenv", "conda", "docker", "local")
_ROOMS: dict[str, ModuleType] = {"conda": conda, "docker": docker, "local": local, "uv": pythons, "virtualenv": pythons}


def choose(spec: EnvironmentSpec, asked: str | None) -> str:
    """Which manager makes an environment of ``spec``: the one that is ``asked`` for, else the one that fits.

    A ``conda.yaml`` is conda's where one is installed, and uv's where not.

    Raises:
        InvalidValue: there is no such manager, or it makes no such environments.

    Example:
        >>> choose(EnvironmentSpec("python"), None), choose(EnvironmentSpec(), None), choose(EnvironmentSpec("python"), "virtualenv")
        ('uv', 'local', 'virtualenv')
    """
    if asked is None:
        if spec.kind == "conda":
            return "conda" if conda.find_tool() else "uv"
        return {"python": "uv", "docker": "docker"}.get(spec.kind, "local")
    if asked not in MANAGERS:
        raise InvalidValue(f"no environment manager {asked!r:.60}; there are {', '.join(MANAGERS)}")
    if asked == "local":
        return asked
    able = {"docker": ("docker",), "conda": ("conda", "uv", "virtualenv")}.get(spec.kind, ("uv", "virtualenv"))
    if asked not in able:
        what = {"docker": "runs in an image", "conda": "has a conda.yaml"}.get(spec.kind, "has an environment of Python packages")
        raise InvalidValue(
            f"the project {what}, which {asked} cannot make: take {' or '.join(able)}, or local for the Python that runs this"
        )
    return asked


def check(spec: EnvironmentSpec, manager: str) -> list[str]:
    """What stands in the way of an environment, as far as it can be known before it is built."""
    found: list[str] = _ROOMS[manager].check(spec)
    return found


def prepare(spec: EnvironmentSpec, manager: str, asked: Asked) -> Environment:
    """The environment, built where it does not stand yet.

    Raises:
        EnvironmentFailed, MissingExtra.
    """
    makers: dict[str, Any] = {
        "uv": pythons.with_uv,
        "virtualenv": pythons.with_venv,
        "conda": conda.prepare,
        "docker": docker.prepare,
        "local": local.prepare,
    }
    made: Environment = makers[manager](spec, asked)
    return made
