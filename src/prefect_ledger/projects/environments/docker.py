"""Floor 5. Images: the project runs in a container, which sees its folder, and the ledger where that is a folder of this machine.

Variables are handed to the command by name, so that what they hold stands in no list of processes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prefect_ledger.errors import EnvironmentFailed
from prefect_ledger.projects import tools
from prefect_ledger.projects.environments import content
from prefect_ledger.projects.environments.base import Asked, Environment
from prefect_ledger.projects.spec import Docker, EnvironmentSpec

TOOL = "docker"
INSIDE = "/mlflow/projects/code"  # where MLflow puts a project's folder, which volumes of existing projects count on


def check(_spec: EnvironmentSpec) -> list[str]:
    """What is missing."""
    return [] if shutil.which(TOOL) else ["the project runs in an image, and there is no docker on PATH: install Docker or Podman's docker"]


@dataclass(frozen=True)
class DockerEnvironment(Environment):
    """A container for each run."""

    docker: Docker = field(default_factory=lambda: Docker(""))
    image: str = ""
    folders: tuple[str, ...] = ()  # of this machine, seen inside under the same name

    def seen(self, more: Mapping[str, str]) -> dict[str, str]:
        """What the docker command itself sees; it hands on what is named to it."""
        own = {name: value for name, value in self.docker.variables if value is not None}
        return dict(os.environ) | own | dict(more)

    def words(self, words: Sequence[str], folder: Path, run_id: str, more: Mapping[str, str], places: Sequence[str] = ()) -> list[str]:
        """``docker run`` of ``words``. An image that was built for the project has its folder already."""
        command = [TOOL, "run", "--rm", "--init", "--name", _container(run_id), "--workdir", INSIDE]
        if self.image == self.docker.image:
            command += ["--volume", f"{folder}:{INSIDE}"]
        for place in dict.fromkeys([*self.folders, *places]):
            command += ["--volume", f"{place}:{place}"]
        for volume in self.docker.volumes:
            command += ["--volume", _absolute(volume, folder)]
        for name in [*(name for name, _ in self.docker.variables), *more]:
            command += ["--env", name]
        return [*command, self.image, *words]

    def stop(self, run_id: str) -> None:
        """The container is removed: to end the command that started it does not always end it."""
        tools.ask([TOOL, "rm", "--force", _container(run_id)], folder=Path("/"), seconds=60)


def prepare(spec: EnvironmentSpec, asked: Asked) -> Environment:
    """The image of ``spec``; with ``build_image`` another that is made of it, with the project's folder in it.

    Raises:
        EnvironmentFailed: there is no docker, or the image cannot be had.
    """
    if lacking := check(spec):
        raise EnvironmentFailed(lacking[0])
    assert spec.docker is not None
    image = spec.docker.image
    if asked.build_image:
        image = _built(spec, asked)
    elif tools.ask([TOOL, "image", "inspect", image], folder=spec.folder) is None:
        asked.say(f"fetching the image {image}")
        tools.run([TOOL, "pull", image], folder=spec.folder, say=asked.say, what=f"the image {image}")
    digest = tools.ask([TOOL, "image", "inspect", "--format", "{{.Id}}", image], folder=spec.folder) or ""
    folders = (str(asked.home),) if asked.home.is_dir() else ()
    return DockerEnvironment("docker", f"docker, image {image}", key=digest, docker=spec.docker, image=image, folders=folders)


def _built(spec: EnvironmentSpec, asked: Asked) -> str:
    """An image with the project in it, named after the project and what is in its folder."""
    assert spec.docker is not None
    slug = re.sub(r"[^a-z0-9]+", "-", asked.name.lower()).strip("-") or "project"
    image = f"{slug}:{content.digest('docker', spec.docker.image, ['.'], spec.folder)[:12]}"
    recipe = f"FROM {spec.docker.image}\nCOPY . {INSIDE}/\nWORKDIR {INSIDE}\n"
    command = [TOOL, "build", "--tag", image, "--file", "-", str(spec.folder)]
    asked.say(f"building the image {image}")
    try:
        done = subprocess.run(command, input=recipe.encode(), capture_output=True, check=False)
    except OSError as error:
        raise EnvironmentFailed(f"`{TOOL}` cannot be run: {error}") from error
    if done.returncode:
        raise EnvironmentFailed(f"the image {image} cannot be built:\n{done.stderr.decode('utf-8', 'replace')[-4000:]}")
    return image


def _container(run_id: str) -> str:
    return f"prefect-ledger-{run_id}"


def _absolute(volume: str, folder: Path) -> str:
    """A volume whose folder is given from the project's on."""
    return f"{(folder / volume).resolve()}" if volume.startswith(("./", "../")) else volume
