"""Floor 6. A canary within a flow: what is counted becomes metrics of its run, the verdict a report and the state that it ends in."""

from __future__ import annotations

from typing import Any

from prefect import State, get_run_logger
from prefect.states import Completed

from prefect_ledger import registry
from prefect_ledger.orchestration import reports
from prefect_ledger.orchestration.promotions import candidate, remember, tags
from prefect_ledger.promotion.canary import Rules
from prefect_ledger.promotion.canary_report import markdown
from prefect_ledger.promotion.canary_watch import Watch, Watched
from prefect_ledger.tracking.verbs import current_run

VERDICT, REASON = "canary.verdict", "canary.reason"


def watched(url: str, name: str, version: int | str, rules: Rules, *, seconds: float, every: float) -> Watched:
    """Watch the server until the version can be judged; see :class:`~prefect_ledger.promotion.canary_watch.Watch`.

    Raises:
        RegisteredModelNotFound, VersionNotFound, InvalidValue, DeploymentFailed, StoreUnavailable.
    """
    number, run = candidate(name, version), current_run()
    one = registry.get_version(name, number)
    watch = Watch(name, number, one.logged_id, url, rules, lambda counts: run.log_metrics(counts.values()))
    return watch.until(seconds, every=every)


def gone_on() -> str:
    """Why the version was let go on, where this run said so before it was begun anew; "" else."""
    said = tags()
    return said.get(REASON, "it went on") if said.get(VERDICT) == "go on" else ""


def publish(found: Watched) -> None:
    """Show the verdict: the report as artifact of the run and in Prefect."""
    log = get_run_logger()
    (log.info if found.judged.word == "go on" else log.warning)("%s %s: %s. %s", found.name, found.version, found.judged.word, found.reason)
    description = f"{found.name} {found.version}: {found.judged.word}"
    reports.show("canary", markdown(found), found.to_json(), description, name=found.name)
    remember({VERDICT: found.judged.word, REASON: found.reason[:1_000]})


def state_of(found: Watched) -> State[Any]:
    """Completed where the version goes on; under the name Refused where it goes back, or could not be judged in time."""
    words, data = f"{found.name} {found.version}: {found.judged.word}: {found.reason}", found.to_json()
    return Completed(message=words, data=data) if found.judged.word == "go on" else Completed(name="Refused", message=words, data=data)
