"""Floor 4. Where a function is defined."""

from __future__ import annotations

import os
from types import CodeType, FunctionType
from typing import Any


def source(function: object) -> dict[str, Any]:
    """``file``, ``line`` and ``name`` of a function, method, class, partial or flow; what cannot be known is left out.

    The line is where the definition begins, decorators included.

    Example:
        >>> source(source)["name"]
        'prefect_ledger.capture.places.source'
    """
    inner = _innermost(function)
    name, module, code = (_attribute(inner, name) for name in ("__qualname__", "__module__", "__code__"))
    found: dict[str, Any] = {}
    if isinstance(name, str):
        found["name"] = f"{module}.{name}" if isinstance(module, str) else name
    if isinstance(code, CodeType) and not code.co_filename.startswith("<"):
        found |= {"file": os.path.abspath(code.co_filename), "line": code.co_firstlineno}
    return found


def _innermost(function: object) -> object:
    """What the user wrote: behind wrappers, partials, bound methods, and flows and tasks, whose function is their ``fn``."""
    for _ in range(32):
        plain = isinstance(function, (type, FunctionType))
        names = ("__wrapped__",) if plain else ("__wrapped__", "__func__", "func", "fn")
        inner = next((found for name in names if callable(found := _attribute(function, name))), None)
        if inner is None:
            break
        function = inner
    return function


def _attribute(thing: object, name: str) -> Any:
    try:
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001  # a property of the user's object may raise anything
        return None
