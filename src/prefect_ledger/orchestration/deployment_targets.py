"""Floor 6. Where deployments of a project run: a work pool with its options, and what stands in the way of them there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.formats import listed
from prefect_ledger.orchestration import deployment_schedules
from prefect_ledger.projects.deployments import Deployment, Planned
from prefect_ledger.projects.findings import nearest

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import WorkPool
    from prefect.client.schemas.responses import DeploymentResponse

_HERE = ("process",)  # types of pools whose workers may be on this machine
_AGENT = "prefect-agent"


@dataclass(frozen=True, slots=True)
class Target:
    """A work pool and what runs there are given. None, or nothing: as it is, where the deployment is there already.

    ``shared``: a path of this machine is there, under the same name, where the pool's workers run. ``replace``: a deployment of the same
    name may be of another project.
    """

    pool: str
    queue: str | None = None
    schedules: tuple[str, ...] = ()
    timezone: str | None = None
    tags: tuple[str, ...] = ()
    image: str | None = None
    job_variables: Mapping[str, Any] | None = None
    concurrency_limit: int | None = None
    shared: bool = False
    replace: bool = False

    def __post_init__(self) -> None:
        if not self.pool.strip():
            raise InvalidValue("a work pool has a name: say which one runs the deployments")
        limit: Any = self.concurrency_limit
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise InvalidValue(f"a concurrency limit is a whole number from 1, not {limit!r:.40}")
        if self.image is not None and "image" in (self.job_variables or {}):
            raise InvalidValue("the image is said twice: as image, and as a job variable")

    @property
    def variables(self) -> dict[str, Any]:
        """The job variables, the image among them."""
        return {**(self.job_variables or {}), **({} if self.image is None else {"image": self.image})}

    def read_schedules(self) -> list[tuple[str, Any]]:
        """Prefect's schedules with their slugs. Raises InvalidValue."""
        return deployment_schedules.read(self.schedules, self.timezone)


def problems(planned: Planned, target: Target) -> Iterator[str]:
    """What is wrong with ``target`` as far as it can be known without Prefect's API."""
    try:
        target.read_schedules()
    except InvalidValue as error:
        yield str(error)
    if target.schedules:
        yield from (_unsaid(one, "or no --schedule") for one in planned.deployments if one.lacking)


def problems_of_schedules(one: Deployment, before: DeploymentResponse | None) -> Iterator[str]:
    """What stands against the schedules that a deployment has already, which do not give it what it needs by now."""
    if one.lacking and before is not None and any(found.active and not found.parameters for found in before.schedules):
        yield _unsaid(one, f"or take the schedules of {one.name!r} away in Prefect")


def problems_of_pool(client: SyncPrefectClient, planned: Planned, target: Target) -> Iterator[str]:
    """What is wrong with the pool. Raises what Prefect's client raises."""
    from prefect.exceptions import ObjectNotFound

    try:
        pool = client.read_work_pool(target.pool)
    except ObjectNotFound:
        there = sorted(one.name for one in client.read_work_pools())
        hint = nearest(target.pool, there) or (f"; there are {listed(there, 10)}" if there else "; there is none")
        yield f"no work pool {target.pool!r:.80}{hint}: prefect work-pool create {target.pool} --type process makes it"
        return
    if pool.type == _AGENT:
        yield f"the work pool {target.pool!r} is of the type {_AGENT}, which runs no deployments any more"
    yield from _of_variables(pool, target)
    if planned.local and pool.type not in _HERE and not target.shared:
        yield (
            f"the project is at {planned.local} on this machine, which runs of the work pool {target.pool!r} ({pool.type}) do not see:"
            " deploy it from a git URL, or pack it (prefect-ledger project pack) into a folder that they see too,"
            " and say --shared"
        )


def notes(planned: Planned, target: Target) -> Iterator[str]:
    """What has to be so where it runs, and cannot be seen from here."""
    yield from planned.notes
    if planned.local and not target.shared:
        yield (
            f"each run reads the project at {planned.local}: a worker on another machine has to have it there too, and what changes there"
            " changes the runs"
        )


def _unsaid(one: Deployment, or_else: str) -> str:
    return (
        f"entry point {one.entry_point!r} needs {listed(one.lacking, 20)}, which nobody gives to a scheduled run: -P {one.lacking[0]}=…,"
        f" {or_else}"
    )


def _of_variables(pool: WorkPool, target: Target) -> Iterator[str]:
    known = (pool.base_job_template.get("variables") or {}).get("properties") or {}
    for name in target.variables:
        if name.partition(".")[0] in known or not known:
            continue
        if name == "image":
            yield f"runs of the work pool {target.pool!r} ({pool.type}) have no image: leave --image out, or take a pool of containers"
        else:
            hint = nearest(name, known) or f"; it has {listed(sorted(known), 20)}"
            yield f"the work pool {target.pool!r} ({pool.type}) has no job variable {name!r:.80}{hint}"
