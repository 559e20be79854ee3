"""Floor 5. What a project is: entry points with parameters, and an environment, as frozen values that one of its files said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from prefect_ledger.errors import EntryPointNotFound, InvalidValue
from prefect_ledger.formats import listed
from prefect_ledger.projects.findings import nearest

Form = Literal["MLproject", "pyproject.toml", "bare"]
EnvironmentKind = Literal["none", "python", "conda", "docker"]
TYPES = ("string", "int", "float", "bool", "path", "uri")
MAIN = "main"
_SCRIPTS = {".py": ("python",), ".sh": ("bash",), ".R": ("Rscript",), ".r": ("Rscript",)}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that an entry point takes. ``default`` None: it has to be given. ``choices``: nothing else is taken."""

    name: str
    type: str = "string"
    default: str | None = None
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise InvalidValue(f"parameter {self.name!r}: no type {self.type!r}; there are {', '.join(TYPES)}")


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A command of a project. ``command`` has places such as ``{depth}``: of a shell's command (``in_shell``), else of words that no
    shell sees.

    ``extra``: parameters that it does not name are put behind the command, as ``--name value``.
    """

    name: str
    command: str | tuple[str, ...]
    parameters: tuple[Parameter, ...] = ()
    in_shell: bool = False
    extra: bool = True

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of this name."""
        return next((one for one in self.parameters if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Conda:
    """What a ``conda.yaml`` says: conda's packages as they are written, and pip's."""

    file: Path
    python: str = ""
    packages: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Docker:
    """An image, folders of this machine that it sees, and variables: of this process (value None), or with a value."""

    image: str
    volumes: tuple[str, ...] = ()
    variables: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """What a project runs in. ``requirements`` and ``build`` are lines for pip, which mean files below ``folder``; ``python`` is a version,
    "" for any."""

    kind: EnvironmentKind = "none"
    folder: Path = field(default_factory=Path)
    python: str = ""
    requirements: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    conda: Conda | None = None
    docker: Docker | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """A folder, and what it can run. ``form`` says which file describes it, "bare" that none does."""

    folder: Path
    name: str
    form: Form
    entry_points: Mapping[str, EntryPoint] = field(default_factory=lambda: MappingProxyType({}))
    environment: EnvironmentSpec = field(default_factory=EnvironmentSpec)

    def entry_point(self, name: str) -> EntryPoint:
        """The entry point of this name, else the script of the folder that ``name`` is the path of.

        Raises:
            EntryPointNotFound: there is neither.
        """
        if (found := self.entry_points.get(name)) is not None:
            return found
        script = self.folder / name
        words = _SCRIPTS.get(script.suffix)
        if words is not None and script.is_file() and script.resolve().is_relative_to(self.folder.resolve()):
            escaped = name.replace("{", "{{").replace("}", "}}")
            return EntryPoint(name, (*words, escaped if not escaped.startswith("-") else f"./{escaped}"))
        known = list(self.entry_points) or scripts(self.folder)
        if not known:
            raise EntryPointNotFound(f"{self.folder} has nothing to run: no MLproject, no pyproject.toml with a project, no script")
        hint = nearest(name, known)
        raise EntryPointNotFound(f"no entry point {name!r:.80}{hint}{';' if not hint else ''} there are {listed(known, 10)}")


def scripts(folder: Path) -> list[str]:
    """The names of the scripts that lie in ``folder`` itself."""
    return sorted(path.name for path in folder.iterdir() if path.suffix in _SCRIPTS and path.is_file())
