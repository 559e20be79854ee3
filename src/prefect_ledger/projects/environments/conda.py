"""Floor 5. A real conda, mamba or micromamba, where one is installed: it builds what a ``conda.yaml`` says, as it says it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect_ledger.errors import EnvironmentFailed
from prefect_ledger.formats import count
from prefect_ledger.projects import tools
from prefect_ledger.projects.environments import content, shelf
from prefect_ledger.projects.environments.base import Asked, Environment
from prefect_ledger.projects.environments.pythons import installed
from prefect_ledger.projects.spec import EnvironmentSpec

_TOOLS = ("micromamba", "mamba", "conda")
_ACTIVATE = 'for f in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do [ -e "$f" ] && . "$f"; done; exec "$@"'


def find_tool() -> str:
    """The program: micromamba, mamba or conda; "" where there is none."""
    return next((found for name in _TOOLS if (found := shutil.which(name))), "")


def check(_spec: EnvironmentSpec) -> list[str]:
    """What is missing."""
    if find_tool():
        return []
    return ["there is neither conda nor mamba nor micromamba on PATH: install one, or have uv build what it can (--env-manager uv)"]


class CondaEnvironment(Environment):
    """One whose packages may want to set variables when a process begins."""

    def words(  # the interface's
        self,
        words: Sequence[str],
        folder: Path,  # noqa: ARG002
        run_id: str,  # noqa: ARG002
        more: Mapping[str, str],  # noqa: ARG002
        places: Sequence[str] = (),  # noqa: ARG002
    ) -> list[str]:
        """A shell reads what packages have for it, and becomes ``words``."""
        return ["bash", "-c", _ACTIVATE, "bash", *words]


def prepare(spec: EnvironmentSpec, asked: Asked) -> Environment:
    """The environment of ``spec``.

    Raises:
        EnvironmentFailed: no tool is there, or it cannot build it.
    """
    if lacking := check(spec):
        raise EnvironmentFailed(lacking[0])
    assert spec.conda is not None
    tool, file = find_tool(), spec.conda.file
    text = file.read_bytes()
    key = content.digest("conda", Path(tool).name, spec.conda.pip, spec.folder, file=text.decode("utf-8", "replace"))

    def build(folder: Path) -> Mapping[str, Any]:
        asked.say(f"building an environment with {Path(tool).name} from {file.name}; it is kept for the next time")
        place = ["--prefix", str(folder / "env"), "--file", str(file)]
        verb = ["create", "--yes"] if Path(tool).name == "micromamba" else ["env", "create"]
        tools.run([tool, *verb, *place], folder=spec.folder, say=asked.say, what=f"the environment of {file.name}")
        return {"python": "env/bin/python", **_described(folder / "env")}

    built = shelf.have(asked.home, key, build, rebuild=asked.rebuild, say=asked.say)
    prefix = built.folder / "env"
    packages = {str(name): str(version) for name, version in built.about.get("packages", {}).items()}
    return CondaEnvironment(
        "conda",
        f"{Path(tool).name}, Python {built.about.get('version') or '?'}, {count(len(packages), 'Python package')}",
        python=str(built.about.get("version", "")),
        executable=str(prefix / "bin" / "python"),
        key=key,
        path=(str(prefix / "bin"),),
        variables={"CONDA_PREFIX": str(prefix), "CONDA_DEFAULT_ENV": str(prefix)},
        packages=packages,
    )


def _described(prefix: Path) -> dict[str, Any]:
    """What conda wrote down of what it installed."""
    version = ""
    for path in prefix.glob("conda-meta/python-[0-9]*.json"):
        found = re.match(r"\d+(\.\d+)*", str(json.loads(path.read_text(encoding="utf-8")).get("version", "")))
        version = found[0] if found else ""
    return {"version": version, "packages": installed([str(path) for path in prefix.glob("lib/python*/site-packages")])}
