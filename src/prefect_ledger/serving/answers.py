"""Floor 5. What a model answered, as JSON: ``{"predictions": …}``, not-a-number as null."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import orjson

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
_FLOATS = tuple(np.dtype(name) for name in ("float16", "float32", "float64"))  # those that the encoder knows


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
    """Frames as lists of records, what is missing as null, arrays contiguous, all else as it is.

    Raises:
        TypeError: a frame has two columns of one name: a record has one.
    """
    if found is None or type(found) in (float, str, bool):
        return found
    if isinstance(found, np.ndarray):
        return _array(found)
    if isinstance(found, np.datetime64):
        return _times(np.asarray(found))
    if type(found) is int:
        return found if -(1 << 63) <= found < 1 << 64 else _large(found)
    kind = type(found).__module__.partition(".")[0]
    if kind == "pandas":
        return _frame(found) if hasattr(found, "columns") else [plain(item) for item in found] if hasattr(found, "to_list") else found
    if kind == "polars":
        return found.to_dicts() if hasattr(found, "columns") else found.to_list()
    if kind == "scipy" and hasattr(found, "toarray"):
        return found.toarray()
    if isinstance(found, Mapping):
        return {str(key): plain(item) for key, item in found.items()}
    return [plain(item) for item in found] if isinstance(found, list | tuple) else found


def _array(found: np.ndarray[Any, Any]) -> Any:
    if isinstance(found, np.ma.MaskedArray):
        values = np.asarray(_array(np.asarray(found.data)), dtype=object)
        values[np.ma.getmaskarray(found)] = None
        return values.tolist()
    if found.dtype.kind == "M":
        return _times(found)
    if found.dtype.kind == "O":
        return plain(found.tolist())
    return np.ascontiguousarray(found) if found.dtype.kind in "iub" or found.dtype in _FLOATS else found.tolist()


def _large(found: int) -> float:
    """A number that has more bits than the encoder writes, as most readers of JSON would have it."""
    try:
        return float(found)
    except OverflowError:
        raise TypeError("the model answered a number that is larger than JSON's readers know") from None


def _times(found: np.ndarray[Any, Any]) -> Any:
    """Times in ISO 8601, as those of frames are."""
    texts = np.array(np.datetime_as_string(found), dtype=object)
    texts[np.isnat(found)] = None
    return texts.tolist()


def _frame(found: Any) -> Any:
    if not found.columns.is_unique:
        names = sorted({str(name) for name in found.columns[found.columns.duplicated()]})
        raise TypeError(f"the model answered a frame with several columns {', '.join(map(repr, names))}, of which a record has one")
    records = found.to_dict("records")
    return [plain(one) for one in records] if any(getattr(kind, "hasobject", False) for kind in found.dtypes) else records


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
        return plain(value)
    if isinstance(value, np.generic):
        return float(value) if isinstance(value, np.longdouble) else value.item()
    if isinstance(value, Decimal):
        return float(value) if value.is_finite() else None
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    if type(value).__name__ in ("NaTType", "NAType", "MaskedConstant"):
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"the model answered a {type(value).__name__}, which JSON cannot say")
