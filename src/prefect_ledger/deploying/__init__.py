"""Floor 5. Targets: where models are deployed, found by name.

Further ones come by the entry point group ``prefect_ledger.targets``: a name, and a class of its own below ``Target``.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from prefect_ledger import plugins
from prefect_ledger.deploying.base import Deployment, Target, check_config, check_name
from prefect_ledger.errors import InvalidValue

__all__ = ["GROUP", "Deployment", "Target", "check_config", "check_name", "get_target", "target_names"]

GROUP = "prefect_ledger.targets"
_BUILT_IN: Mapping[str, str] = {
    "local": "local.Local",
    "docker": "docker.Docker",
    "kubernetes": "kubernetes.Kubernetes",
    "sagemaker": "sagemaker.SageMaker",
}


def get_target(name: str) -> Target:
    """The target of this name: "local", "docker", "kubernetes", "sagemaker", or one that another package brings.

    Raises:
        InvalidValue: there is none, or it cannot be loaded. MissingExtra: it needs a package that is not installed.

    Example:
        >>> get_target("local").name
        'local'
    """
    if (place := _BUILT_IN.get(name)) is not None:
        module, _, kind = place.rpartition(".")
        made: Target = getattr(importlib.import_module(f"{__name__}.{module}"), kind)()
        return made
    if (point := plugins.points(GROUP).get(name)) is None:
        raise InvalidValue(f"no target {name!r:.80}; there are: {', '.join(target_names())}")
    return plugins.made(point, Target)  # type: ignore[type-abstract]  # made by one below it


def target_names() -> list[str]:
    """The names of all targets, those of other packages too.

    Example:
        >>> target_names()
        ['docker', 'kubernetes', 'local', 'sagemaker']
    """
    return sorted({*_BUILT_IN, *plugins.points(GROUP)})
