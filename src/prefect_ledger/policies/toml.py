"""Floor 5, pure. Plain values as TOML: the standard library reads it, and writes none."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def written(value: Any) -> str:
    """``value`` (text, number, truth, list or table of these) on one line of TOML.

    Example:
        >>> print(written([{"gate": "bootstrap", "at_least": -0.01}, 'say "yes"']))
        [{gate = "bootstrap", at_least = -0.01}, "say \\"yes\\""]
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{written_key(key)} = {written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(written(one) for one in value) + "]"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return json.dumps(value)


def written_key(key: str) -> str:
    """``key`` as it stands before an equals sign: bare where TOML allows it.

    Example:
        >>> written_key("at_least"), written_key("alice@example.org")
        ('at_least', '"alice@example.org"')
    """
    return key if _BARE.fullmatch(key) else _text(key)


def _text(value: str) -> str:
    # JSON's escapes are TOML's, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
