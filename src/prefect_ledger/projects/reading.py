"""Floor 5. The project in a folder: by its ``pyproject.toml``, its ``MLproject``, or, with neither, the scripts that lie there."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from prefect_ledger.errors import ProjectNotFound
from prefect_ledger.projects import environment_files, mlproject, native
from prefect_ledger.projects.findings import Findings
from prefect_ledger.projects.spec import MAIN, EntryPoint, Project, scripts


def load(folder: Path) -> Project:
    """The project in ``folder``.

    Raises:
        ProjectNotFound: no folder. ProjectInvalid: what is wrong with its description, all of it.
    """
    project, findings = look(folder)
    findings.raise_any(f"the project in {folder} cannot be run:")
    return project


def look(folder: Path) -> tuple[Project, Findings]:
    """The project in ``folder`` as far as it can be read, and what is wrong with it. Where both files describe one, ours counts.

    Raises:
        ProjectNotFound: no folder.
    """
    if not folder.is_dir():
        raise ProjectNotFound(f"no folder {folder}: a project is a folder, a git repository or a .zip file")
    findings = Findings()
    if (path := native.find(folder)) is not None:
        return native.read(path, findings), findings
    if (path := mlproject.find(folder)) is not None:
        return mlproject.read(path, findings), findings
    return _bare(folder, findings), findings


def _bare(folder: Path, findings: Findings) -> Project:
    """A folder with neither: its scripts are its entry points, ``main`` is the one of that name."""
    points = {}
    for suffix, word in ((".sh", "bash"), (".py", "python")):
        if (folder / f"{MAIN}{suffix}").is_file():
            points[MAIN] = EntryPoint(MAIN, (word, f"{MAIN}{suffix}"))
    if not points and not scripts(folder):
        findings.add(str(folder), "nothing to run: no MLproject, no [tool.prefect-ledger.project] in a pyproject.toml, and no script")
    environment = environment_files.default(folder, findings, requirements=True)
    return Project(folder, folder.resolve().name, "bare", MappingProxyType(points), environment)
