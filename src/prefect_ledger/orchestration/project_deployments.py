"""Floor 6. Deployments of projects: one for each entry point, made or brought up to date by Prefect's API."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from prefect_ledger.errors import DeploymentExists, DeploymentFailed, ProjectInvalid
from prefect_ledger.formats import listed
from prefect_ledger.orchestration import deployment_changes, deployment_targets
from prefect_ledger.orchestration.clients import own_client, server_is_named
from prefect_ledger.orchestration.deployment_targets import Target
from prefect_ledger.projects.deployments import ENTRYPOINT, FLOW, Asked, Deployment, Planned, planned
from prefect_ledger.projects.tools import Say, silent
from prefect_ledger.tracking.ledger import ledger

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment and what became of it. ``name`` is as ``prefect deployment run`` takes it; ``id`` "" for one that a dry run would make;
    ``changes`` are sentences."""

    name: str
    entry_point: str
    id: str
    did: Literal["created", "updated", "unchanged"]
    changes: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


def deploy_project(
    uri: str | os.PathLike[str] = ".",
    entry_points: Sequence[str] = (),
    *,
    pool: str,
    name: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    version: str | None = None,
    env_manager: str | None = None,
    experiment: str | None = None,
    queue: str | None = None,
    schedules: Iterable[str] = (),
    timezone: str | None = None,
    tags: Iterable[str] = (),
    image: str | None = None,
    job_variables: Mapping[str, Any] | None = None,
    concurrency_limit: int | None = None,
    shared: bool = False,
    replace: bool = False,
    dry_run: bool = False,
    progress: Say | None = None,
) -> list[Deployed]:
    """Make a Prefect deployment for each entry point of a project, or bring those that are there up to date.

    Each runs the flow ``prefect-ledger-project`` with the project's place, version and entry point. The flow's parameter ``parameters`` has
    the entry point's, with their types, defaults and choices: Prefect's form shows a field for each, and Prefect refuses a run with
    others. Everything that is wrong is said before anything is changed. What is not said stays as it is in a deployment that is there.

    Returns what became of each: ``name`` as ``prefect deployment run`` takes it, ``entry_point``, ``id`` ("" for one that a dry run would
    make), ``did`` ("created", "updated" or "unchanged"), ``changes`` in sentences, ``lacking``: parameters that each run has to be given.

    Args:
        uri: Where the project is: a folder, a git URL, a ``.zip`` file.
        entry_points: Names, or paths of scripts; all that the project names if empty.
        pool: The work pool that runs them, of any type; prefect-ledger is installed where its workers run.
        name: What they are called after: the project's name if not said. With one entry point, exactly its deployment's name.
        parameters: Values of the entry points' parameters that are set for each run, unless it says others.
        version: A branch, tag or commit of a git repository.
        env_manager: As in :func:`prefect_ledger.run_project`; left out, the one that fits where it runs.
        experiment: Of the runs.
        queue: Of the work pool.
        schedules: Cron (``"0 3 * * *"``), intervals (``"900"`` seconds, ``"15m"``, ``"1d"``), RRules (``"FREQ=WEEKLY;BYDAY=MO"``).
        timezone: Of the schedules, such as ``"Europe/Berlin"``; UTC if not said.
        tags: Of the deployments, and of their runs in Prefect.
        image: What containers of the pool run.
        job_variables: Others of the pool's.
        concurrency_limit: How many runs of one deployment go on at once.
        shared: A path of this machine is there where the pool's workers run.
        replace: Take over a deployment of the same name that is of another project.
        dry_run: Only say what would be done.
        progress: Is told what is fetched, and what is to be known.

    Raises:
        ProjectInvalid: everything that is wrong with the project, or with what is asked. ProjectNotFound. InvalidValue: a place that cannot
        be. DeploymentExists: one of the same name is of another project. DeploymentFailed: there is no Prefect API, or it refuses; what
        was done by then is said.

    Example:
        >>> from prefect_ledger import deploy_project
        >>> done = deploy_project("churn", pool="ledger", schedules=["0 3 * * *"])  # doctest: +SKIP
        >>> [(one.name, one.did) for one in done]  # doctest: +SKIP
        [('prefect-ledger-project/churn-main', 'created')]
    """
    asked = Asked(os.fspath(uri), tuple(entry_points), name, dict(parameters or {}), version, env_manager, experiment)
    target = Target(
        pool, queue, tuple(schedules), timezone, tuple(tags), image, job_variables, concurrency_limit, shared=shared, replace=replace
    )
    return deploy(asked, target, dry_run=dry_run, say=progress or silent)


def plan(asked: Asked, target: Target, *, say: Say = silent) -> Planned:
    """What is to be deployed, without asking Prefect. Raises as :func:`deploy_project`."""
    found = planned(asked, home=ledger().settings.home, say=say)
    _refuse(found, list(deployment_targets.problems(found, target)))
    return found


