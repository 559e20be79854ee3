"""Floor 4. Signatures from type hints: lists of scalars, of lists and mappings, of pydantic models and of dataclasses."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable
from datetime import date, datetime
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.column_types import ArrayType, DataType, Kind, MapType, ObjectType, Property
from prefect_ledger.models.schema import Column, Schema, Signature
from prefect_ledger.models.value_types import NoCommonType, common
from prefect_ledger.models.wording import shown

_SCALARS: dict[Any, DataType] = {
    bool: DataType.boolean,
    int: DataType.long,
    float: DataType.double,
    str: DataType.string,
    bytes: DataType.binary,
    datetime: DataType.datetime,
    date: DataType.datetime,
    Any: DataType.any,
    object: DataType.any,
}
_UNIONS = (Union, types.UnionType)


def from_hints(function: Callable[..., Any]) -> Signature | None:
    """The signature that a function's type hints say: of its first argument after ``self`` and ``context``, a list, and of its answer.

    None where there is no hint, or one that says no type, such as a frame's.

    Example:
        >>> def predict(texts: list[str]) -> list[float]: ...
        >>> print(from_hints(predict))
        inputs
          string
        outputs
          double
    """
    try:
        plain = inspect.unwrap(function)
        hints = typing.get_type_hints(plain)
        names = list(inspect.signature(plain).parameters)
    except (TypeError, ValueError, NameError, AttributeError):  # no function, or hints that name what is not there
        return None
    if names[:1] in (["self"], ["cls"]):
        names = names[1:]
    names = [name for name in names if name != "context"]
    if not names or names[0] not in hints or get_origin(hints[names[0]]) is not list:
        return None
    inputs = _schema(hints[names[0]])
    outputs = None if hints.get("return") in (None, type(None)) else _schema(hints["return"])
    return None if inputs is None else Signature(inputs, outputs or Schema((Column(None, DataType.any),)))


def columns_of(model: Any) -> Schema | None:
    """The fields of a pydantic model or a dataclass, as columns; None for all else."""
    found = fields_of(model)
    if found is None:
        return None
    known = {one.name: one for one in found.properties}
    order = model.model_fields if hasattr(model, "model_fields") else [field.name for field in dataclasses.fields(model)]
    return Schema(tuple(Column(name, known[name].type, known[name].required) for name in order))


def fields_of(model: Any, path: tuple[Any, ...] = ()) -> ObjectType | None:
    """The fields of a pydantic model or a dataclass; None for all else.

    Raises:
        InvalidValue: it has none, or one whose hint says no type.
    """
    if not isinstance(model, type):
        return None
    if hasattr(model, "model_fields") and hasattr(model, "model_validate"):
        hints = {name: field.annotation for name, field in model.model_fields.items()}
    elif dataclasses.is_dataclass(model):
        every = typing.get_type_hints(model)
        hints = {field.name: every[field.name] for field in dataclasses.fields(model)}
    else:
        return None
    return ObjectType(tuple(Property(name, *_kind(hint, (*path, model))) for name, hint in hints.items()))


def _schema(hint: Any) -> Schema | None:
    """One column without a name: what the items of a list are, or the hint itself."""
    try:
        kind, required = _kind(get_args(hint)[0] if get_origin(hint) is list else hint, ())
    except InvalidValue:
        return None
    return Schema((Column(None, kind),)) if required else None


def _kind(hint: Any, path: tuple[Any, ...]) -> tuple[Kind, bool]:
    """What a hint says, and whether None is no value of it."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is typing.Annotated:
        return _kind(args[0], path)
    if origin in _UNIONS:
        some = [one for one in args if one is not type(None)]
        return (_kind(some[0], path)[0] if len(some) == 1 else DataType.any), len(some) == len(args)
    if origin is list and len(args) == 1:
        return ArrayType(_kind(args[0], path)[0]), True
    if origin is dict and len(args) == 2 and args[0] is str:
        return MapType(_kind(args[1], path)[0]), True
    if origin is Literal:
        return _of_values(args), True
    return _plain(hint, path), True


def _plain(hint: Any, path: tuple[Any, ...]) -> Kind:
    if isinstance(hint, typing.Hashable) and hint in _SCALARS:
        return _SCALARS[hint]
    if hint in path:  # a model within itself
        return DataType.any
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _of_values(one.value for one in hint)
    if (found := fields_of(hint, path)) is not None:
        return found
    raise InvalidValue(f"the type hint {shown(hint)} says no type of a column")


def _of_values(values: Any) -> Kind:
    try:
        return common(values)
    except NoCommonType:
        return DataType.any
