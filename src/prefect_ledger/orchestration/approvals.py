"""Floor 6. A flow that waits until people have agreed to its request: suspended where a deployment can begin it again, else paused.

The vote itself is the registry's, wherever it is given: by the command line, by Python, or in the form that Prefect shows of a waiting
run. What is typed into that form is known by the typed name alone, which does not satisfy a policy for production; then the form comes
again, and says so. Whoever gives the last vote elsewhere has the run resumed (see :mod:`prefect_ledger.orchestration.waking`).
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import httpx
from prefect import get_run_logger
from prefect.context import get_run_context
from prefect.flow_runs import pause_flow_run, suspend_flow_run
from prefect.input import RunInput

from prefect_ledger import registry
from prefect_ledger.errors import LedgerError
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.orchestration.waking import resume
from prefect_ledger.promotion.promoter import lacking
from prefect_ledger.promotion.report import escaped, request_markdown

if TYPE_CHECKING:
    from prefect_ledger.registered import TransitionRequest

LOOK = 1.0  # seconds between two looks of a paused run at its request
_POLL = 1  # seconds between two looks of Prefect's at the paused run
_AWAY = 5.0  # seconds until a server that is away is looked for again
_ROUND = 3600  # more for a suspended run, which somebody else has to wake: after that Prefect lets it fail
_GRACE = 30  # seconds after a request expired: it ends by itself first, and says why
_HOW = "typed in Prefect's form"


class Answer(RunInput):
    """What Prefect's form asks. To approve, write who you are; where the policy wants to know that better, use prefect-ledger approve."""

    decision: Literal["look again", "approve", "reject"] = "look again"
    reviewer: str = ""
    comment: str = ""


def wait_for_approval(request: TransitionRequest, *, until: float | None = None) -> TransitionRequest:
    """Wait within a flow until nothing is missing or the request ended; returns it as it is then.

    A flow run of a deployment is suspended: its process ends, and when it is resumed the flow begins anew, and comes here again. Waits at
    most ``until`` then (seconds since 1970), as long as the request is open if not said; of a suspended run the flow ``outbox`` sees that.
    """
    ends = request.expires_at.timestamp() if until is None else min(until, request.expires_at.timestamp())
    until, turn, words = time.monotonic() + ends - time.time(), 0, ""
    while (missing := lacking(request)) and request.state == "open" and time.monotonic() < until:
        turn += 1
        answer = _answer(request, turn, f"{words}\n\n{escaped(missing)}" if words else escaped(missing), until)
        request, words = _heard(request, answer)
    registry.settle(request.name, request.version, request.stage)
    return registry.get_request(request.id)


def _answer(request: TransitionRequest, turn: int, words: str, until: float) -> Answer:
    form = Answer.with_initial_data(description=f"{words}\n\n{request_markdown(request)}")
    key = f"request-{request.id}-{turn}"  # when the flow begins anew it is the same, and Prefect gives the answer of then
    timeout = max(1, int(until - time.monotonic()) + _GRACE)
    flow_run = getattr(get_run_context(), "flow_run", None)
    if flow_run is not None and flow_run.deployment_id is not None:
        return suspend_flow_run(wait_for_input=form, timeout=timeout + _ROUND, key=key)
    with _watched(request, getattr(flow_run, "id", None), until):
        while True:
            try:
                return pause_flow_run(wait_for_input=form, timeout=timeout, poll_interval=_POLL, key=key)
            except httpx.TransportError as error:  # longer away than Prefect's client has patience for
                if time.monotonic() >= until:
                    raise
                _log().warning("Prefect's server is away, the run waits on: %s", error)
                time.sleep(_AWAY)


def _heard(request: TransitionRequest, answer: Answer) -> tuple[TransitionRequest, str]:
    """The request after somebody answered in Prefect's form, and what is to be said to whoever sees it next."""
    if answer.decision != "look again":
        vote = registry.approve if answer.decision == "approve" else registry.reject
        try:
            by = Identity(answer.reviewer.strip(), Strength.CLAIMED, _HOW)
            return vote(request.id, answer.comment, by=by), ""
        except LedgerError as refused:
            _log().warning("the vote does not count: %s", refused)
            return registry.get_request(request.id), f"**The last vote does not count:** {escaped(str(refused))}"
    return registry.get_request(request.id), ""


@contextlib.contextmanager
def _watched(request: TransitionRequest, flow_run_id: object, until: float) -> Iterator[None]:
    """Resume this paused run when its request is decided elsewhere, for which nobody needs to reach Prefect but we; or time is over."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK):
            with contextlib.suppress(LedgerError):  # the store is away: look again
                now = registry.get_request(request.id)
                if now.state != "open" or not lacking(now) or time.monotonic() >= until:
                    with contextlib.suppress(Exception):  # Prefect is away: look again
                        resume(flow_run_id)

    thread = threading.Thread(target=look, name="prefect-ledger-approval", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(5)


def _log() -> logging.Logger | logging.LoggerAdapter[logging.Logger]:
    return get_run_logger()
