"""Floor 4. Types of columns as MLflow writes them: scalars, and objects, arrays and maps of them, as deep as :data:`DEPTH`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.wording import shown

DEPTH = 64  # how deep types may be nested


class DataType(StrEnum):
    """The type of one value: ``integer`` has 32 bits, ``long`` 64, ``float`` 32, ``double`` 64; ``any`` is not checked."""

    boolean = "boolean"
    integer = "integer"
    long = "long"
    float = "float"
    double = "double"
    string = "string"
    binary = "binary"
    datetime = "datetime"
    any = "any"
    vector = "sparkml_vector"  # a list of doubles, as Spark ML has them

    @classmethod
    def named(cls, name: object) -> DataType:
        """The type of this name.

        Raises:
            InvalidValue: there is none.

        Example:
            >>> DataType.named("long")
            <DataType.long: 'long'>
        """
        if not isinstance(name, str) or name not in _NAMES:
            raise InvalidValue(f"a type is one of {', '.join(_NAMES)}, array, object or map, not {shown(name)}")
        return _NAMES[name]


_NAMES: dict[str, DataType] = {str(one): one for one in DataType}
NUMBERS: Mapping[DataType, str] = {  # numpy's names of the types that have a dtype of their own: numbers, and truths
    DataType.boolean: "bool",
    DataType.integer: "int32",
    DataType.long: "int64",
    DataType.float: "float32",
    DataType.double: "float64",
}


@dataclass(frozen=True, slots=True)
class Property:
    """A key of an object, and whether each has it."""

    name: str
    type: Kind
    required: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise InvalidValue(f"the keys of an object are texts, not {shown(self.name)}")
        object.__setattr__(self, "type", as_kind(self.type))
        check_flag(self.required, f"property {self.name!r}")

    def __str__(self) -> str:
        return f"{self.name}{'' if self.required else '?'}: {self.type}"


@dataclass(frozen=True, slots=True)
class ObjectType:
    """A mapping with known keys; they are kept sorted by name."""

    properties: tuple[Property, ...]

    def __post_init__(self) -> None:
        found = tuple(sorted(self.properties, key=lambda one: one.name))
        object.__setattr__(self, "properties", found)
        if not found:
            raise InvalidValue("an object without properties says nothing: use the type any")
        for one, after in pairwise(found):
            if one.name == after.name:
                raise InvalidValue(f"an object has the property {one.name!r} twice")
        _check_depth(self)

    def __str__(self) -> str:
        return "{" + ", ".join(map(str, self.properties)) + "}"


@dataclass(frozen=True, slots=True)
class ArrayType:
    """A list of any length."""

    items: Kind

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", as_kind(self.items))
        _check_depth(self)

    def __str__(self) -> str:
        return f"array of {self.items}"


@dataclass(frozen=True, slots=True)
class MapType:
    """A mapping from any texts."""

    values: Kind

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", as_kind(self.values))
        _check_depth(self)

    def __str__(self) -> str:
        return f"map to {self.values}"


Kind = DataType | ObjectType | ArrayType | MapType


def as_kind(value: object) -> Kind:
    """``value`` as a type: one already, or the name of a scalar one.

    Raises:
        InvalidValue: it is neither.
    """
    return value if isinstance(value, DataType | ObjectType | ArrayType | MapType) else DataType.named(value)


def check_flag(value: object, what: str) -> None:
    """Refuse a ``required`` that is not True or False."""
    if not isinstance(value, bool):
        raise InvalidValue(f"{what}: required is true or false, not {shown(value)}")


def as_json(kind: Kind) -> dict[str, Any]:
    """A type as MLflow writes it.

    Example:
        >>> as_json(ArrayType(DataType.long))
        {'type': 'array', 'items': {'type': 'long'}}
    """
    match kind:
        case ObjectType():
            return {"type": "object", "properties": {p.name: {**as_json(p.type), "required": p.required} for p in kind.properties}}
        case ArrayType():
            return {"type": "array", "items": as_json(kind.items)}
        case MapType():
            return {"type": "map", "values": as_json(kind.values)}
    return {"type": str(kind)}


def from_json(found: object, depth: int = 0) -> Kind:
    """The type that :func:`as_json` or MLflow wrote; other keys than a type's own are left alone.

    Raises:
        InvalidValue: it is none, or nested too deep.
    """
    if not isinstance(found, Mapping):
        raise InvalidValue(f"a type is a JSON object with the key 'type', not {shown(found)}")
    if depth > DEPTH:
        raise InvalidValue(f"types are nested deeper than {DEPTH} levels")
    name = found.get("type")
    if name == "array":
        return ArrayType(from_json(found.get("items"), depth + 1))
    if name == "map":
        return MapType(from_json(found.get("values"), depth + 1))
    if name == "object":
        return _object(found.get("properties"), depth)
    return DataType.named(name)


def _object(found: object, depth: int) -> ObjectType:
    if not isinstance(found, Mapping):
        raise InvalidValue(f"the properties of an object are a JSON object, not {shown(found)}")
    kinds = ((name, one, from_json(one, depth + 1)) for name, one in found.items())
    return ObjectType(tuple(Property(name, kind, one.get("required", True)) for name, one, kind in kinds))


def _check_depth(kind: Kind) -> None:
    if _depth(kind) > DEPTH:
        raise InvalidValue(f"types are nested deeper than {DEPTH} levels")


def _depth(kind: Kind) -> int:
    match kind:
        case ObjectType():
            return 1 + max(_depth(one.type) for one in kind.properties)
        case ArrayType():
            return 1 + _depth(kind.items)
        case MapType():
            return 1 + _depth(kind.values)
    return 0
