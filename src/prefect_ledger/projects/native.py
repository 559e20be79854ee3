"""Floor 5. A project in ``pyproject.toml``, the table ``[tool.prefect-ledger.project]``: as an MLproject, with types that are checked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.projects import commands, environment_files, values
from prefect_ledger.projects.findings import Findings, texts, type_word
from prefect_ledger.projects.mlproject import docker
from prefect_ledger.projects.spec import TYPES, EntryPoint, EnvironmentSpec, Parameter, Project
from prefect_ledger.projects.yaml_files import bounded

FILE, TABLE = "pyproject.toml", "[tool.prefect-ledger.project]"
_ENVIRONMENTS = ("dependencies", "requirements", "conda", "docker")
_KNOWN = ("name", "python", "entry-points", *_ENVIRONMENTS)
_TYPES = {**{name: name for name in TYPES}, "str": "string"}


def find(folder: Path) -> Path | None:
    """The ``pyproject.toml`` of a folder, when it has our table, or does not parse, which is then to be said."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return path if _table(_document(path)) is not None else None
    except InvalidValue:
        return path if b"prefect-ledger.project" in path.read_bytes() else None


def read(path: Path, findings: Findings) -> Project:
    """The project that ``path`` describes, as far as it can be read."""
    try:
        document = _document(path)
    except InvalidValue as error:
        findings.add(path.name, str(error))
        return Project(path.parent, path.parent.name, "pyproject.toml")
    table = _table(document)
    if not isinstance(table, Mapping):
        findings.add(path.name, f"{TABLE} is a table, not {type_word(table)}")
        table = {}
    findings.unknown(f"{path.name}, {TABLE}", table, _KNOWN)
    package = found if isinstance(found := document.get("project"), Mapping) else {}
    name = table.get("name") or package.get("name") or path.parent.resolve().name
    if not isinstance(name, str):
        findings.add(path.name, f"name is a text, not {type_word(name)}")
    points = _entry_points(table.get("entry-points"), findings)
    return Project(path.parent, str(name), "pyproject.toml", MappingProxyType(points), _environment(table, package, path.parent, findings))


def parse(text: str) -> dict[str, Any]:
    """TOML.

    Raises:
        InvalidValue: it is none.
    """
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidValue(f"is no TOML: {error}") from None


def _document(path: Path) -> dict[str, Any]:
    try:
        return parse(bounded(path).decode())
    except UnicodeDecodeError as error:
        raise InvalidValue(f"is no TOML: {error}") from None


def _table(document: Mapping[str, Any]) -> Any:
    tool = document.get("tool")
    ours = tool.get("prefect-ledger") if isinstance(tool, Mapping) else None
    return ours.get("project") if isinstance(ours, Mapping) else None


# --- entry points ---------------------------------------------------------------------------------------------------


def _entry_points(value: Any, findings: Findings) -> dict[str, EntryPoint]:
    if not isinstance(value, Mapping) or not value:
        findings.add(FILE, f'{TABLE[:-1]}.entry-points.main] is missing: a command, such as command = "python train.py --depth {{depth}}"')
        return {}
    return {name: _entry_point(name, one, f"{FILE}, entry point {name!r:.80}", findings) for name, one in value.items()}


def _entry_point(name: str, value: Any, place: str, findings: Findings) -> EntryPoint:
    if isinstance(value, str | list):
        value = {"command": value}
    if not isinstance(value, Mapping):
        findings.add(place, f"is {type_word(value)}; write a table with 'command' and 'parameters'")
        return EntryPoint(name, ())
    findings.unknown(place, value, ("command", "parameters", "shell", "extra"))
    flags = {key: value.get(key, False) for key in ("shell", "extra")}
    for key, flag in flags.items():
        if not isinstance(flag, bool):
            findings.add(place, f"{key} is true or false, not {type_word(flag)}")
    parameters = _parameters(value.get("parameters", {}), place, findings)
    point = EntryPoint(name, _command(value.get("command"), place, findings), parameters, flags["shell"] is True, flags["extra"] is True)
    for sentence in commands.problems(point):
        findings.add(place, sentence)
    return point


