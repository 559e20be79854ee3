"""Floor 5. ``run_project``: a project from wherever it is, in an environment that is built once, as a run of its own."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prefect_ledger.errors import EnvironmentFailed, InvalidValue
from prefect_ledger.formats import count, listed
from prefect_ledger.masking import mask_value
from prefect_ledger.projects import commands, environments, fetching, opening, places, reading, recording, trees, values
from prefect_ledger.projects.environments import Asked, Environment
from prefect_ledger.projects.handle import ProjectRun
from prefect_ledger.projects.interrupts import Interrupts, told_to_end
from prefect_ledger.projects.opening import Opened
from prefect_ledger.projects.output import Echo, Output
from prefect_ledger.projects.places import Place
from prefect_ledger.projects.spec import MAIN, EntryPoint, Project
from prefect_ledger.projects.tools import Say, silent
from prefect_ledger.tracking.ledger import ledger
from prefect_ledger.tracking.runs import ActiveRun


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run, and how; the arguments of :func:`run_project`, and what a run is run again with.

    ``changes`` is a patch that the version gets, ``packages`` the versions that its environment is to have, as far as it can.
    """

    uri: str
    entry_point: str = MAIN
    parameters: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    version: str | None = None
    env_manager: str | None = None
    experiment: str | None = None
    name: str | None = None
    tags: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    rebuild: bool = False
    build_image: bool = False
    echo: Echo = "both"
    say: Say = silent
    changes: bytes = b""
    packages: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        parameters: Any = self.parameters
        if not isinstance(parameters, Mapping) or not all(isinstance(name, str) for name in parameters):
            raise InvalidValue("parameters is a mapping of names to values, such as {'depth': 6}")
        if not self.entry_point:
            raise InvalidValue(f"an entry point has a name, such as {MAIN!r}")


def run_project(
    uri: str | os.PathLike[str] = ".",
    entry_point: str = MAIN,
    parameters: Mapping[str, Any] | None = None,
    *,
    version: str | None = None,
    env_manager: str | None = None,
    experiment: str | None = None,
    name: str | None = None,
    tags: Mapping[str, Any] | None = None,
    rebuild: bool = False,
    build_image: bool = False,
    wait: bool = True,
    echo: bool = True,
    progress: Say | None = None,
) -> ProjectRun:
    """Run an entry point of a project, as a run below the one that is open here; returns when it has ended.

    A project is a folder, a git repository (by https, ssh or file, ``#folder`` for one in it) or a ``.zip`` file: with an ``MLproject``, a
    table ``[tool.prefect-ledger.project]`` in its ``pyproject.toml``, or scripts alone. Its environment is built once for what it names,
    and used again. Everything that is wrong with the project or the parameters is said before a run begins. Python in it that uses
    prefect_ledger logs into the same run.

    Args:
        uri: Where the project is.
        entry_point: One that it names, or the path of a script in it.
        parameters: Texts, numbers, bools and paths. None of them is read by a shell.
        version: A branch, tag or commit of a git repository.
        env_manager: "uv", "virtualenv", "conda", "docker" or "local"; left out, the one that fits.
        experiment: Left out, that of the run open here, else the project's name.
        name, tags: Of the run.
        rebuild: Build the environment anew.
        build_image: For Docker: an image with the project in it.
        wait: False returns at once with a handle to wait for or to cancel; an interrupted wait cancels the project with all it started.
        echo: Show what it says, too; it is kept as the artifact ``output.log`` either way.
        progress: Is told what is fetched and built.

    Raises:
        ProjectNotFound, EntryPointNotFound: there is none. ProjectInvalid: what is wrong with its description, all of it. InvalidValue:
        parameters, a place or a version that cannot be. EnvironmentFailed, MissingExtra: its environment cannot be built. ProjectFailed:
        the program did not end well.

    Example:
        >>> from pathlib import Path
        >>> from prefect_ledger import get_run, run_project
        >>> _ = Path("double.py").write_text("import sys; print(2 * float(sys.argv[-1]))")
        >>> done = run_project(".", "double.py", {"number": 21})
        42.0
        >>> get_run(done.id).status, get_run(done.id).params["number"]
        (<RunStatus.COMPLETED: 'COMPLETED'>, '21')
    """
    job = Job(
        os.fspath(uri),
        entry_point,
        parameters or {},
        version=version,
        env_manager=env_manager,
        experiment=experiment,
        name=name,
        tags=tags or {},
        rebuild=rebuild,
        build_image=build_image,
        echo="both" if echo else "none",
        say=progress or silent,
    )
    return run_job(job) if wait else start_job(job)


def run_job(job: Job) -> ProjectRun:
    """Run to its end. Raises as :func:`run_project`."""
    with told_to_end(), Interrupts() as interrupts:
        started = _start(job, interrupts)
        started.finish(interrupts)
    return started


