"""Floor 6. A promotion within a flow: its steps are tasks, it waits as flows wait, and goes on where it was when it is begun anew.

What this run did is in the tags of its run in the ledger; all else the registry says. So a run that is resumed, or tried again after it
was killed at whatever step, ends what it began, and does nothing twice.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prefect import Task, get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from prefect.states import Completed, Failed

from prefect_ledger import registry
from prefect_ledger.errors import InvalidValue, LedgerError
from prefect_ledger.orchestration import reports
from prefect_ledger.orchestration.approvals import wait_for_approval
from prefect_ledger.orchestration.waking import TAG, UNTIL, waits_until
from prefect_ledger.promotion.promoter import REFUSED, Promoter, candidate_of, lacking
from prefect_ledger.promotion.promotion import Promotion
from prefect_ledger.promotion.report import markdown
from prefect_ledger.promotion.rolling_back import rollback
from prefect_ledger.registry.access import check_version
from prefect_ledger.tracking.reading import get_run
from prefect_ledger.tracking.verbs import current_run

if TYPE_CHECKING:
    from prefect import State

    from prefect_ledger.promotion.checking import Check
    from prefect_ledger.promotion.evaluating import Evaluated
    from prefect_ledger.promotion.followers import Followers
    from prefect_ledger.registered import ModelVersion, TransitionRequest
    from prefect_ledger.tracking.trying import Tried

MOVED, STATE, VERSION = "promotion.moved", "promotion.state", "promotion.version"


def _step(verb: Callable[..., Any], name: str, **options: Any) -> Any:
    # A result from a cache would be a change that did not happen; none is kept either, since all steps can be done again.
    return Task(verb, name=name, cache_policy=NO_CACHE, persist_result=False, tags=["prefect-ledger"], **options)


_AGAIN: dict[str, Any] = {"retries": 2, "retry_delay_seconds": 2}
_try = _step(Promoter.try_it, "try-version", **_AGAIN)
_evaluate = _step(Promoter.evaluate, "evaluate")
_ask = _step(Promoter.ask, "request-transition")
_move = _step(Promoter.move, "move")
_follow = _step(Promoter.follow, "follow")
_check = _step(Promoter.check, "smoke-test")
_rollback = _step(rollback, "rollback")
_go_back = _step(Promoter.go_back, "go-back", **_AGAIN)


class PromoterInFlow(Promoter):
    """The steps of a promotion as tasks of the flow that calls them."""

    __slots__ = ()

    def over(self, told: Promotion) -> Promotion | None:
        """How this run ended, where it was begun before: its request was refused, or its move was taken back."""
        said = tags()
        request, one = self._own(said), self.candidate()
        if MOVED in said and one.stage != self.stage:
            moves = [change for change in registry.history(self.name, self.version) if change.action == "version.moved"]
            if not moves:  # anybody may write tags
                return None
            last = moves[-1]
            if last.after.get("how") == "undo":
                return replace(told, state="went back", request=request, reason=last.why)
            left = f"version {self.version} came into {self.stage}, and was moved on since by {last.by.name}: {last.why or 'no reason'}"
            return replace(told, state="promoted", request=request, reason=left)
        if request is not None and request.state not in ("open", "done"):
            return replace(told, state="refused", request=request, reason=lacking(request))
        return None

    def _own(self, said: Mapping[str, str]) -> TransitionRequest | None:
        """The request that this run's tags name, where it is for this move: anybody may write tags."""
        with contextlib.suppress(LedgerError):
            one = registry.get_request(said.get(TAG, ""))  # type: ignore[arg-type]  # it takes texts, and refuses what is no number
            if (one.name, one.version, one.stage) == (self.name, self.version, self.stage):
                return one
        return None

    def there(self, told: Promotion) -> Promotion:
        """Promoted, where this run's own request brought it there: by this run before it was begun anew, or by another that was quicker."""
        remember({MOVED: str(self.version)})
        request = self._own(tags())
        if request is None or request.state != "done":
            return super().there(told)
        before = None if request.champion == self.version else request.champion
        return replace(told, request=request, before=before, reason=f"version {self.version} is in {self.stage}")

    def try_it(self) -> tuple[Check, Tried | None]:
        """The base's, as a task."""
        found: tuple[Check, Tried | None] = _try(_plain(self))
        return found

    def evaluate(self) -> Evaluated:
        """The base's, as a task where there is something to be asked."""
        if self.rows is None:
            return super().evaluate()
        found: Evaluated = _evaluate(_plain(self))
        return found

    def ask(self, found: Evaluated | None = None) -> TransitionRequest:
        """The base's, as a task."""
        made: TransitionRequest = _ask(_plain(self), found)
        return made

    def wait(self, request: TransitionRequest, seconds: float | None) -> TransitionRequest:
        """Paused or suspended until the request is decided; see :func:`~prefect_ledger.orchestration.approvals.wait_for_approval`."""
        remember({TAG: str(request.id)})
        if not lacking(request):
            return request
        if seconds is not None and UNTIL not in tags():  # counted from here, also when the run is suspended and resumed in between
            remember({UNTIL: f"{time.time() + seconds:.0f}"})
        return wait_for_approval(request, until=waits_until(tags()))

    def move(self) -> ModelVersion:
        """The base's, as a task."""
        moved: ModelVersion = _move(_plain(self))
        remember({MOVED: str(moved.version)})
        return moved

    def follow(self) -> Followers:
        """The base's, as a task."""
        found: Followers = _follow(_plain(self))
        return found

    def check(self, found: Followers, tried: Tried | None) -> list[Check]:
        """The base's, as a task."""
        checks: list[Check] = _check(_plain(self), found, tried)
        return checks

    def go_back(self, why: str) -> tuple[ModelVersion | None, Followers]:
        """The base's, as a task."""
        back: tuple[ModelVersion | None, Followers] = _go_back(_plain(self), why)
        return back


