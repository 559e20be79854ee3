"""Floor 5. Files that describe an environment: ``python_env.yaml``, ``conda.yaml``, ``requirements.txt``. Read, and nothing installed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect_ledger.projects import yaml_files
from prefect_ledger.projects.findings import Findings, texts, type_word
from prefect_ledger.projects.spec import Conda, EnvironmentSpec

PYTHON_ENV, CONDA, REQUIREMENTS = "python_env.yaml", "conda.yaml", "requirements.txt"
VERSION = re.compile(r"\d{1,2}(\.\d{1,3}){0,2}")
_CONDA_PYTHON = re.compile(r"python(?:\s*(?:==?|>=|~=)?\s*(?P<version>\d+(?:\.\d+){0,2})(?:\.\*)?(?:=[\w*]+)?(?P<rest>.*))?")


def default(folder: Path, findings: Findings, *, requirements: bool = False) -> EnvironmentSpec:
    """The environment of a project whose description names none: that of the files that lie in its folder, as MLflow finds them.

    ``requirements``: a ``requirements.txt`` says one too.
    """
    if (folder / PYTHON_ENV).is_file():
        return python_env(folder / PYTHON_ENV, findings)
    if (folder / CONDA).is_file():
        return conda(folder / CONDA, findings)
    if requirements and (folder / REQUIREMENTS).is_file():
        return EnvironmentSpec("python", folder, requirements=(f"-r {REQUIREMENTS}",))
    return EnvironmentSpec(folder=folder)


def python_env(path: Path, findings: Findings) -> EnvironmentSpec:
    """What a ``python_env.yaml`` says."""
    table = yaml_files.read(path, findings)
    findings.unknown(path.name, table, ("python", "build_dependencies", "dependencies"))
    python = version(table.get("python"), f"{path.name}, python", findings)
    lines = texts(table.get("dependencies"), path.name, findings, "dependencies")
    build = texts(table.get("build_dependencies"), path.name, findings, "build_dependencies")
    check_files(lines, path.parent, path.name, findings)
    return EnvironmentSpec("python", path.parent, python, lines, build)


def conda(path: Path, findings: Findings) -> EnvironmentSpec:
    """What a ``conda.yaml`` says."""
    table = yaml_files.read(path, findings)
    findings.unknown(path.name, table, ("name", "channels", "dependencies", "prefix", "variables"))
    channels = texts(table.get("channels"), path.name, findings, "channels")
    listed = table.get("dependencies") or []
    if not isinstance(listed, list):
        findings.add(path.name, f"dependencies is a list, not {type_word(listed)}")
        listed = []
    python, packages, pip = "", list[str](), list[str]()
    for one in listed:
        if isinstance(one, Mapping):
            pip += _pip(one, path.name, findings)
        elif not isinstance(one, str):
            findings.add(path.name, f"dependencies has {type_word(one)}; write texts such as numpy=2.1, and one table 'pip'")
        elif (found := _CONDA_PYTHON.fullmatch(one.strip())) is not None:
            python = found["version"] or ""
        else:
            packages.append(one.strip())
    check_files(pip, path.parent, path.name, findings)
    return EnvironmentSpec("conda", path.parent, python, conda=Conda(path, python, tuple(packages), tuple(pip), channels))


def _pip(table: Mapping[Any, Any], place: str, findings: Findings) -> tuple[str, ...]:
    findings.unknown(f"{place}, dependencies", table, ("pip",))
    return texts(table.get("pip"), f"{place}, dependencies", findings, "pip")


def version(value: Any, place: str, findings: Findings) -> str:
    """``value`` as a version of Python, "" where nothing is said. YAML's number 3.10 is 3.1, and said to be."""
    if value is None:
        return ""
    if isinstance(value, float):
        findings.add(place, f"write the version in quotes, as in '3.10': without them it is the number {value}")
        return ""
    if not isinstance(value, str | int) or isinstance(value, bool) or not VERSION.fullmatch(str(value)):
        findings.add(place, f"a version of Python is written like '3.11', not {value!r:.60}")
        return ""
    return str(value)


def check_files(lines: tuple[str, ...] | list[str], folder: Path, place: str, findings: Findings) -> None:
    """Say which of the files that ``lines`` mean are not there."""
    for line in lines:
        name = named_file(line)
        if name and "://" not in name and not (folder / name).is_file():
            findings.add(place, f"{line!r:.120} means the file {name!r:.100}, which is not there")


def named_file(line: str) -> str:
    """The file that a line ``-r file`` or ``-c file`` means; "" for others.

    Example:
        >>> named_file("-r requirements.txt"), named_file("--constraint=pins.txt"), named_file("numpy>=2")
        ('requirements.txt', 'pins.txt', '')
    """
    found = re.fullmatch(r"(?:-r|-c|--requirements?|--constraints?)(?:\s*=\s*|\s+|(?<=-[rc]))(\S+)\s*(?:#.*)?", line.strip())
    return found[1] if found else ""
