"""Floor 4. Parameters that a model may be asked with: their types and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from typing import Any

from prefect_ledger.errors import InvalidValue, SignatureMismatch
from prefect_ledger.models.column_types import DataType, ObjectType, as_json, as_kind, from_json
from prefect_ledger.models.nested import conform
from prefect_ledger.models.scalars import convert
from prefect_ledger.models.wording import about, article, shown

_NONE = (DataType.binary, DataType.any, DataType.vector)  # are no types of parameters
_DAY = len("2026-01-31")


@dataclass(frozen=True)
class Param:
    """A parameter: its type, and what it is where the caller gives none. ``shape`` is ``(-1,)`` for a list, else None.

    Example:
        >>> Param("alpha", "double", 1)
        Param(name='alpha', type=<DataType.double: 'double'>, default=1.0, shape=None)
    """

    name: str
    type: DataType | ObjectType
    default: Any
    shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        kind = as_kind(self.type)
        if not isinstance(self.name, str):
            raise InvalidValue(f"the name of a parameter is a text, not {shown(self.name)}")
        if not isinstance(kind, DataType | ObjectType) or kind in _NONE:
            raise InvalidValue(f"parameter {self.name!r}: no parameter is of the type {kind}")
        if self.shape is not None and (tuple(self.shape) != (-1,) or isinstance(kind, ObjectType)):
            raise InvalidValue(f"parameter {self.name!r}: the shape is [-1] for a list of scalars, or null, not {shown(self.shape)}")
        object.__setattr__(self, "type", kind)
        object.__setattr__(self, "shape", None if self.shape is None else (-1,))
        found = self.accept(self.default, json=True)
        object.__setattr__(self, "default", tuple(found) if isinstance(found, list) else found)

    def __str__(self) -> str:
        return f"{self.name}: {self.type}{'' if self.shape is None else ' list'} = {self.value()!r}"

    def value(self) -> Any:
        """The default, for the caller to keep."""
        return list(self.default) if isinstance(self.default, tuple) else deepcopy(self.default)

    def accept(self, value: Any, *, json: bool = False) -> Any:
        """``value`` as this parameter has it.

        Raises:
            SignatureMismatch: it is of another type.
        """
        with about(self.name):
            return self._accepted(value, f"parameter {self.name!r}", json=json)

    def _accepted(self, value: Any, where: str, *, json: bool) -> Any:
        if isinstance(self.type, ObjectType):
            return conform(value, self.type, where, json=json) if value is not None else None
        if self.shape is None:
            return self._scalar(value, where, json=json)
        if hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1:
            value = list(value)
        if not isinstance(value, list | tuple):
            raise SignatureMismatch(
                f"{where} is {article(type(value).__name__)}, where a list of {self.type} is wanted",
                field=self.name,
                found=type(value).__name__,
                wanted=f"list of {self.type}",
            )
        return [self._scalar(one, f"{where}, item {index}", json=json) for index, one in enumerate(value)]

    def _scalar(self, value: Any, where: str, *, json: bool) -> Any:
        """A scalar of this type; a text that is a day and no time is a date, as MLflow has it."""
        assert isinstance(self.type, DataType)
        if json and self.type is DataType.datetime and isinstance(value, str) and len(value) <= _DAY:
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        return convert(value, self.type, where, json=json)

    def as_json(self) -> dict[str, Any]:
        """As MLflow writes it."""
        return {"name": self.name, "default": _plain(self.value()), "shape": self.shape and list(self.shape), **as_json(self.type)}

    @classmethod
    def from_json(cls, found: object) -> Param:
        """What :meth:`as_json` or MLflow wrote.

        Raises:
            InvalidValue: it is no parameter.
        """
        if not isinstance(found, Mapping) or "name" not in found or "default" not in found:
            raise InvalidValue(f"a parameter is a JSON object with name, type and default, not {shown(found)}")
        kind = from_json({**found, "type": found.get("type") or found.get("dtype")})
        shape = found.get("shape")
        if shape is not None and not isinstance(shape, list | tuple):
            raise InvalidValue(f"the shape of a parameter is [-1] or null, not {shown(shape)}")
        return cls(found["name"], kind, found["default"], shape)  # type: ignore[arg-type]


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value.isoformat() if hasattr(value, "isoformat") else value
