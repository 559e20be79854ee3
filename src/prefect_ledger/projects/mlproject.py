"""Floor 5. The file ``MLproject``, as MLflow documents it: what stands there is read, and what is wrong is said with its place.

Stricter than MLflow, which passes over what it does not know: a key that nobody reads is a mistake of whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prefect_ledger.projects import commands, environment_files, yaml_files
from prefect_ledger.projects.findings import Findings, texts, type_word
from prefect_ledger.projects.spec import Docker, EntryPoint, EnvironmentSpec, Parameter, Project

NAME = "mlproject"  # in any case
_ENVIRONMENTS = ("python_env", "conda_env", "docker_env")
_KNOWN = ("name", "entry_points", *_ENVIRONMENTS, "databricks_spark_job")
# MLflow documents four types, and passes values of any other on as texts; its own examples have int, str and bool.
_TYPES = {
    **dict.fromkeys(("string", "str"), "string"),
    **dict.fromkeys(("float", "double"), "float"),
    **dict.fromkeys(("int", "integer"), "int"),
    **dict.fromkeys(("bool", "boolean"), "bool"),
    "path": "path",
    "uri": "uri",
}


def find(folder: Path) -> Path | None:
    """The file ``MLproject`` of a folder, in whatever case it is written."""
    return next((path for path in sorted(folder.iterdir()) if path.name.lower() == NAME and path.is_file()), None)


def read(path: Path, findings: Findings) -> Project:
    """The project that ``path`` describes, as far as it can be read."""
    table = yaml_files.read(path, findings)
    findings.unknown(path.name, table, _KNOWN)
    if "databricks_spark_job" in table:
        findings.add(path.name, "databricks_spark_job runs on Databricks alone; write entry_points for what is to run elsewhere")
    name = table.get("name") or path.parent.resolve().name
    if not isinstance(name, str):
        findings.add(path.name, f"name is a text, not {type_word(name)}")
    points = _entry_points(table.get("entry_points"), path.name, findings)
    return Project(path.parent, str(name), "MLproject", MappingProxyType(points), _environment(table, path, findings))


# --- entry points ---------------------------------------------------------------------------------------------------


def _entry_points(value: Any, place: str, findings: Findings) -> dict[str, EntryPoint]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        findings.add(place, f"entry_points is a table of names, not {type_word(value)}")
        return {}
    return {str(name): _entry_point(str(name), one, f"{place}, entry point {str(name)!r:.80}", findings) for name, one in value.items()}


def _entry_point(name: str, value: Any, place: str, findings: Findings) -> EntryPoint:
    if not isinstance(value, Mapping):
        findings.add(place, f"is {type_word(value)}; write a table with 'command' and 'parameters'")
        return EntryPoint(name, "", in_shell=True)
    findings.unknown(place, value, ("command", "parameters"))
    command = value.get("command")
    if not isinstance(command, str) or not command.strip():
        findings.add(place, "has no command, such as: command: python train.py --alpha {alpha}")
        command = ""
    parameters = _parameters(value.get("parameters"), place, findings)
    point = EntryPoint(name, command.strip(), parameters, in_shell=True)
    for sentence in commands.problems(point):
        findings.add(place, sentence)
    return point


def _parameters(value: Any, place: str, findings: Findings) -> tuple[Parameter, ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        findings.add(place, f"parameters is a table of names, not {type_word(value)}")
        return ()
    return tuple(_parameter(str(name), one, f"{place}, parameter {str(name)!r:.80}", findings) for name, one in value.items())


def _parameter(name: str, value: Any, place: str, findings: Findings) -> Parameter:
    if not commands.is_name(name):
        findings.add(place, "is no name: letters, digits, '_', '-' and '.', a letter or '_' first")
    if isinstance(value, str):
        value = {"type": value}
    if not isinstance(value, Mapping):
        findings.add(place, f"is {type_word(value)}; write a type, or a table with 'type' and 'default'")
        return Parameter(name)
    findings.unknown(place, value, ("type", "default"))
    kind = value.get("type", "string")
    if not isinstance(kind, str) or kind not in _TYPES:
        findings.add(place, f"there is no type {kind!r:.60}; MLproject files have string, float, path and uri")
        kind = "string"
    initial = value.get("default")
    if isinstance(initial, Mapping | list):
        findings.add(place, f"default is a text or a number, not {type_word(initial)}")
        initial = None
    return Parameter(name, _TYPES[kind], None if initial is None else str(initial))


# --- the environment ----------------------------------------------------------------------------------------------


def _environment(table: Mapping[Any, Any], path: Path, findings: Findings) -> EnvironmentSpec:
    said = [key for key in _ENVIRONMENTS if table.get(key)]
    if len(said) > 1:
        findings.add(path.name, f"has {len(said)} environments, {' and '.join(said)}: leave one of them")
        return EnvironmentSpec(folder=path.parent)
    if not said:
        return environment_files.default(path.parent, findings)
    if said[0] == "docker_env":
        given, place = table["docker_env"], f"{path.name}, docker_env"
        found = docker(given, place, findings, table="a table with 'image'", image=": image: python:3.11")
        return EnvironmentSpec("docker", path.parent, docker=found)
    return _file(table[said[0]], said[0], path, findings)


def _file(name: Any, key: str, path: Path, findings: Findings) -> EnvironmentSpec:
    if not isinstance(name, str) or not (path.parent / name).is_file():
        findings.add(path.name, f"{key} means the file {name!r:.100}, which is not there")
        return EnvironmentSpec(folder=path.parent)
    if not (path.parent / name).resolve().is_relative_to(path.parent.resolve()):
        findings.add(path.name, f"{key} means {name!r:.100}, which lies outside of the project")
        return EnvironmentSpec(folder=path.parent)
    reader = environment_files.python_env if key == "python_env" else environment_files.conda
    return reader(path.parent / name, findings)


def docker(value: Any, place: str, findings: Findings, *, table: str, image: str) -> Docker:
    """An image with volumes and variables; ``table`` and ``image`` are how the file at hand writes one, for who did not."""
    if not isinstance(value, Mapping):
        findings.add(place, f"is {type_word(value)}; write {table}")
        return Docker("")
    findings.unknown(place, value, ("image", "volumes", "environment"))
    name = value.get("image")
    if not isinstance(name, str) or not name.strip() or name.startswith("-"):
        findings.add(place, f"has no image, such as{image}")
        name = ""
    volumes = texts(value.get("volumes"), place, findings, "volumes")
    return Docker(name, volumes, docker_variables(value.get("environment"), place, findings))


def docker_variables(value: Any, place: str, findings: Findings) -> tuple[tuple[str, str | None], ...]:
    """``[NAME, [NAME, value], …]``: variables of this process, and others with their values."""
    if value is None:
        return ()
    found: list[tuple[str, str | None]] = []
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str):
            found.append((one, None))
        elif isinstance(one, list) and len(one) == 2 and all(isinstance(part, str | int | float) for part in one):
            found.append((str(one[0]), str(one[1])))
        else:
            findings.add(place, f"environment has {type_word(one)}: write names of variables, and pairs such as [NAME, value]")
    return tuple(found)
