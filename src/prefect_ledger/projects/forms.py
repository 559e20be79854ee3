"""Floor 5. Parameters of an entry point as a JSON schema: what a form asks for, and what is refused before anything starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.projects import values
from prefect_ledger.projects.spec import EntryPoint, Parameter
from prefect_ledger.secret_names import is_secret_name

_KINDS: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "path": {
        "type": "string",
        "format": "path",
        "minLength": 1,
        "description": "A file or folder where it runs, or one elsewhere (s3://…).",
    },
    "uri": {
        "type": "string",
        "format": "uri",
        "pattern": r"^[A-Za-z][A-Za-z0-9+.\-]*:\S+$",
        "description": "Such as s3://bucket/data.csv.",
    },
}


def schema(point: EntryPoint, given: Mapping[str, Any]) -> dict[str, Any]:
    """A schema of the parameters of ``point`` as one object; those in ``given`` need not be said again. Types and choices are the
    project's, and a parameter that it does not name is refused unless the entry point takes others too.

    Example:
        >>> from prefect_ledger.projects import EntryPoint, Parameter
        >>> found = schema(EntryPoint("main", "x", (Parameter("depth", "int", "6"), Parameter("data", "path"))), {})
        >>> found["properties"]["depth"]["default"], found["required"]
        (6, ['data'])
    """
    properties = {one.name: _property(one, place, given.get(one.name)) for place, one in enumerate(point.parameters)}
    found: dict[str, Any] = {"title": f"parameters of {point.name}", "type": "object", "properties": properties}
    if lacking := required(point, given):
        found["required"] = lacking
    return {**found, "additionalProperties": {"type": ["string", "number", "boolean"]} if point.extra else False}


def required(point: EntryPoint, given: Mapping[str, Any]) -> list[str]:
    """The names of the parameters that each run has to be given."""
    return [one.name for one in point.parameters if one.default is None and one.name not in given]


def typed(parameter: Parameter, text: str) -> Any:
    """The value that ``text`` stands for, as JSON has it.

    Raises:
        InvalidValue: it is none of the parameter's type or choices, or a number that JSON does not have.

    Example:
        >>> typed(Parameter("depth", "int"), "7"), typed(Parameter("fast", "bool"), "yes")
        (7, True)
    """
    values.check(parameter, text)
    if parameter.type == "int":
        return int(text)
    if parameter.type == "float":
        if not math.isfinite(number := float(text)):
            raise InvalidValue(f"parameter {parameter.name!r}: JSON has no number {text!r:.40}")
        return number
    return text.strip().lower() in values.TRUE if parameter.type == "bool" else text


def _property(parameter: Parameter, place: int, given: Any) -> dict[str, Any]:
    found = {"title": parameter.name, "position": place, **_KINDS[parameter.type]}
    if parameter.choices:
        found["enum"] = [typed(parameter, one) for one in parameter.choices]
    if is_secret_name(parameter.name):  # its value is shown in no form
        return {**found, **({"format": "password"} if found["type"] == "string" else {}), "writeOnly": True}
    if given is not None:
        return {**found, "default": given}
    if parameter.default is None:
        return found
    try:
        return {**found, "default": typed(parameter, parameter.default)}
    except InvalidValue:  # an MLproject may say one that is none of its type: it is taken where nothing is given
        return {**found, "description": f"{parameter.default!r:.200} where nothing is given."}
