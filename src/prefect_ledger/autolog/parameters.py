"""Floor 5. The parameters of estimators, as they would be set again: plain values under scikit-learn's own names, ``clf__C``."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

_LONGEST = 100  # entries of a list that is still a parameter and not data


def estimator_params(estimator: Any) -> dict[str, Any]:
    """Class and parameters of ``estimator`` and of the estimators in it; steps by their names, nested ones by their class.

    Arrays, generators and other objects that no text says are left out.

    Example:
        >>> from sklearn.linear_model import Ridge
        >>> from sklearn.pipeline import make_pipeline
        >>> found = estimator_params(make_pipeline(Ridge(alpha=0.5)))
        >>> found["estimator"], found["steps"], found["ridge"], found["ridge__alpha"]
        ('Pipeline', ['ridge'], 'Ridge', 0.5)
    """
    found: dict[str, Any] = {"estimator": type(estimator).__name__}
    for name, value in estimator.get_params(deep=True).items():
        kept, plain = plain_value(value)
        if kept:
            found[name] = plain
    return found


def plain_value(value: Any) -> tuple[bool, Any]:
    """Whether a text says ``value``, and what to say."""
    if value is None or isinstance(value, bool | str | numbers.Number):
        return True, value
    if type(value).__module__ == "numpy" and hasattr(value, "dtype") and getattr(value, "ndim", None) == 0:
        return True, value.item()
    if isinstance(value, list | tuple):
        return _of_list(value)
    if isinstance(value, Mapping):
        parts = {str(name): plain_value(item) for name, item in value.items()}
        kept = len(parts) <= _LONGEST and all(known for known, _ in parts.values())
        return kept, {name: item for name, (_, item) in parts.items()}
    if hasattr(value, "get_params") and not isinstance(value, type):
        return True, type(value).__name__
    if callable(value):
        return True, getattr(value, "__name__", type(value).__name__)
    return False, None


def _of_list(value: list[Any] | tuple[Any, ...]) -> tuple[bool, Any]:
    if value and all(isinstance(one, tuple) and len(one) >= 2 and isinstance(one[0], str) for one in value):
        return True, [one[0] for one in value]  # steps: each has parameters of its own
    parts = [plain_value(one) for one in value[: _LONGEST + 1]]
    return len(parts) <= _LONGEST and all(kept for kept, _ in parts), [part for _, part in parts]
