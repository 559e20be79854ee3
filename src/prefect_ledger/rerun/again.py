"""Floor 5. ``rerun``: a run once more, from what it recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import InvalidValue, NotReproducible, RunNotFound
from prefect_ledger.projects.tools import Say, silent
from prefect_ledger.rerun import starting
from prefect_ledger.rerun.comparing import compare
from prefect_ledger.rerun.deployed import Deploy, by_deployment
from prefect_ledger.rerun.plan import OURS, Plan, other_platform, plan
from prefect_ledger.rerun.recorded import Recorded

if TYPE_CHECKING:
    from prefect_ledger.entities import Run
    from prefect_ledger.verdict import Tolerance, Verdict

OF = "rerun.of"  # the tag that links a run to the one that it repeats
MANAGERS = ("uv", "virtualenv", "local")


@dataclass(frozen=True, slots=True)
class Rerun:
    """What came of it: the run that was made, how its program ended (0: well), and the verdict where one was asked for."""

    before: Run
    run: Run
    plan: Plan
    exit_code: int
    verdict: Verdict | None = None


def planned(run_id: str, parameters: Mapping[str, Any] | None = None) -> Plan:
    """What :func:`rerun` would do, and what of the run is not known. Starts nothing.

    Raises:
        RunNotFound. NotReproducible: nothing that was recorded can be started. StoreUnavailable.

    Example:
        >>> from prefect_ledger.rerun import planned  # doctest: +SKIP
        >>> planned("8f2c51aa").lacking  # doctest: +SKIP
        ('no seed was recorded (set_seed): what is drawn may be drawn otherwise',)
    """
    from prefect_ledger.tracking.reading import get_run

    return _plan(get_run(run_id), parameters)


def _plan(run: Run, parameters: Mapping[str, Any] | None) -> Plan:
    """The plan, and beside what was not recorded that this is another platform, and the data that is not what it was."""
    from prefect_ledger import capture
    from prefect_ledger.tracking import snapshots

    made = plan(Recorded.of(run), parameters)
    elsewhere = other_platform(made.recorded.hardware, str(capture.environment().get("platform", "")))
    return replace(made, lacking=(*elsewhere, *made.lacking, *snapshots.lacking(run)))


def rerun(
    run_id: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    verify: bool = False,
    tolerances: Mapping[str, Tolerance] | None = None,
    ignore: Iterable[str] = (),
    env_manager: str | None = None,
    deploy: Deploy | None = None,
    say: Say = silent,
) -> Rerun:
    """Run a run again: its commit and uncommitted changes, its packages, its parameters and seed; wait for its end.

    ``parameters`` are those to change. The packages here are used where they are those of the run, else an environment of exactly them is
    built and kept; ``env_manager`` is "uv", "virtualenv", or "local" for those here whatever they are. ``deploy`` has a deployment do it
    instead, in its own surroundings. With ``verify`` the result is compared (see :func:`prefect_ledger.verdict.judge` for ``tolerances``
    and ``ignore``). ``say`` is told what is done, and before anything is started what cannot be as it was. The new run has the tag
    ``rerun.of``.

    Raises:
        NotReproducible: what the run needs was not recorded, or is gone; or nothing that is a run came of it. RunNotFound.
        EnvironmentFailed: its packages cannot be installed. StoreUnavailable.

    Example:
        >>> from prefect_ledger.rerun import rerun  # doctest: +SKIP
        >>> rerun("8f2c51aa", verify=True).verdict.result  # doctest: +SKIP
        <Reproduced.IDENTICAL: 'identical'>
    """
    from prefect_ledger.tracking.editing import tag_runs
    from prefect_ledger.tracking.reading import get_run

    if env_manager is not None and env_manager not in MANAGERS:
        raise InvalidValue(f"no environment manager {env_manager!r:.60}; there are {', '.join(MANAGERS)}")
    before = get_run(run_id)
    made = _plan(before, parameters)
    for sentence in made.lacking:
        say(sentence)
    if deploy is not None:
        new, code = by_deployment(before, made, deploy)
    elif made.entry["kind"] == "project":
        new, code = _project(made, env_manager, say)
    else:
        new, code = _here(made, env_manager, say)
    if not new:
        raise NotReproducible(f"what run {before.id[:8]} was started with ended with {code} and began no run this time")
    try:
        after = get_run(new)
    except RunNotFound as error:
        raise NotReproducible(f"run {new} was begun, and is not in this store: {error}") from error
    tag_runs(new, tags={OF: before.id})
    verdict = compare(before, after, tolerances, ignore) if verify else None
    return Rerun(before, get_run(new), made, code, verdict)


def _here(made: Plan, manager: str | None, say: Say) -> tuple[str, int]:
    from prefect_ledger.tracking.ledger import ledger

    home = ledger().settings.home
    with starting.code(made, home=home, say=say) as tree, starting.environment(made, manager, home=home, say=say) as environment:
        for note in environment.notes:
            say(note)
        say(f"running {made.command} with {environment.description}")
        return starting.start(made, tree, environment)


def _project(made: Plan, manager: str | None, say: Say) -> tuple[str, int]:
    """A project, by what runs projects: at the commit with its changes, in the environment that it names, of the versions that it had."""
    from prefect_ledger.projects.running import Job, run_job

    entry, recorded = made.entry, made.recorded
    job = Job(
        entry["uri"],
        entry["entry_point"],
        dict(entry["parameters"]),
        version=recorded.code.commit or None,
        env_manager=manager or entry.get("environment"),
        experiment=recorded.experiment,
        say=say,
        changes=recorded.code.patch if recorded.code.commit else b"",
        packages={name: version for name, version in made.packages.items() if name != OURS},
    )
    try:
        run = run_job(job)
    except InvalidValue as error:
        raise NotReproducible(f"run {recorded.id[:8]}: {error}") from error
    return run.id, run.exit_code or 0
