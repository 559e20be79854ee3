"""Floor 5. What a model answered, as JSON: ``{"predictions": …}``, not-a-number as null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def body(predictions: Any) -> bytes:
    """The body of a response.

    Raises:
        TypeError: the model answered something that JSON cannot say.
    """
    return orjson.dumps({"predictions": plain(predictions)}, default=_other, option=_OPTIONS)


def failure(code: str, message: str) -> bytes:
    """The body of a response without predictions."""
    return orjson.dumps({"error_code": code, "message": message})


def plain(found: Any) -> Any:
    """Frames as lists of records, arrays contiguous, all else as it is."""
    if isinstance(found, np.ndarray):
        return found.tolist() if found.dtype.kind not in "fiub" else np.ascontiguousarray(found)
    kind = type(found).__module__.partition(".")[0]
    if kind == "pandas":
        return found.to_dict("records") if hasattr(found, "columns") else found.to_list()
    if kind == "polars":
        return found.to_dicts() if hasattr(found, "columns") else found.to_list()
    if kind == "scipy" and hasattr(found, "toarray"):
        return found.toarray()
    if isinstance(found, Mapping):
        return {str(key): plain(item) for key, item in found.items()}
    return [plain(item) for item in found] if isinstance(found, list | tuple) else found


def split(found: Any, sizes: list[int]) -> list[Any] | None:
    """What was answered to several requests together, for each; None where it has not one row for each that was asked."""
    total = sum(sizes)
    ends = np.cumsum(sizes).tolist()
    if isinstance(found, np.ndarray) or type(found).__module__.partition(".")[0] == "pandas":
        if not len(found.shape) or found.shape[0] != total:
            return None
        rows = found.iloc if hasattr(found, "iloc") else found
        return [rows[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    if isinstance(found, list) and len(found) == total:
        return [found[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    return None


def _other(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"the model answered a {type(value).__name__}, which JSON cannot say")
