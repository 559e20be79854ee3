"""Floor 5. What a value nests: the named parts of mappings, dataclasses, models and the like, read without running the code of any of them.

No property, validator or serialiser is run and no framework imported; classes are recognised by what they carry.
"""

from __future__ import annotations

import dataclasses
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from prefect_ledger.masking import is_secret_name

Entry = tuple[object, object, bool]


def entries(value: Any) -> Iterable[Entry] | None:
    """The parts of ``value`` as (name, value, shown), lazily; None when it is not a thing of named parts.

    ``shown`` is False where its class keeps the part out of its own repr. Mappings, pydantic models, dataclasses, attrs classes,
    named tuples, namespaces and partials have parts.
    """
    # Types are asked, not objects: `isinstance` looks at `__class__`, and that runs the code of lazy proxies.
    kind = type(value)
    if issubclass(kind, Mapping):
        return _of_mapping(value)
    if (fields := _model_fields(kind)) is not None:
        return _of_model(value, fields)
    if hasattr(kind, "__dataclass_fields__"):
        return _of_fields(value, ((f.name, f.repr) for f in dataclasses.fields(kind)))
    if hasattr(kind, "__attrs_attrs__"):
        return _of_fields(value, ((a.name, bool(a.repr)) for a in kind.__attrs_attrs__))
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return ((name, item, True) for name, item in zip(kind._fields, value, strict=False))
    if issubclass(kind, Namespace | SimpleNamespace):
        return ((name, item, True) for name, item in vars(value).items())
    if issubclass(kind, partial):
        parts = {"func": value.func, "args": value.args, "keywords": value.keywords}
        return ((name, item, True) for name, item in parts.items() if name == "func" or item)
    return None


def unwrapped(value: Any) -> Any:
    """A pydantic RootModel's root and the item of an array without dimensions; anything else as it is."""
    kind = type(value)
    if getattr(kind, "__pydantic_root_model__", False):
        return vars(value).get("root", value)
    numpy = sys.modules.get("numpy")
    if numpy is not None and kind is getattr(numpy, "ndarray", None) and value.ndim == 0:
        return value.item()
    return value


def _of_mapping(value: Mapping[Any, Any]) -> Iterator[Entry]:
    # {"name": "DB_PASSWORD", "value": "x"}: environments are often written so.
    named = value.get("name") if issubclass(type(value), dict) and "value" in value else None
    secret = isinstance(named, str) and is_secret_name(named)
    for key, item in value.items():
        yield key, item, not (secret and key == "value")


def _model_fields(kind: type) -> Mapping[str, Any] | None:
    """The fields of a pydantic model's class, of version 2 or 1."""
    fields = getattr(kind, "model_fields", None) if hasattr(kind, "model_dump") else None
    if fields is None and hasattr(kind, "__validators__") and hasattr(kind, "parse_obj"):
        fields = getattr(kind, "__fields__", None)
    return fields if isinstance(fields, Mapping) else None


def _of_model(value: Any, fields: Mapping[str, Any]) -> Iterator[Entry]:
    # Attributes as they lie there: model_dump would run the model's own serialisers, and those may open its secrets.
    held = vars(value)
    for name, field in fields.items():
        info = getattr(field, "field_info", field)  # version 1 wraps it
        if name in held and not getattr(info, "exclude", False):
            yield name, held[name], bool(getattr(info, "repr", True))
    for name, item in (getattr(value, "__pydantic_extra__", None) or {}).items():
        yield name, item, True


def _of_fields(value: Any, fields: Iterable[tuple[str, bool]]) -> Iterator[Entry]:
    for name, shown in fields:
        try:
            yield name, getattr(value, name), shown
        except AttributeError:  # declared, never set
            continue
