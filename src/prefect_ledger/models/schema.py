"""Floor 4. What a model eats and gives, as values: columns or tensors, and parameters, in the JSON of MLflow's signatures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.column_types import (
    ArrayType,
    DataType,
    Kind,
    MapType,
    ObjectType,
    Property,
    as_json,
    as_kind,
    check_flag,
    from_json,
)
from prefect_ledger.models.parameters import Param
from prefect_ledger.models.wording import shown

__all__ = ["ArrayType", "Column", "DataType", "Kind", "MapType", "ObjectType", "Param", "Property", "Schema", "Signature", "Tensor"]

LIMIT = 16 << 20  # characters of a signature's JSON
_DTYPE = re.compile(
    r"bool|u?int(8|16|32|64)|float(16|32|64|96|128)|complex(64|128|192|256)|str|bytes|object|(datetime64|timedelta64)(\[\d{0,6}[a-zA-Z]{1,2}\])?"
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name (None where a schema's columns have only places), its type, and whether data must have it."""

    name: str | int | None
    type: Kind
    required: bool = True

    def __post_init__(self) -> None:
        check_name(self.name)
        object.__setattr__(self, "type", as_kind(self.type))
        check_flag(self.required, f"column {self.name!r}")

    def __str__(self) -> str:
        return f"{'' if self.name is None else f'{self.name}: '}{self.type}{'' if self.required else ' (optional)'}"

    def as_json(self) -> dict[str, Any]:
        """As MLflow writes it."""
        return {**as_json(self.type), **({} if self.name is None else {"name": self.name}), "required": self.required}


@dataclass(frozen=True, slots=True)
class Tensor:
    """An array: the name of its numpy dtype, and its shape; -1 stands for any length."""

    dtype: str
    shape: tuple[int, ...]
    name: str | int | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        dtype: Any = self.dtype
        shape: Any = self.shape
        if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
            raise InvalidValue(f"a tensor's dtype is the name of one of numpy's, such as 'float64', not {shown(self.dtype)}")
        if not isinstance(shape, list | tuple) or not all(type(one) is int and -1 <= one < 1 << 63 for one in shape):
            raise InvalidValue(f"a tensor's shape is lengths, -1 for any, such as (-1, 13), not {shown(self.shape)}")
        object.__setattr__(self, "shape", tuple(self.shape))

    def __str__(self) -> str:
        lengths = ", ".join("any" if one == -1 else str(one) for one in self.shape)
        return f"{'' if self.name is None else f'{self.name}: '}{self.dtype} tensor ({lengths})"

    def as_json(self) -> dict[str, Any]:
        """As MLflow writes it."""
        named = {} if self.name is None else {"name": self.name}
        return {**named, "type": "tensor", "tensor-spec": {"dtype": self.dtype, "shape": list(self.shape)}}


@dataclass(frozen=True, slots=True)
class Schema:
    """Columns, or tensors; all of them have names, each its own, or none has."""

    fields: tuple[Column, ...] | tuple[Tensor, ...]

    def __post_init__(self) -> None:
        found: tuple[Any, ...] = tuple(self.fields)
        object.__setattr__(self, "fields", found)
        if not found:
            raise InvalidValue("a schema has at least one column or tensor")
        if not (all(isinstance(one, Column) for one in found) or all(isinstance(one, Tensor) for one in found)):
            raise InvalidValue("a schema has columns or tensors, not both")
        names = [one.name for one in found]
        if None in names:
            self._check_unnamed(names)
        elif len(set(names)) < len(names):
            raise InvalidValue(f"a schema has the name {next(name for name in names if names.count(name) > 1)!r} twice")

    def _check_unnamed(self, names: list[str | int | None]) -> None:
        if any(name is not None for name in names):
            raise InvalidValue("all columns of a schema have names, or none has")
        if self.tensors and len(names) > 1:
            raise InvalidValue("several tensors need names")
        if any(isinstance(one, Column) and not one.required for one in self.fields):
            raise InvalidValue("a column without a name cannot be optional: give it a name")

    def __str__(self) -> str:
        return "\n".join(map(str, self.fields))

    @property
    def tensors(self) -> bool:
        """Whether these are tensors."""
        return isinstance(self.fields[0], Tensor)

    @property
    def named(self) -> bool:
        """Whether the fields have names."""
        return self.fields[0].name is not None

    def as_json(self) -> list[dict[str, Any]]:
        """As MLflow writes it."""
        return [one.as_json() for one in self.fields]

    @classmethod
    def from_json(cls, found: object) -> Schema:
        """What :meth:`as_json` or MLflow wrote.

        Raises:
            InvalidValue: it is no schema.
        """
        if not isinstance(found, list | tuple):
            raise InvalidValue(f"a schema is a list of columns or tensors, not {shown(found)}")
        return cls(tuple(map(_field, found)))


