"""Floor 6. A challenge within a flow: a task, a report, and the state that the flow ends in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import State, Task, get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed

from prefect_ledger.orchestration import reports
from prefect_ledger.promotion.challenge_report import markdown
from prefect_ledger.promotion.challenging import Challenge, challenge, exit_code
from prefect_ledger.tracking.verbs import current_run

_challenge: Any = Task(challenge, name="challenge", cache_policy=NO_CACHE, persist_result=False, tags=["prefect-ledger"])
_REFUSED = 3


def challenged(name: str | None, **words: Any) -> list[Challenge]:
    """:func:`prefect_ledger.promotion.challenge`, as a task."""
    found: list[Challenge] = _challenge(name, **words)
    log = get_run_logger()
    for one in found:
        log.info("%s %s to %s: %s. %s", one.name, one.version, one.stage, one.state, one.reason)
    return found


def publish(found: Sequence[Challenge]) -> None:
    """Show what came of it: as artifact of the run, and in Prefect."""
    current_run().set_tags({"challenge.opened": str(sum(one.state == "opened" for one in found))})
    data = {"challenges": [one.to_json() for one in found]}
    reports.show("challenge", markdown(found), data, f"{len(found)} versions compared with their champions")


def state_of(found: Sequence[Challenge]) -> State[Any]:
    """Completed where a request is open or nothing was there, else Refused or Failed."""
    data = [one.to_json() for one in found]
    words = "; ".join(f"{one.name} {one.version}: {one.state}" for one in found)[:2_000] or "nothing waits to be compared"
    code = exit_code(found) if found else 0
    if code == _REFUSED:
        return Completed(name="Refused", message=words, data=data)
    return Failed(message=words, data=data) if code else Completed(message=words, data=data)
