"""Floor 5. Environments of Python packages: built by uv, or by Python's own venv and pip, and kept by what decides them."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect_ledger.errors import EnvironmentFailed, MissingExtra
from prefect_ledger.formats import count
from prefect_ledger.projects import tools
from prefect_ledger.projects.environments import conda_names, content, interpreters, platforms, shelf
from prefect_ledger.projects.environments.base import Asked, Environment
from prefect_ledger.projects.spec import EnvironmentSpec

Make = Callable[[str, Path, Asked], str]  # an environment of a Python version in a folder; what is to be said of it, ""
Install = Callable[[Path, Sequence[str], Path, Asked], None]
_BIN = "Scripts" if sys.platform == "win32" else "bin"
_PYTHON = f"env/{_BIN}/python"
_PACKAGES = "packages of the environment"
_PIP_LOG = "pip.log"  # beside what is built, while it is built: which wheels pip passed over, and why, stands nowhere else


def check(spec: EnvironmentSpec) -> list[str]:
    """What of ``spec`` no index of Python packages has."""
    if spec.conda is None:
        return []
    lacking = conda_names.converted(spec.conda).lacking
    if not lacking:
        return []
    named = f"{spec.conda.file.name}: only conda can give {', '.join(lacking)}"
    return [f"{named}: install conda, mamba or micromamba, which is then used, or leave them out of the file"]


def with_uv(spec: EnvironmentSpec, asked: Asked) -> Environment:
    """One that uv builds.

    Raises:
        EnvironmentFailed: it cannot be built. MissingExtra: there is no uv.
    """
    uv = find_uv()

    def make(python: str, folder: Path, asked: Asked) -> str:
        command = [uv, "venv", "--quiet", "--no-project", "--no-progress", "--color", "never", "--python"]
        wanted = interpreters.here(python) or python
        try:
            tools.run([*command, wanted, str(folder / "env")], folder=folder, say=asked.say, what=f"an environment of Python {python}")
        except EnvironmentFailed:
            if python == interpreters.minor(python) or wanted != python:
                raise
            shutil.rmtree(folder / "env", ignore_errors=True)
            other = interpreters.here(interpreters.minor(python)) or interpreters.minor(python)
            tools.run([*command, other, str(folder / "env")], folder=folder, say=asked.say, what=f"an environment of Python {python}")
            return f"Python {python} is not to be had here, so it is the {interpreters.minor(python)} that is"
        return ""

    def install(python: Path, words: Sequence[str], folder: Path, asked: Asked) -> None:
        command = [uv, "pip", "install", "--no-progress", "--color", "never", "--python", str(python), *words]
        tools.run(command, folder=folder, say=asked.say, what=_PACKAGES)

    return _prepared("uv", spec, asked, make, install)


def with_venv(spec: EnvironmentSpec, asked: Asked) -> Environment:
    """One that Python's own venv and pip build.

    Raises:
        EnvironmentFailed: it cannot be built, or this machine has no such Python.
    """

    def make(python: str, folder: Path, asked: Asked) -> str:
        wanted = interpreters.here(python) or interpreters.on_path(python)
        if not wanted:
            wanted = f"python{interpreters.minor(python)}"
            raise EnvironmentFailed(f"this machine has no {wanted}: install it, or have uv bring it (--env-manager uv)")
        tools.run([wanted, "-m", "venv", str(folder / "env")], folder=folder, say=asked.say, what="an environment by Python's venv")
        if python and not interpreters.here(python) and python != interpreters.minor(python):
            return f"it was asked for Python {python}, and is the one called {Path(wanted).name}"
        return ""

    def install(python: Path, words: Sequence[str], folder: Path, asked: Asked) -> None:
        command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
        tools.run([*command, "--log", str(python.parents[2] / _PIP_LOG), *words], folder=folder, say=asked.say, what=_PACKAGES)

    return _prepared("virtualenv", spec, asked, make, install)


def find_uv() -> str:
    """The program uv: on PATH, else of the package of this name.

    Raises:
        MissingExtra: there is neither.
    """
    if found := shutil.which("uv"):
        return found
    if importlib.util.find_spec("uv") is not None:
        import uv

        try:
            return str(uv.find_uv_bin())
        except FileNotFoundError:
            pass
    raise MissingExtra("uv", "projects", need="building the environment of a project")


# --- what both do -------------------------------------------------------------------------------------------------------


def _prepared(manager: str, spec: EnvironmentSpec, asked: Asked, make: Make, install: Install) -> Environment:
    if lacking := check(spec):
        raise EnvironmentFailed(lacking[0])
    lines, said = list(spec.requirements), list[str]()
    if spec.conda is not None:
        converted = conda_names.converted(spec.conda)
        lines, said = list(converted.lines), list(converted.said)
    words, also = content.installable(lines)
    first, _ = content.installable(spec.build)
    said += also
    base = interpreters.here(spec.python)
    which = f"{base} {sys.version}" if base else spec.python
    key = content.digest(manager, which, [*spec.build, "", *lines], spec.folder)

    def build(folder: Path) -> Mapping[str, Any]:
        asked.say(f"building an environment with {manager}: {count(len(words), 'requirement')}; it is kept for the next time")
        note = make(spec.python, folder, asked)
        for some in (first, words):
            if some:
                with _telling_platforms(folder / _PIP_LOG):
                    install(folder / _PYTHON, some, spec.folder, asked)
        return {"python": _PYTHON, "notes": [note] if note else [], **_described(folder)}

    built = shelf.have(asked.home, key, build, rebuild=asked.rebuild, say=asked.say)
    return _environment(manager, key, built, said)


@contextlib.contextmanager
def _telling_platforms(log: Path) -> Iterator[None]:
    """Have an error begin with the packages that were made for another platform, where that is why they cannot be installed."""
    try:
        yield
    except EnvironmentFailed as error:
        said = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        if found := platforms.made_for_others([*str(error).splitlines(), *said]):
            raise EnvironmentFailed(f"{_PACKAGES}: {found}\n{error}") from error
        raise
    finally:
        log.unlink(missing_ok=True)


def _environment(manager: str, key: str, built: shelf.Built, said: Sequence[str]) -> Environment:
    about, python = built.about, built.folder / str(built.about["python"])
    packages = {str(name): str(version) for name, version in about.get("packages", {}).items()}
    return Environment(
        manager,
        f"{manager}, Python {about.get('version', '?')}, {count(len(packages), 'package')}",
        python=str(about.get("version", "")),
        executable=str(python),
        key=key,
        path=(str(python.parent),),
        variables={"VIRTUAL_ENV": str(python.parents[1])},
        packages=packages,
        notes=(*said, *about.get("notes", ())),
    )


def _described(folder: Path) -> dict[str, Any]:
    """The version of Python and the packages of what was built."""
    config = (folder / "env" / "pyvenv.cfg").read_text(encoding="utf-8")
    found = re.search(r"^version(?:_info)?\s*=\s*(\d+(?:\.\d+){1,2})", config, re.MULTILINE)
    sites = [str(path) for path in (folder / "env").glob("lib/python*/site-packages")] or [str(folder / "env" / "Lib" / "site-packages")]
    return {"version": found[1] if found else "", "packages": installed(sites)}


def installed(sites: Sequence[str]) -> dict[str, str]:
    """Names and versions of the distributions in these folders, by name."""
    found = {}
    for one in importlib.metadata.distributions(path=list(sites)):
        name = one.metadata["Name"]
        if name:
            found[re.sub(r"[-_.]+", "-", name).lower()] = one.version
    return dict(sorted(found.items()))
