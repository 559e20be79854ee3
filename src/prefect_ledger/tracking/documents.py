"""Floor 5. A mapping or list as the text of a document, JSON or YAML."""

from __future__ import annotations

import json
import math
from typing import Any

_ODD = {math.inf: "Infinity", -math.inf: "-Infinity"}


def document(data: Any, path: str) -> str:
    """``data`` as YAML when ``path`` ends so, else as JSON, which writes what is no number as "NaN", "Infinity", "-Infinity".

    Raises:
        ValueError, TypeError, RecursionError: it holds something that the format cannot say.

    Example:
        >>> document({"loss": float("nan")}, "report.json")
        '{\\n  "loss": "NaN"\\n}'
    """
    return _yaml(data) if path.endswith((".yaml", ".yml")) else _json(data)


def _json(data: Any) -> str:
    text = json.dumps(data, indent=2, ensure_ascii=False)  # refuses what is no JSON, and what contains itself
    return json.dumps(_spelled(data), indent=2, ensure_ascii=False, allow_nan=False) if "NaN" in text or "Infinity" in text else text


def _spelled(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return _ODD.get(value, "NaN")
    if isinstance(value, dict):
        return {_spelled(key): _spelled(item) for key, item in value.items()}
    return [_spelled(item) for item in value] if isinstance(value, (list, tuple)) else value


def _yaml(data: Any) -> str:
    import yaml

    try:
        return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
