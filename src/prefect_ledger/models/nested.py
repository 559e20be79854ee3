"""Floor 4. One value, perhaps made of others, brought to the type of a column: objects, arrays and maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from prefect_ledger.errors import SignatureMismatch
from prefect_ledger.models.column_types import NUMBERS, ArrayType, DataType, Kind, MapType, ObjectType
from prefect_ledger.models.scalars import convert, missing
from prefect_ledger.models.wording import article, listed, quoted, shown

_OWN: Mapping[DataType, type] = {
    DataType.boolean: bool,
    DataType.double: float,
    DataType.string: str,
    DataType.binary: bytes,
}
_LONG = 1 << 63


def right(value: Any, wanted: Kind) -> bool:
    """Whether a scalar is surely what is wanted, told by its class alone: the quick way past :func:`conform`."""
    if type(wanted) is not DataType:
        return False
    kind = type(value)
    return kind is _OWN.get(wanted) or (kind is int and wanted is DataType.long and -_LONG <= value < _LONG)


def conform(value: Any, wanted: Kind, where: str, *, required: bool = True, json: bool = False) -> Any:
    """``value`` as ``wanted``; what is given is left as it is. Keys that an object does not know are refused.

    Raises:
        SignatureMismatch: it is of another type; the message begins with ``where`` and the way to the wrong part.

    Example:
        >>> from prefect_ledger.models.column_types import Property
        >>> conform({"ids": [1, 2]}, ObjectType((Property("ids", ArrayType(DataType.double)),)), "column 'a'")
        {'ids': [1.0, 2.0]}
    """
    if wanted is DataType.any:
        return value
    if missing(value) and not (isinstance(value, float) and wanted in (DataType.double, DataType.float)):
        if required:
            raise _mismatch(value, wanted, where)
        return None
    match wanted:
        case ObjectType():
            return _object(value, wanted, where, json=json)
        case ArrayType():
            return _array(value, wanted, where, json=json)
        case MapType():
            return _map(value, wanted, where, json=json)
    return convert(value, wanted, where, json=json)


def _array(value: Any, wanted: ArrayType, where: str, *, json: bool) -> Any:
    if hasattr(value, "tolist") and getattr(value, "ndim", 0) >= 1:
        return _numpy(value, wanted, where, json=json)
    if not isinstance(value, list | tuple):
        raise _mismatch(value, wanted, where)
    items = wanted.items
    return [
        one if right(one, items) else conform(one, items, f"{where}[{index}]", required=False, json=json) for index, one in enumerate(value)
    ]


def _numpy(value: Any, wanted: ArrayType, where: str, *, json: bool) -> Any:
    """An array stays one, where its items need no other type than an array can have."""
    import numpy as np

    from prefect_ledger.models.widening import widen

    wants = _NUMPY.get(wanted.items) if isinstance(wanted.items, DataType) else None
    if wants is not None and value.dtype.kind in "biufc" and value.ndim == 1:
        if (done := widen(value, np.dtype(wants), json=json)) is None:
            raise SignatureMismatch(
                f"{where} is an array of {value.dtype}, where {article(str(wanted))} is wanted and values could change",
                field=where,
                found=str(value.dtype),
                wanted=str(wanted),
            )
        return done
    found = [conform(one, wanted.items, f"{where}[{index}]", required=False, json=json) for index, one in enumerate(value)]
    if value.dtype.kind == "O" or not isinstance(wanted.items, DataType) or wanted.items is DataType.any:
        return value if wanted.items is DataType.any else found
    return np.asarray(found, dtype=_NUMPY.get(wanted.items))


_NUMPY = {**NUMBERS, DataType.datetime: "datetime64[ns]"}


def _object(value: Any, wanted: ObjectType, where: str, *, json: bool) -> Any:
    if not isinstance(value, Mapping):
        return _instance(value, wanted, where, json=json)
    known = {one.name: one for one in wanted.properties}
    lacks = [one.name for one in wanted.properties if one.required and one.name not in value]
    if lacks:
        raise SignatureMismatch(f"{where} lacks {listed(lacks)}", field=where, found="object", wanted=str(wanted))
    if strange := [name for name in value if name not in known]:
        raise SignatureMismatch(
            f"{where} has {listed(strange)}, which its type does not know: it knows {listed(list(known))}",
            field=where,
            found="object",
            wanted=str(wanted),
        )
    return {
        name: conform(one, known[name].type, f"{where}.{name}", required=known[name].required, json=json) for name, one in value.items()
    }


def _instance(value: Any, wanted: ObjectType, where: str, *, json: bool) -> Any:
    """An object of a pydantic model or a dataclass stays what it is, where its fields are right."""
    if hasattr(type(value), "model_fields") and callable(dump := getattr(value, "model_dump", None)):
        _object(dump(), wanted, where, json=json)
    elif is_dataclass(value) and not isinstance(value, type):
        _object(asdict(value), wanted, where, json=json)
    else:
        raise _mismatch(value, wanted, where)
    return value


def _map(value: Any, wanted: MapType, where: str, *, json: bool) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _mismatch(value, wanted, where)
    if strange := [key for key in value if not isinstance(key, str)]:
        raise SignatureMismatch(
            f"{where} has keys that are no text, such as {shown(strange[0])}", field=where, found="map", wanted=str(wanted)
        )
    return {key: conform(one, wanted.values, f"{where}.{key}", required=False, json=json) for key, one in value.items()}


def _mismatch(value: Any, wanted: Kind, where: str) -> SignatureMismatch:
    found = "missing" if missing(value) else f"{article(type(value).__name__)}, {quoted(where, value)}"
    name = article(str(wanted))
    return SignatureMismatch(f"{where} is {found}, where {name} is wanted", field=where, found=type(value).__name__, wanted=str(wanted))