def candidate(name: str, version: int | str, stage: str = "production") -> int:
    """The number that ``version`` meant when this run began first: the stage it was in may mean another by now.

    Raises:
        RegisteredModelNotFound, VersionNotFound: nothing is meant. StoreUnavailable.
    """
    if (meant := _meant()) is not None:
        return meant
    number = candidate_of(name, version, stage)
    remember({VERSION: str(number)})
    return number


def _meant() -> int | None:
    """The version that this run said it means, when it began first; None where it did not, or somebody else wrote what can be none."""
    with contextlib.suppress(InvalidValue):
        return check_version(tags().get(VERSION, ""))
    return None


def rolled_back(name: str, why: str, to: int | None, stage: str, aliases: tuple[str, ...], **more: Any) -> Promotion:
    """Go back, as a task, to the version that was meant when this run began first; see :func:`prefect_ledger.promotion.rollback`.

    Raises:
        VersionNotFound, ModelUnusable, ArtifactCorrupt, InvalidValue and what else that raises, but for a refusal.
    """
    meant = _meant()
    number = meant if meant is not None else to if to is not None else registry.previous(name, stage).version
    remember({VERSION: str(number)})
    try:
        told: Promotion = _rollback(name, why, to=number, stage=stage, aliases=aliases, **more)
    except REFUSED as refused:
        return Promotion(name, number, stage, "refused", str(refused))
    return told


def publish(told: Promotion) -> None:
    """Show a promotion: the report as artifact of the run and in Prefect, and an event."""
    current_run().set_tags({STATE: told.state})
    log = get_run_logger()
    (log.info if told.ok else log.warning)("%s %s to %s: %s. %s", told.name, told.version, told.stage, told.state, told.reason)
    description = f"{told.name} {told.version} to {told.stage}: {told.state}"
    reports.show("promotion", markdown(told), told.to_json(), description, name=told.name)
    resource = {"prefect.resource.id": f"prefect-ledger.model.{told.name}", "prefect-ledger.version": str(told.version)}
    resource |= {"prefect.resource.name": told.name, "prefect-ledger.stage": told.stage}
    emit_event(f"prefect-ledger.promotion.{told.state.replace(' ', '-')}", resource=resource, payload=told.to_json())


def state_of(told: Promotion) -> State[Any]:
    """The state that a flow ends in: a refusal is an answer and no fault, what does not work is one."""
    words = f"{told.name} {told.version} to {told.stage}: {told.reason}"
    if told.ok:
        return Completed(message=words, data=told.to_json())
    if told.state in ("refused", "waiting"):
        return Completed(name="Refused", message=words, data=told.to_json())
    return Failed(message=words, data=told.to_json())


def left_alone(one: Promoter, *, by_request_only: bool, approved_only: bool) -> State[Any] | None:
    """The state of a run that nobody started where there is nothing for it to do; None where there is.

    That is: nothing is agreed to (``approved_only``); or no policy asks for anything, or asks about rows that are not given.
    """
    why, asked = "", one.waiting() if approved_only else None
    if approved_only and (asked is None or lacking(asked)):
        why = "no request for it is open" if asked is None else lacking(asked)
    elif by_request_only and not one.needs_request():
        why = f"no policy has gates or wants approvals for {one.name} in {one.stage}"
    elif by_request_only and one.rows is None and (gate := _of_rows(one)):
        why = f"its gate {gate!r} is about rows, and none are given"
    if not why:
        return None
    words = f"{one.name} {one.version} is left alone: {why}"
    get_run_logger().info(words)
    return Completed(name="Left alone", message=words)


def _of_rows(one: Promoter) -> str:
    """The first gate of the rule that judges rows."""
    from prefect_ledger.gates import parse_gate

    gates = map(parse_gate, registry.get_policy().policy.rule(one.name, one.stage).gates)
    return next((gate.name for gate in gates if gate.needs_rows()), "")


def _plain(one: Promoter) -> Promoter:
    return Promoter(*(getattr(one, key) for key in Promoter.__slots__))


def remember(said: dict[str, str]) -> None:
    """Tag the run, and have that in the store before anything else happens."""
    run = current_run()
    run.set_tags(said)
    run._ledger.flush()


def tags() -> dict[str, str]:
    """The tags of this run as they stand in the store, those of attempts before this one too."""
    run = current_run()
    run._ledger.flush()
    return dict(get_run(run.id).tags)
