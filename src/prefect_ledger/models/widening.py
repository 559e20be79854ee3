"""Floor 4. Arrays and columns of numbers brought to a wider dtype, where no value changes by it."""

from __future__ import annotations

from typing import Any

_MANTISSA = {2: 11, 4: 24, 8: 53}  # bits of whole numbers that a float of so many bytes says exactly
_FLOAT = {2: 65504.0, 4: (2.0 - 2.0**-23) * 2.0**127}


def widen(values: Any, wanted: Any, *, json: bool = False) -> Any:
    """``values``, an array of numpy or a column of pandas, as the numpy dtype ``wanted``; None where values could change.

    Whole numbers become wider ones, floats wider floats, and whole numbers floats that say them exactly. With ``json`` widths do not
    count, as JSON has none: whole numbers must fit, and floats may lose digits.

    Example:
        >>> import numpy as np
        >>> widen(np.array([1, 2], "int32"), np.dtype("float64"))
        array([1., 2.])
        >>> widen(np.array([0.5]), np.dtype("float32")) is None
        True
    """
    have, want = values.dtype.kind, wanted.kind
    if have not in "biufc":  # texts, times and objects; dtypes of pandas for them need not say their size
        return None
    size, width = getattr(values.dtype, "subtype", values.dtype).itemsize, wanted.itemsize  # sparse columns have dtypes in dtypes
    if have == want and size == width:
        return values
    if have not in "iuf" or want not in "iufc" or (have == "f" and want in "iu"):
        return None
    if want == "f" and have in "iu":
        fits = size * 8 <= _MANTISSA.get(width, 64) or _within(values, 1 << _MANTISSA.get(width, 64))
    elif want == "c":
        fits = have == "f" and 2 * size <= width
    elif have in (want, "u"):
        fits = size < width or (json and _fits(values, wanted))
    else:
        fits = json and _fits(values, wanted)
    return _cast(values, wanted) if fits else None


def _cast(values: Any, wanted: Any) -> Any:
    name = type(values.dtype).__name__
    if wanted.kind in "iu" and name.endswith("Dtype") and hasattr(values, "isna") and values.isna().any():
        return values.astype(wanted.name.capitalize().replace("int", "Int").replace("Uint", "UInt"))
    return values.astype(wanted)


def _within(values: Any, limit: int) -> bool:
    low, high = _ends(values)
    return low is None or (-limit <= int(low) and int(high) <= limit)


def _fits(values: Any, wanted: Any) -> bool:
    low, high = _ends(values)
    if low is None:
        return True
    if wanted.kind == "f":
        return all(
            abs(float(one)) <= _FLOAT.get(wanted.itemsize, float("inf")) or float(one) in (float("inf"), float("-inf"))
            for one in (low, high)
        )
    bits = 8 * wanted.itemsize - (wanted.kind == "i")
    least = -(1 << bits) if wanted.kind == "i" else 0
    return least <= int(low) and int(high) < 1 << bits


def _ends(values: Any) -> tuple[Any, Any]:
    """Least and greatest of what is there; None where nothing is."""
    if hasattr(values, "isna"):
        values = values.dropna()
    elif values.dtype.kind == "f":
        values = values[values == values]
    return (values.min(), values.max()) if values.size else (None, None)