def deploy(asked: Asked, target: Target, *, dry_run: bool = False, say: Say = silent) -> list[Deployed]:
    """Deploy. Raises as :func:`deploy_project`."""
    found = planned(asked, home=ledger().settings.home, say=say)
    wrong = list(deployment_targets.problems(found, target))
    if not server_is_named():
        _refuse(found, wrong)
        raise DeploymentFailed(
            "no Prefect API is named, so there is nothing to deploy to: prefect config set PREFECT_API_URL=http://…/api names one,"
            " --write prefect.yaml needs none"
        )
    with own_client() as client:
        with _translated("the Prefect API cannot be asked, and nothing was changed"):
            wrong += deployment_targets.problems_of_pool(client, found, target)
            there = {one.name: _there(client, one) for one in found.deployments}
        if not target.schedules:
            for one in found.deployments:
                wrong += deployment_targets.problems_of_schedules(one, there[one.name])
        _refuse(found, wrong)
        _check_others(found, there, target)
        for sentence in deployment_targets.notes(found, target):
            say(sentence)
        if dry_run:
            return [_outcome(one, there[one.name], target) for one in found.deployments]
        return list(_applied(client, found.deployments, there, target))


def _refuse(found: Planned, wrong: list[str]) -> None:
    if wrong:
        raise ProjectInvalid(f"the project {found.place.shown} cannot be deployed:", wrong)


def _there(client: SyncPrefectClient, one: Deployment) -> DeploymentResponse | None:
    from prefect.exceptions import ObjectNotFound

    try:
        return client.read_deployment_by_name(f"{FLOW}/{one.name}")
    except ObjectNotFound:
        return None


def _check_others(found: Planned, there: Mapping[str, DeploymentResponse | None], target: Target) -> None:
    """Refuse to take over what somebody else deployed under the same name."""
    for one in found.deployments:
        before = there[one.name]
        if before is None or target.replace:
            continue
        was = [before.parameters.get(name) for name in ("uri", "entry_point")]
        if was != [one.parameters[name] for name in ("uri", "entry_point")]:
            raise DeploymentExists(
                f"there is a deployment {one.name!r} already, of the entry point {was[1]} at {was[0]}: another --name keeps both, --replace"
                " makes it this one; nothing was changed"
            )


def _outcome(one: Deployment, before: DeploymentResponse | None, target: Target) -> Deployed:
    name = f"{FLOW}/{one.name}"
    if before is None:
        return Deployed(name, one.entry_point, "", "created", (), one.lacking)
    changes = tuple(deployment_changes.changes(before, one, target))
    return Deployed(name, one.entry_point, str(before.id), "updated" if changes else "unchanged", changes, one.lacking)


def _applied(
    client: SyncPrefectClient, wanted: Sequence[Deployment], there: Mapping[str, DeploymentResponse | None], target: Target
) -> Iterator[Deployed]:
    done: list[str] = []
    for one in wanted:
        before, outcome = there[one.name], _outcome(one, there[one.name], target)
        so_far = f"deployed before it: {listed(done, 20)}" if done else "nothing was changed before it"
        with _translated(f"the deployment {one.name!r} was refused; {so_far}"):
            if before is None:
                outcome = Deployed(outcome.name, one.entry_point, str(_create(client, one, target)), "created", (), one.lacking)
            elif outcome.did == "updated":
                _update(client, before, one, target)
        done.append(one.name)
        yield outcome


def _create(client: SyncPrefectClient, one: Deployment, target: Target) -> UUID:
    from prefect.client.schemas.actions import DeploymentScheduleCreate

    said = deployment_changes.said(one, target)
    schedules = [DeploymentScheduleCreate(schedule=schedule, slug=slug) for slug, schedule in target.read_schedules()]
    return client.create_deployment(client.create_flow_from_name(FLOW), one.name, schedules=schedules, pull_steps=[], **said)


def _update(client: SyncPrefectClient, before: DeploymentResponse, one: Deployment, target: Target) -> None:
    from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate

    said = deployment_changes.said(one, target)
    if target.queue is None and before.work_pool_name == target.pool:
        said["work_queue_name"] = before.work_queue_name  # else Prefect takes the pool's default
    client.update_deployment(before.id, DeploymentUpdate(**said, pull_steps=[]))
    ours = {schedule.slug: schedule for schedule in before.schedules if deployment_changes.is_ours(schedule)}
    wanted = target.read_schedules()
    for slug, schedule in wanted:
        if (old := ours.pop(slug, None)) is None:
            client.create_deployment_schedules(before.id, [DeploymentScheduleCreate(schedule=schedule, slug=slug)])
        else:
            client.update_deployment_schedule(before.id, old.id, schedule=schedule)
    for old in ours.values() if wanted else ():
        client.delete_deployment_schedule(before.id, old.id)


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Prefect's errors as ours, with its own words."""
    import httpx
    from prefect.exceptions import PrefectException
    from pydantic import ValidationError

    try:
        yield
    except (httpx.HTTPError, PrefectException, ValidationError) as error:
        raise DeploymentFailed(f"{what}: {_words(error)}") from error


def _words(error: Exception) -> str:
    response = getattr(error, "response", None)
    try:
        detail = response.json()["detail"] if response is not None else None
    except (ValueError, KeyError, TypeError):
        detail = None
    return (str(detail or "") or str(error) or type(error).__name__)[:2000]


__all__ = ["ENTRYPOINT", "Deployed", "Target", "deploy", "deploy_project", "plan"]