@dataclass(frozen=True)
class Signature:
    """What a model eats, what it gives, and the parameters it may be asked with.

    Example:
        >>> print(Signature(Schema((Column("age", "long"),)), Schema((Tensor("float64", (-1,)),)), (Param("alpha", "double", 0.5),)))
        inputs
          age: long
        outputs
          float64 tensor (any)
        params
          alpha: double = 0.5
    """

    inputs: Schema | None
    outputs: Schema | None = None
    params: tuple[Param, ...] = ()

    def __post_init__(self) -> None:
        for one in (self.inputs, self.outputs):
            if one is not None and not isinstance(one, Schema):
                raise InvalidValue(f"inputs and outputs of a signature are schemas, or None, not {shown(one)}")
        object.__setattr__(self, "params", tuple(self.params or ()))
        names = [one.name for one in self.params]
        if len(set(names)) < len(names):
            raise InvalidValue(f"a signature has the parameter {next(name for name in names if names.count(name) > 1)!r} twice")

    def __str__(self) -> str:
        parts: tuple[tuple[str, Iterable[object]], ...] = (
            ("inputs", self.inputs.fields if self.inputs else ()),
            ("outputs", self.outputs.fields if self.outputs else ()),
            ("params", self.params),
        )
        return "\n".join(line for name, fields in parts if fields for line in (name, *(f"  {field}" for field in fields)))

    def to_dict(self) -> dict[str, Any]:
        """As plain lists and dicts, None for what is not said."""
        return {
            "inputs": self.inputs.as_json() if self.inputs else None,
            "outputs": self.outputs.as_json() if self.outputs else None,
            "params": [one.as_json() for one in self.params] or None,
        }

    @classmethod
    def from_dict(cls, found: object) -> Signature:
        """What :meth:`to_dict` gave.

        Raises:
            InvalidValue: it is no signature.
        """
        if not isinstance(found, Mapping):
            raise InvalidValue(f"a signature is a mapping with inputs, outputs and params, not {shown(found)}")
        inputs, outputs, params = (found.get(key) for key in ("inputs", "outputs", "params"))
        if params is not None and not isinstance(params, list | tuple):
            raise InvalidValue(f"the parameters of a signature are a list, not {shown(params)}")
        return cls(
            None if inputs is None else Schema.from_json(inputs),
            None if outputs is None else Schema.from_json(outputs),
            tuple(Param.from_json(one) for one in params or ()),
        )

    def to_mlmodel(self) -> dict[str, str | None]:
        """As an MLmodel file has it under ``signature``: a text of JSON each.

        Example:
            >>> Signature(Schema((Tensor("float64", (-1, 13)),))).to_mlmodel()["inputs"]
            '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 13]}}]'
        """
        return {key: None if value is None else json.dumps(value) for key, value in self.to_dict().items()}

    @classmethod
    def from_mlmodel(cls, found: object) -> Signature:
        """What an MLmodel file says under ``signature``.

        Raises:
            InvalidValue: it is no signature.
        """
        if not isinstance(found, Mapping):
            raise InvalidValue(f"a signature is a mapping with inputs, outputs and params, not {shown(found)}")
        return cls.from_dict({key: _parsed(found.get(key), key) for key in ("inputs", "outputs", "params")})


def check_name(name: object) -> None:
    """Refuse what is no name of a column or tensor: a text, a whole number as pandas has them, or None."""
    if name is not None and (not isinstance(name, str | int) or isinstance(name, bool)):
        raise InvalidValue(f"the name of a column or tensor is a text or a whole number, not {shown(name)}")


def _field(found: object) -> Any:
    if not isinstance(found, Mapping):
        raise InvalidValue(f"a column or tensor is a JSON object, not {shown(found)}")
    name = found.get("name")
    if found.get("type") != "tensor":
        return Column(name, from_json(found), found.get("required", not found.get("optional", False)))
    spec = found.get("tensor-spec")
    if not isinstance(spec, Mapping):
        raise InvalidValue(f"a tensor has a tensor-spec with dtype and shape, not {shown(spec)}")
    return Tensor(spec.get("dtype"), spec.get("shape"), name)  # type: ignore[arg-type]


def _parsed(text: object, key: str) -> Any:
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        raise InvalidValue(f"the {key} of a signature are a text of JSON, not {shown(text)}")
    if len(text) > LIMIT:
        raise InvalidValue(f"the {key} of a signature have {len(text):,} characters: that is no signature")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(f"the {key} of a signature are no JSON: {error}") from error
