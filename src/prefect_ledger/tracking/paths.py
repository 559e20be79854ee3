"""Floor 5. Paths of artifacts and names of models as callers give them: within their run, without a secret for every listing."""

from __future__ import annotations

import re

from prefect_ledger import names
from prefect_ledger.errors import InvalidName
from prefect_ledger.masking import mask_name

MODELS = "models"  # the folder of a run's artifacts that its models are in
_NAME_LIMIT = 250


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
    """Return ``name`` if it may name a model in references such as ``models:/churn/7``.

    Raises:
        InvalidName: it may not.

    Example:
        >>> check_model_name("churn")
        'churn'
    """
    if not isinstance(name, str) or not name.strip() or len(name) > _NAME_LIMIT or re.search(r"[/:@%]", name):
        wanted = f"text of at most {_NAME_LIMIT} characters without '/', ':', '@' and '%', such as 'churn'"
        raise InvalidName(f"a model's name is {wanted}, not {name!r:.80}")
    check_path(f"{MODELS}/{name}/MLmodel")
    return name
