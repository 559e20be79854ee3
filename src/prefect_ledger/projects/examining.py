"""Floor 5. A project that is looked at and not run: everything that is wrong with it, and what a person should know before running it."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prefect_ledger.errors import InvalidValue, LedgerError
from prefect_ledger.projects import environments, fetching, opening, places, reading, values
from prefect_ledger.projects.environments import pythons
from prefect_ledger.projects.environments.conda_names import converted
from prefect_ledger.projects.spec import EntryPoint, Project
from prefect_ledger.projects.tools import Say, silent

_RUNNERS = ("python", "python3", "bash", "sh", "Rscript")


@dataclass(frozen=True, slots=True)
class Examined:
    """A project, which manager would make its environment, what is wrong (``problems``), and what is to be known (``notes``)."""

    project: Project
    manager: str
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def examine(uri: str, *, version: str | None = None, env_manager: str | None = None, home: Path, say: Say = silent) -> Examined:
    """Look at the project at ``uri``. Nothing of it is run, and nothing is built.

    Raises:
        ProjectNotFound, ProjectInvalid: there is none to be looked at. InvalidValue: a place or a version that cannot be.
    """
    with opening.opened(places.parse(uri), version, home=home, say=say) as opened:
        project, findings = reading.look(opened.folder)
        problems, notes, manager = list(findings.said), list[str](), ""
        try:
            manager = environments.choose(project.environment, env_manager)
            problems += environments.check(project.environment, manager)
            if manager == "uv":
                pythons.find_uv()
        except LedgerError as error:
            problems.append(str(error))
        if manager in ("uv", "virtualenv") and project.environment.conda is not None:
            notes += converted(project.environment.conda).said
        for point in project.entry_points.values():
            notes += _of_point(point, project.folder)
        return Examined(project, manager, tuple(problems), tuple(notes))


def _of_point(point: EntryPoint, folder: Path) -> Iterator[str]:
    """Defaults that are none of their type, paths and scripts that are not there: each may be meant, and is said."""
    for parameter in point.parameters:
        if parameter.default is not None:
            try:
                values.check(parameter, parameter.default)
            except InvalidValue as error:
                yield f"entry point {point.name!r}, default: {error}"
    yield from (f"entry point {point.name!r}, default: {one}" for one in fetching.local_problems(point, _defaults(point), folder))
    words = list(point.command) if not isinstance(point.command, str) else _words(point.command)
    for runner, script in itertools.pairwise(words):
        if runner in _RUNNERS and script.endswith((".py", ".sh", ".R")) and "{" not in script and not (folder / script).exists():
            yield f"entry point {point.name!r}: there is no file {script!r:.120}"


def _defaults(point: EntryPoint) -> dict[str, str]:
    return {one.name: one.default for one in point.parameters if one.default is not None}


def _words(command: str) -> list[str]:
    with suppress(ValueError):
        return shlex.split(command, comments=True)
    return []
