"""Floor 5. Values of parameters: texts, of the type that their parameter has."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from prefect_ledger.errors import InvalidName, InvalidValue
from prefect_ledger.formats import listed
from prefect_ledger.masking import quoted
from prefect_ledger.projects import commands
from prefect_ledger.projects.findings import nearest
from prefect_ledger.projects.spec import EntryPoint, Parameter

_INT = re.compile(r"[+-]?\d{1,4000}")
TRUE = ("true", "1", "yes", "on")
_BOOL = (*TRUE, "false", "0", "no", "off")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s]+")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+://")  # of two letters and more: one is a drive


def text(value: Any) -> str:
    """A value as the text that a command is given: ``true`` and ``false`` as a shell's programs write them.

    Raises:
        InvalidValue: it is neither a text nor a number nor a path.

    Example:
        >>> text(True), text(0.5), text("a b")
        ('true', '0.5', 'a b')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float | os.PathLike):
        return str(os.fspath(value)) if isinstance(value, os.PathLike) else str(value)
    raise InvalidValue(f"a parameter of a project is a text, a number, true or false or a path, not {type(value).__name__}")


def check(parameter: Parameter, value: str) -> str:
    """``value``, if it is of the parameter's type and one of its choices. That a path is there is not asked.

    Raises:
        InvalidValue: otherwise.

    Example:
        >>> check(Parameter("depth", "int"), "7")
        '7'
    """
    name, kind = parameter.name, parameter.type
    wrong = ""
    if kind == "int" and not _INT.fullmatch(value.strip()):
        wrong = "a whole number, such as 7"
    elif kind == "float" and not _is_float(value):
        wrong = "a number, such as 0.5"
    elif kind == "bool" and value.strip().lower() not in _BOOL:
        wrong = "true or false"
    elif kind == "uri" and not _URI.fullmatch(value):
        wrong = "a URI, such as s3://bucket/data.csv or file:///data.csv"
    elif kind == "path" and not value:
        wrong = "a path"
    if wrong:
        raise InvalidValue(f"parameter {name!r} is {wrong}, not {quoted(name, value)}")
    if parameter.choices and value not in parameter.choices:
        raise InvalidValue(f"parameter {name!r} is one of {listed(parameter.choices, 12)}, not {quoted(name, value)}")
    return value


def _is_float(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def settle(point: EntryPoint, given: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """The values of the parameters that ``point`` names, defaults filled in, and of those that it does not name.

    Raises:
        InvalidValue: values that are missing, of other types, or that nobody takes: all of it in one message. InvalidName: of a parameter.
    """
    wrong: list[str] = []
    found: dict[str, str] = {}
    for parameter in point.parameters:
        if parameter.name in given:
            found[parameter.name] = _attempt(parameter, given[parameter.name], wrong)
        elif parameter.default is not None:
            found[parameter.name] = parameter.default
    missing = [one.name for one in point.parameters if one.name not in given and one.default is None]
    if missing:
        wrong.append(f"no value for {listed(missing, 20)}: -P {missing[0]}=…, or parameters={{{missing[0]!r}: …}}")
    others = {name: value for name, value in given.items() if point.parameter(name) is None}
    if others and not point.extra:
        known = [one.name for one in point.parameters]
        wrong += [f"no parameter {name!r:.80}{nearest(name, known) or f'; there are {listed(known, 20)}'}" for name in others]
    for name in others:
        if not commands.is_name(name):
            raise InvalidName(f"a parameter's name is letters, digits, '_', '-' and '.', a letter or '_' first, not {name!r:.80}")
    if wrong:
        raise InvalidValue(f"entry point {point.name!r}: " + "; ".join(wrong))
    return found, {name: text(value) for name, value in others.items()}


def _attempt(parameter: Parameter, value: Any, wrong: list[str]) -> str:
    try:
        return check(parameter, text(value))
    except InvalidValue as error:
        wrong.append(str(error))
        return ""


def is_remote(value: str) -> bool:
    """Whether a path lies somewhere else than on this machine."""
    return SCHEME.match(value) is not None and urlsplit(value).scheme.lower() not in ("file", "local")
