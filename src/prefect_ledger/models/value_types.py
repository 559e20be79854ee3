"""Floor 4. Types of Python values, and the type that several values have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.column_types import DEPTH, ArrayType, DataType, Kind, MapType, ObjectType, Property
from prefect_ledger.models.scalars import missing
from prefect_ledger.models.wording import shown

_SCALARS: Mapping[type, DataType] = {
    bool: DataType.boolean,
    float: DataType.double,
    str: DataType.string,
    bytes: DataType.binary,
    bytearray: DataType.binary,
}
_WIDER: Mapping[frozenset[DataType], DataType] = {
    frozenset(pair): wide
    for *pair, wide in (
        (DataType.integer, DataType.long, DataType.long),
        (DataType.integer, DataType.double, DataType.double),
        (DataType.long, DataType.double, DataType.double),
        (DataType.float, DataType.double, DataType.double),
    )
}


class NoCommonType(InvalidValue):
    """Values are of types that have nothing in common."""


def of(value: Any, depth: int = 0) -> Kind:
    """The type of one value: mappings are objects, lists arrays, and what is missing or empty ``any``.

    Raises:
        InvalidValue: no type of a column says it.

    Example:
        >>> str(of({"ids": [1, 2], "name": "a"}))
        '{ids: array of long, name: string}'
    """
    if depth > DEPTH:
        raise InvalidValue(f"values are nested deeper than {DEPTH} levels")
    if missing(value):
        return DataType.any
    if isinstance(value, Mapping):
        return _object(value, depth)
    if isinstance(value, list | tuple):
        return ArrayType(common(value, depth + 1)) if value else DataType.any
    if hasattr(value, "dtype") and hasattr(value, "ndim"):
        return _of_numpy(value, depth)
    return _scalar(value)


def common(values: Iterable[Any], depth: int = 0) -> Kind:
    """The type that all ``values`` have, ``any`` where all are missing. Whole numbers among floats are doubles.

    Raises:
        NoCommonType: there is none. InvalidValue: no type says one of them.

    Example:
        >>> common([1, None, 2.5])
        <DataType.double: 'double'>
    """
    values = list(values)
    kinds = set(map(type, values)) - {type(None)}
    if len(kinds) == 1 and (only := next(iter(kinds))) in (str, bool, bytes):
        return _SCALARS[only]
    found: Kind | None = None
    for value in values:
        kind = of(value, depth)
        found = kind if found is None else merged(found, kind)
    return DataType.any if found is None else found


def merged(one: Kind, other: Kind) -> Kind:
    """The type of values of which some have one type and some the other; ``any`` gives way.

    Raises:
        NoCommonType: there is none.
    """
    if one == other or (other is DataType.any and not isinstance(one, ObjectType)):
        return one
    if one is DataType.any:
        return merged(other, one) if isinstance(other, ObjectType) else other
    if isinstance(one, DataType) and isinstance(other, DataType):
        if (wide := _WIDER.get(frozenset((one, other)))) is not None:
            return wide
    elif isinstance(one, ArrayType) and isinstance(other, ArrayType):
        return ArrayType(merged(one.items, other.items))
    elif isinstance(one, MapType) and isinstance(other, MapType):
        return MapType(merged(one.values, other.values))
    elif isinstance(one, ObjectType):
        if other is DataType.any:
            return ObjectType(tuple(Property(p.name, p.type, required=False) for p in one.properties))
        if isinstance(other, ObjectType):
            return _merged_objects(one, other)
    raise NoCommonType(f"values of the types {one!s:.60} and {other!s:.60} have no type in common")


def _merged_objects(one: ObjectType, other: ObjectType) -> ObjectType:
    first, second = ({p.name: p for p in kind.properties} for kind in (one, other))
    both = [
        Property(name, merged(first[name].type, second[name].type), first[name].required and second[name].required)
        for name in first.keys() & second.keys()
    ]
    some = [Property(name, (first.get(name) or second[name]).type, required=False) for name in first.keys() ^ second.keys()]
    return ObjectType((*both, *some))


def _object(value: Mapping[Any, Any], depth: int) -> Kind:
    if not value:
        return DataType.any
    kinds = {name: of(one, depth + 1) for name, one in value.items()}
    return ObjectType(tuple(Property(name, kind, kind is not DataType.any) for name, kind in kinds.items()))


def _of_numpy(value: Any, depth: int) -> Kind:
    if value.ndim == 0:
        return of_dtype(value.dtype) if value.dtype.kind != "O" else of(value.item(), depth)
    if value.size == 0:
        return DataType.any
    kind = common(value.ravel().tolist(), depth + value.ndim) if value.dtype.kind == "O" else of_dtype(value.dtype)
    for _ in range(value.ndim):
        kind = ArrayType(kind)
    return kind


def of_dtype(dtype: Any) -> DataType:
    """The type of a column of this dtype of numpy or pandas.

    Raises:
        InvalidValue: no type says it.
    """
    dtype = getattr(dtype, "subtype", dtype)  # of pandas' sparse columns
    kind, size = dtype.kind, dtype.itemsize
    match kind:
        case "b":
            return DataType.boolean
        case "i":
            return DataType.integer if size <= 4 else DataType.long
        case "u" if size < 8:
            return DataType.integer if size < 4 else DataType.long
        case "f" if size <= 8:
            return DataType.float if size <= 4 else DataType.double
        case "U":
            return DataType.string
        case "S":
            return DataType.binary
        case "M":
            return DataType.datetime
    raise InvalidValue(f"no type of a column says the dtype {dtype}")


def _scalar(value: Any) -> DataType:
    if (found := _SCALARS.get(type(value))) is not None:
        return found
    if isinstance(value, int) and not isinstance(value, bool):
        if -(1 << 63) <= value < 1 << 63:
            return DataType.long
        raise InvalidValue(f"{shown(value)} has more than 64 bits: no type of a column says it")
    if isinstance(value, date):
        return DataType.datetime
    if isinstance(value, str):
        return DataType.string
    raise InvalidValue(f"no type of a column says a {type(value).__name__}")