def start_job(job: Job) -> ProjectRun:
    """Start, and do not wait. Raises as :func:`run_project`, but for what the program ends with."""
    with Interrupts() as interrupts:
        started = _start(job, interrupts)
        started.begin(interrupts)
    return started


def _start(job: Job, interrupts: Interrupts) -> ProjectRun:
    """Start; what would interrupt it is held when it has begun, and its handle tells."""
    home = ledger().settings.home
    with ExitStack() as stack:
        place = places.parse(job.uri)
        opened = stack.enter_context(opening.opened(place, job.version, changes=job.changes, home=home, say=job.say))
        project = reading.load(opened.folder)
        point = project.entry_point(job.entry_point)
        found, extra = values.settle(point, job.parameters)
        if wrong := fetching.local_problems(point, found, project.folder):
            raise InvalidValue("; ".join(wrong))
        manager = environments.choose(project.environment, job.env_manager)
        if lacking := environments.check(project.environment, manager):
            raise EnvironmentFailed(lacking[0])
        run = recording.begin(project, point, experiment=job.experiment, name=job.name, tags=job.tags)
        return _Start(job, place, opened, project, point, run, manager, interrupts).go(found, extra, stack)


@dataclass(frozen=True, slots=True)
class _Start:
    """A run that has begun, and whose program is to begin."""

    job: Job
    place: Place
    opened: Opened
    project: Project
    point: EntryPoint
    run: ActiveRun
    manager: str
    interrupts: Interrupts

    def go(self, found: Mapping[str, str], extra: Mapping[str, str], stack: ExitStack) -> ProjectRun:
        """Build, fetch, start. Whatever goes wrong ends the run, and leaves no process."""
        process: subprocess.Popen[bytes] | None = None
        handle: ProjectRun | None = None
        try:
            recording.say_what(self.run, self.place, self.opened, self.project, self.point, self.job.version, self.manager)
            self.run.describe({"project_parameters": {name: str(value) for name, value in self.job.parameters.items()}})
            self.run.log_auto_params({**found, **extra})
            environment = self._environment()
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="prefect-ledger-", ignore_cleanup_errors=True)))
            placed = fetching.placed(self.point, found, self.project.folder, folder, self.job.say)
            command = commands.make(self.point, placed, extra)
            recording.say_how(self.run, environment, command, self.opened, self.project)
            places = [placed[one.name] for one in self.point.parameters if one.type == "path" and one.name in placed]
            secrets = [value for name, value in {**found, **extra}.items() if mask_value(name, value) != value]
            self.interrupts.hold()
            process = self._started(environment, command.words, places)
            handle = ProjectRun(
                self.run,
                process,
                environment=environment,
                output=Output(self.job.echo, secrets),
                open_until_then=stack.pop_all(),
                by_shell=command.words[0] == commands.SHELL,
            )
            handle.attend()
            return handle
        except BaseException as error:
            if handle is not None and handle.attended:
                handle.interrupted(error)
                raise
            if process is not None:
                trees.end(process.pid)
                process.wait()
            recording.broken_off(self.run, error)
            raise

    def _environment(self) -> Environment:
        job, home = self.job, ledger().settings.home
        asked = Asked(home, self.project.name, rebuild=job.rebuild, build_image=job.build_image, say=job.say)
        spec = self.project.environment
        made = environments.prepare(spec, self.manager, asked)
        if spec.kind == "python" and self.manager in ("uv", "virtualenv") and self._others(made):
            exactly = (*spec.requirements, *(f"{name}=={version}" for name, version in job.packages.items()))
            made = environments.prepare(replace(spec, requirements=exactly), self.manager, asked)
        for note in made.notes:
            job.say(note)
        if others := self._others(made):
            job.say(f"{count(len(others), 'package')} of the environment are not as they were: {listed(others)}")
        return made

    def _others(self, made: Environment) -> list[str]:
        """Packages that are to be of another version than they are, where it is known what there is."""
        wanted = self.job.packages if made.packages else {}
        return [f"{name} {version}" for name, version in wanted.items() if made.packages.get(name) != version]

    def _started(self, environment: Environment, words: tuple[str, ...], places: list[str]) -> subprocess.Popen[bytes]:
        more = {"PYTHONUNBUFFERED": "1", **recording.variables(self.run, ledger().settings)}
        folder = self.project.folder
        try:
            return subprocess.Popen(
                environment.words(words, folder, self.run.id, more, places),
                cwd=folder,
                env=environment.seen(more),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise EnvironmentFailed(f"entry point {self.point.name!r}: `{words[0]}` cannot be run: {error.strerror or error}") from error
