"""Floor 6. ``prefect-ledger project``: run projects, begin one, see what is wrong with it, pack it, deploy it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from prefect_ledger.cli.options import Json, Tags, tag_of
from prefect_ledger.cli.render import cell, dim, heading, pairs, print_json, say, show, table, warn
from prefect_ledger.errors import InvalidValue, ProjectFailed
from prefect_ledger.formats import MISSING, clean, count

if TYPE_CHECKING:
    from prefect_ledger.projects.examining import Examined

Uri = Annotated[str, Parameter(help="A folder, a git URL (#folder for one in it), or a .zip file: this folder if not said.")]
Version = Annotated[str | None, Parameter(name=["--version", "-v"], help="A branch, tag or commit of a git repository.")]
Manager = Annotated[
    str | None, Parameter(name="--env-manager", help="uv, virtualenv, conda, docker or local; the one that fits if not said.")
]
# --version is one of the project here, and not ours
app = App(name="project", help="Run projects: code with its entry points and environment.", version_flags=[])


@app.command
def run(
    uri: Uri = ".",
    /,
    *,
    entry_point: Annotated[
        str, Parameter(name=["--entry-point", "-e"], help="What to run, or a script's path: main if not said.")
    ] = "main",
    param: Annotated[
        tuple[str, ...], Parameter(name=["--param", "-P"], negative="", help="A parameter, as NAME=VALUE; again for more.")
    ] = (),
    version: Version = None,
    env_manager: Manager = None,
    experiment: Annotated[str | None, Parameter(help="Experiment of the run: the project's name if not said.")] = None,
    name: Annotated[str | None, Parameter(help="Name of the run.")] = None,
    tag: Tags = (),
    rebuild: Annotated[bool, Parameter(negative="", help="Build the environment anew.")] = False,
    build_image: Annotated[bool, Parameter(negative="", help="For Docker: an image with the project in it.")] = False,
    json: Json = False,
) -> int:
    """Run an entry point of a project, in its environment, as a run.

    URI is a folder with an MLproject, with [tool.prefect-ledger.project] in its
    pyproject.toml, or with scripts; or a git repository (https, ssh, file), or a
    .zip file. Its environment is built once and used again. What it says is shown
    and kept as the artifact output.log. Values of parameters are read by no shell.

    Stops with the project and all it started at Ctrl-C or SIGTERM. Exits with 1
    when the program did not end well.

    For example:

        prefect-ledger project run . -P depth=8
        prefect-ledger project run https://git.example.org/churn --version v1.2
        prefect-ledger project run churn.zip -e validate --env-manager local --json
    """
    from prefect_ledger.projects.running import Job, run_job

    job = Job(
        uri,
        entry_point,
        _parameters(param),
        version=version,
        env_manager=env_manager,
        experiment=experiment,
        name=name,
        tags=dict(tag_of(text) for text in tag),
        rebuild=rebuild,
        build_image=build_image,
        echo="stderr" if json else "both",
        say=dim_line,
    )
    try:
        done = run_job(job)
    except ProjectFailed as error:
        if json:
            print_json({"run_id": error.run_id, "status": error.status, "exit_code": error.exit_code})
        raise
    if json:
        print_json({"run_id": done.id, "status": done.status, "exit_code": done.exit_code, "environment": done.environment})
    else:
        dim(f"run {done.id[:8]} in {clean(done.experiment)}: {done.status}")
    return 0


@app.command
def init(
    folder: Annotated[Path, Parameter(help="Where: this folder if not said.")] = Path(),
    /,
    *,
    name: Annotated[str | None, Parameter(help="What it is called: as its folder if not said.")] = None,
) -> None:
    """Begin a project: its table in pyproject.toml, and a script.

    A pyproject.toml that is there keeps what it has; no file is replaced.

    For example:

        prefect-ledger project init churn
        prefect-ledger project init . --name "customer churn"
    """
    from prefect_ledger.projects.beginning import begin

    for path in begin(folder, name):
        say(f"wrote {clean(path)}")
    dim(f"next: prefect-ledger project run {clean(folder)} -P depth=8")


@app.command
def check(uri: Uri = ".", /, *, version: Version = None, env_manager: Manager = None, json: Json = False) -> int:
    """Say everything that is wrong with a project, without running it.

    And its entry points with their parameters, and how its environment would be
    made. Exits with 1 when something is wrong.

    For example:

        prefect-ledger project check .
        prefect-ledger project check git+file:///srv/git/churn.git#training --version v1.2 --json
    """
    from prefect_ledger.projects.examining import examine
    from prefect_ledger.tracking.ledger import ledger

    found = examine(uri, version=version, env_manager=env_manager, home=ledger().settings.home, say=dim_line)
    if json:
        print_json(_record(found))
    else:
        _show(found)
    return 1 if found.problems else 0


@app.command
def pack(
    folder: Annotated[Path, Parameter(help="The project: this folder if not said.")] = Path(),
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="The archive: NAME.zip here if not said.")] = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace the archive when it is there.")] = False,
) -> None:
    """Put a project into a .zip file, which runs wherever it is brought.

    In it are the files that git keeps or would keep; outside of a repository, all
    but caches and environments. A project with something wrong is not packed.

    For example:

        prefect-ledger project pack churn
        prefect-ledger project pack . -o /srv/projects/churn-1.2.zip --overwrite
    """
    from prefect_ledger.projects import archives, reading

    reading.load(folder)
    target = (output or Path(f"{folder.resolve().name}.zip")).absolute()
    if target.exists() and not overwrite:
        raise InvalidValue(f"{target} is there already: give another --output, or --overwrite")
    say(f"{count(archives.pack(folder, target), 'file')} in {clean(target)}")


@app.command
def deploy(
    uri: Uri = ".",
    /,
    *,
    pool: Annotated[str, Parameter(name=["--pool", "-p"], help="The work pool that runs them: process, docker, kubernetes, any.")],
    entry_point: Annotated[
        tuple[str, ...], Parameter(name=["--entry-point", "-e"], negative="", help="Only these; again for more: all if not said.")
    ] = (),
    param: Annotated[
        tuple[str, ...],
        Parameter(name=["--param", "-P"], negative="", help="A parameter that is set for each run, as NAME=VALUE; again for more."),
    ] = (),
    version: Version = None,
    env_manager: Manager = None,
    experiment: Annotated[str | None, Parameter(help="Experiment of the runs.")] = None,
    name: Annotated[str | None, Parameter(name=["--name", "-n"], help="What they are called after: the project if not said.")] = None,
    queue: Annotated[str | None, Parameter(help="Queue of the work pool.")] = None,
    schedule: Annotated[
        tuple[str, ...], Parameter(negative="", help="Cron, an interval (900, 15m, 2h, 1d) or an RRule (FREQ=...); again for more.")
    ] = (),
    timezone: Annotated[str | None, Parameter(help="Of the schedules, such as Europe/Berlin: UTC if not said.")] = None,
    tag: Annotated[tuple[str, ...], Parameter(name=["--tag", "-t"], negative="", help="A tag in Prefect, one word; again for more.")] = (),
    image: Annotated[str | None, Parameter(help="What the pool's containers run, with prefect-ledger in it.")] = None,
    job_variable: Annotated[
        tuple[str, ...], Parameter(name=["--job-variable", "-j"], negative="", help="Another of the pool's, as NAME=VALUE.")
    ] = (),
    concurrency_limit: Annotated[int | None, Parameter(help="How many runs of one deployment go on at once.")] = None,
    shared: Annotated[bool, Parameter(negative="", help="The folder or archive is there, too, where the workers run.")] = False,
    replace: Annotated[bool, Parameter(negative="", help="Take over a deployment of this name that is of another project.")] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="Say what would be done, and do nothing.")] = False,
    write: Annotated[
        Path | None, Parameter(allow_leading_hyphen=True, help="Write a prefect.yaml instead, and ask no API; - for stdout.")
    ] = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace the file of --write when it is there.")] = False,
    json: Json = False,
) -> None:
    """Make Prefect deployments of a project, one for each entry point.

    Prefect's form has a field for each parameter of the entry point, with its
    type and default, and a run with another type is refused before it starts.
    Deploying again brings them up to date and says what changed; what is not said
    stays as it is. Everything that is wrong is said before anything is changed.

    For example:

        prefect-ledger project deploy https://git.example.org/churn --version v1.2 --pool ledger --dry-run
        prefect-ledger project deploy churn --pool ledger -e main -P data=/srv/churn.csv --schedule "0 3 * * *"
        prefect-ledger project deploy churn.zip --pool kubernetes --image registry.example/ml:7 --shared --write prefect.yaml
    """
    from prefect_ledger.cli import project_deploying
    from prefect_ledger.orchestration.deployment_targets import Target
    from prefect_ledger.projects.deployments import Asked

    asked = Asked(uri, entry_point, name, _parameters(param), version, env_manager, experiment)
    variables = project_deploying.job_variables(job_variable)
    target = Target(pool, queue, schedule, timezone, tag, image, variables, concurrency_limit, shared=shared, replace=replace)
    if write is None:
        if overwrite:
            raise InvalidValue("--overwrite is for the file of --write: say --write prefect.yaml")
        project_deploying.apply(asked, target, dry_run=dry_run, json=json)
    elif dry_run:
        raise InvalidValue("--write changes nothing but the file: --write - shows it")
    else:
        project_deploying.write(asked, target, where=write, overwrite=overwrite, json=json)


def dim_line(text: str) -> None:
    """A line of somebody else's, as it is, to stderr."""
    dim(clean(text))


