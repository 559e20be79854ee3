"""Floor 4. One value brought to the type wanted, where nothing is lost by it; neither numpy nor pandas is imported for it."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from prefect_ledger.errors import SignatureMismatch
from prefect_ledger.models.column_types import DataType
from prefect_ledger.models.wording import article, quoted

WHOLE = frozenset({DataType.boolean, DataType.integer, DataType.long})  # types that have no value for what is missing
_MAX_FLOAT = (2.0 - 2.0**-23) * 2.0**127


def missing(value: object) -> bool:
    """Whether ``value`` stands for none: None, not-a-number, or what pandas has for it."""
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ in ("NAType", "NaTType")


def plain(value: Any) -> Any:
    """A scalar of numpy or pandas as Python's own; all else as it is."""
    module = type(value).__module__.partition(".")[0]
    if module == "numpy" and hasattr(value, "dtype") and value.ndim == 0:
        return value.astype("datetime64[us]").item() if value.dtype.kind == "M" else value.item()
    if module == "pandas" and hasattr(value, "to_pydatetime"):
        return value.to_pydatetime(warn=False)
    return value


def convert(value: Any, wanted: DataType, where: str, *, json: bool = False) -> Any:
    """``value`` as ``wanted``, in Python's own types; None stays None.

    Integers are widened to floats that can say them; a date is a time too. With ``json`` also text in ISO form is a time
    (of UTC, where it names a zone), and text in base64 is bytes.

    Raises:
        SignatureMismatch: it is of another type, or something would be lost; the message begins with ``where``.

    Example:
        >>> convert(3, DataType.double, "parameter 'alpha'")
        3.0
    """
    value = plain(value)
    if value is None or wanted is DataType.any:
        return value
    found = _CONVERT[wanted](value, json)
    if found is None:
        raise SignatureMismatch(
            f"{where} is {article(type(value).__name__)}, {quoted(where, value)}, where {article(str(wanted))} is wanted",
            field=where,
            found=type(value).__name__,
            wanted=str(wanted),
        )
    return found


def _boolean(value: Any, json: bool) -> Any:  # noqa: ARG001
    return value if type(value) is bool else None


def _whole(bits: int) -> Callable[[Any, bool], Any]:
    def whole(value: Any, json: bool) -> Any:  # noqa: ARG001
        return value if isinstance(value, int) and not isinstance(value, bool) and -(1 << bits) <= value < (1 << bits) else None

    return whole


def _number(value: Any, json: bool) -> Any:  # noqa: ARG001
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 1 << 1023 and int(float(value)) == value:
        return float(value)
    return None


def _single(value: Any, json: bool) -> Any:
    found = _number(value, json)
    if found is None or (math.isfinite(found) and abs(found) > _MAX_FLOAT):
        return None
    return found if isinstance(value, float) or struct.unpack("f", struct.pack("f", found))[0] == found else None


def _string(value: Any, json: bool) -> Any:  # noqa: ARG001
    return (value if type(value) is str else str.__str__(value)) if isinstance(value, str) else None


def _binary(value: Any, json: bool) -> Any:
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if json and isinstance(value, str):
        try:
            return base64.b64decode("".join(value.split()), validate=True)
        except (binascii.Error, ValueError):
            return None
    return None


def _time(value: Any, json: bool) -> Any:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return value
    if json and isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
            return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
        except (ValueError, OverflowError):
            return None
    return None


def _vector(value: Any, json: bool) -> Any:
    found = [_number(one, json) for one in value] if isinstance(value, list | tuple) else [None]
    return None if None in found else found


_CONVERT: dict[DataType, Callable[[Any, bool], Any]] = {
    DataType.boolean: _boolean,
    DataType.integer: _whole(31),
    DataType.long: _whole(63),
    DataType.float: _single,
    DataType.double: _number,
    DataType.string: _string,
    DataType.binary: _binary,
    DataType.datetime: _time,
    DataType.vector: _vector,
}
