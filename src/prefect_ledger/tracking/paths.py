"""Floor 5. Paths of artifacts and names of models as callers give them: within their run, without a secret for every listing."""

from __future__ import annotations

from prefect_ledger import names
from prefect_ledger.errors import InvalidName
from prefect_ledger.masking import mask_name
from prefect_ledger.names import MODELS


def check_path(path: object) -> str:
    """Return ``path`` if it may be an artifact's.

    It is refused rather than masked: the bytes would lie somewhere else than they were put, two of them perhaps at one place.

    Raises:
        InvalidName: it leaves its run, or shows a secret.

    Example:
        >>> check_path("plots/roc.png")
        'plots/roc.png'
    """
    path = names.check_path(path)
    hidden = mask_name(path)
    if hidden != path:
        raise InvalidName(f"artifact path {hidden!r} shows a secret: paths are kept as they are, take another")
    return path


def check_model_name(name: object) -> str:
    """Return ``name`` if it may name a model in references such as ``models:/churn/7``, and shows no secret.

    Raises:
        InvalidName: it may not.

    Example:
        >>> check_model_name("churn")
        'churn'
    """
    name = names.check_model_name(name)
    check_path(f"{MODELS}/{name}/MLmodel")
    return name