def _parameters(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, given, value = text.partition("=")
        if not given or not name:
            raise InvalidValue(f"-P {text!r:.80}: write NAME=VALUE, as in -P depth=8")
        if name in found:
            raise InvalidValue(f"-P {name!r:.80} is given twice")
        found[name] = value
    return found


def _record(found: Examined) -> dict[str, object]:
    project = found.project
    points = {
        name: {
            "command": point.command,
            "parameters": {one.name: {"type": one.type, "default": one.default, "choices": one.choices} for one in point.parameters},
        }
        for name, point in project.entry_points.items()
    }
    about = {"name": project.name, "form": project.form, "environment": project.environment.kind, "env_manager": found.manager}
    return {**about, "entry_points": points, "problems": found.problems, "notes": found.notes}


def _show(found: Examined) -> None:
    project = found.project
    made = f"{project.environment.kind}, by {found.manager or MISSING}"
    show(pairs([("name", project.name), ("described by", project.form), ("environment", made)]))
    if project.entry_points:
        columns = table([("entry point", "text"), ("parameter", "text"), ("type", "text"), ("if not given", "text")])
        for name, point in project.entry_points.items():
            if not point.parameters:
                columns.add_row(cell(name, "bold"), cell(MISSING), cell(""), cell(""))
            for number, one in enumerate(point.parameters):
                kind = one.type if not one.choices else ", ".join(one.choices)
                columns.add_row(cell(name if not number else "", "bold"), cell(one.name), cell(kind), cell(_default(one.default)))
        show(columns)
    if found.notes:
        heading("To be known")
        say(*(f"  {clean(note)}" for note in found.notes))
    for problem in found.problems:
        warn(f"wrong: {clean(problem)}", style="red")
    if not found.problems:
        say("nothing is wrong")


def _default(value: str | None) -> str:
    return "has to be given" if value is None else value