def _command(value: Any, place: str, findings: Findings) -> str | tuple[str, ...]:
    if isinstance(value, str) and value.strip():
        return value.strip()
    if isinstance(value, list) and value:
        return texts(value, place, findings, "command")
    findings.add(place, 'has no command: a text such as "python train.py --depth {depth}", or a list of words')
    return ()


def _parameters(value: Any, place: str, findings: Findings) -> tuple[Parameter, ...]:
    if not isinstance(value, Mapping):
        findings.add(place, f"parameters is a table of names, not {type_word(value)}")
        return ()
    return tuple(_parameter(name, one, f"{place}, parameter {name!r:.80}", findings) for name, one in value.items())


def _parameter(name: str, value: Any, place: str, findings: Findings) -> Parameter:
    if not commands.is_name(name):
        findings.add(place, "is no name: letters, digits, '_', '-' and '.', a letter or '_' first")
    if isinstance(value, str):
        value = {"type": value}
    if not isinstance(value, Mapping):
        findings.add(place, f'is {type_word(value)}; write a type, as in depth = "int", or a table with type and default')
        return Parameter(name)
    findings.unknown(place, value, ("type", "default", "choices"))
    choices = texts(value.get("choices"), place, findings, "choices")
    kind = value.get("type", "str")
    if not isinstance(kind, str) or kind not in _TYPES:
        findings.add(place, f"there is no type {kind!r:.60}; there are {', '.join(sorted(set(_TYPES) - {'string'}))}")
        kind = "str"
    initial = value.get("default")
    if initial is not None and not isinstance(initial, str | int | float):
        findings.add(place, f"default is a text or a number, not {type_word(initial)}")
        initial = None
    return _checked(Parameter(name, _TYPES[kind], None if initial is None else values.text(initial), choices), place, findings)


def _checked(parameter: Parameter, place: str, findings: Findings) -> Parameter:
    """The parameter; a default or choice that is none of its type is said."""
    for one in [*parameter.choices, *([] if parameter.default is None else [parameter.default])]:
        try:
            values.check(parameter, one)
        except InvalidValue as error:
            findings.add(place, f"default or choice: {error}")
    return parameter


# --- the environment ----------------------------------------------------------------------------------------------


def _environment(table: Mapping[str, Any], package: Mapping[str, Any], folder: Path, findings: Findings) -> EnvironmentSpec:
    said = [key for key in _ENVIRONMENTS if key in table]
    if len(said) > 1:
        findings.add(FILE, f"{TABLE} has {len(said)} environments, {' and '.join(said)}: leave one of them")
        return EnvironmentSpec(folder=folder)
    python = environment_files.version(table.get("python"), f"{FILE}, python", findings)
    key = said[0] if said else ""
    if key == "docker":
        written = 'image = "python:3.11"'
        found = docker(table["docker"], f"{FILE}, docker", findings, table=f"docker = {{ {written} }}", image=f" {written}")
        return EnvironmentSpec("docker", folder, docker=found)
    if key in ("requirements", "conda"):
        return _file(key, table[key], folder, python, findings)
    lines = texts(table.get("dependencies"), FILE, findings, "dependencies")
    if not key and isinstance(package.get("dependencies"), list):  # those of the package that the file describes as well
        lines = texts(package["dependencies"], FILE, findings, "dependencies of [project]")
        key = "dependencies"
    environment_files.check_files(lines, folder, FILE, findings)
    if key or python:
        return EnvironmentSpec("python", folder, python, lines)
    return environment_files.default(folder, findings)


def _file(key: str, name: Any, folder: Path, python: str, findings: Findings) -> EnvironmentSpec:
    if not isinstance(name, str) or not (folder / name).is_file():
        findings.add(FILE, f"{key} means the file {name!r:.100}, which is not there")
        return EnvironmentSpec(folder=folder)
    if key == "conda":
        return environment_files.conda(folder / name, findings)
    if name.endswith("uv.lock"):
        findings.add(
            FILE, f"requirements means {name!r:.100}: write it as requirements first, with `uv export --frozen -o requirements.txt`"
        )
    return EnvironmentSpec("python", folder, python, (f"-r {name}",))
