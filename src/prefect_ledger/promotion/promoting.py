"""Floor 5. Promoting a version: judged, asked for, moved, deployed, verified, and taken back where that fails."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prefect_ledger import registry
from prefect_ledger.errors import LedgerError
from prefect_ledger.promotion.followers import Followers
from prefect_ledger.promotion.places import check_endpoints, check_targets
from prefect_ledger.promotion.promoter import REFUSED, Promoter, aliases_of, candidate_of, lacking
from prefect_ledger.promotion.promotion import Promotion

if TYPE_CHECKING:
    from prefect_ledger.identities import Identity
    from prefect_ledger.promotion.checking import Check
    from prefect_ledger.promotion.evaluating import Rows
    from prefect_ledger.registered import TransitionRequest
    from prefect_ledger.tracking.trying import Tried


def promote(
    name: str,
    version: int | str,
    *,
    stage: str = "production",
    rows: Rows | None = None,
    evaluator: str = "rows",
    aliases: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    endpoints: Sequence[str] = (),
    wait: float | None = 0.0,
    why: str = "",
    by: Identity | str | None = None,
) -> Promotion:
    """Bring a version into a stage as the policy asks, have what serves the model follow, and verify that; returns how it went.

    The version is opened and predicts its own example before anything is asked for. Where the policy has gates or wants approvals, a
    request is opened, judged on what was recorded and on ``rows``, which candidate and champion are both asked about; the approvals are
    waited for at most ``wait`` seconds. Then the version and ``aliases`` move in one change, deployments that follow them are updated
    (``targets``: of these alone; an empty list: none), and these and the servers at ``endpoints`` are asked for the version's example.
    Where one does not answer as the version itself does, the move is taken back, and the version before serves again.

    What is refused, waits, or went back is an answer and not an error: look at ``state``. Done again, it goes on where it was left.

    Raises:
        RegisteredModelNotFound, VersionNotFound, InvalidName, InvalidValue: of what was given, of the rows, or of the evaluator.
        StoreUnavailable, ArtifactsUnavailable.

    Example:
        >>> done = promote("churn", "latest", rows=Rows("holdout.parquet", "churned"), wait=600)
        >>> done.state, done.reason
        ('promoted', '')
    """
    given = (aliases_of(stage, aliases), check_targets(targets))
    number = candidate_of(name, version, stage)
    one = Promoter(name, number, stage, rows, evaluator, *given, check_endpoints(endpoints), why, by)
    return carry_out(one, wait)


def carry_out(one: Promoter, wait: float | None) -> Promotion:
    """Do all the steps of a promotion; see :func:`promote`."""
    begun = time.monotonic()
    told, head = _promoted(one, wait), registry.audit_head()
    return replace(told, head=(head.seq, head.hash), seconds=time.monotonic() - begun)


def _promoted(one: Promoter, wait: float | None) -> Promotion:
    champion = registry.get_model(one.name).stages.get(one.stage)
    told = Promotion(one.name, one.version, one.stage, "promoted", "", None if champion == one.version else champion)
    if (ended := one.over(told)) is not None:
        return ended
    tried, model = one.try_it()
    told = replace(told, checks=(tried,))
    try:
        if one.candidate().stage == one.stage:
            return _verified(one, one.there(told), model)
        if not tried.ok:
            return replace(told, state="failed", reason=f"version {one.version} does not work: {tried.said}")
        request = _requested(one)
        if request is not None:
            request = one.wait(request, wait)
            told = replace(told, request=request)
            if words := lacking(request):
                return replace(told, state="waiting" if request.state == "open" else "refused", reason=words)
        return _finish(one, _moved(one, told), model)
    except REFUSED as refused:
        return replace(told, state="refused", reason=str(refused))


def _verified(one: Promoter, told: Promotion, model: Tried | None) -> Promotion:
    """Finish what is in the stage already; aliases that were left behind come along, and go back where something does not work."""
    before = one.mean_it() if all(check.ok for check in told.checks) else {}
    told = _finish(one, told, model)
    if before and not told.ok:
        one.mean_again(before, told.reason[:2_000])
    return told


def _requested(one: Promoter) -> TransitionRequest | None:
    """The request for the move, opened where there is none yet; None where the policy wants none."""
    if not one.needs_request():
        return None
    return one.waiting() or one.ask(one.evaluate())


def _moved(one: Promoter, told: Promotion) -> Promotion:
    """Move the version; what is told is that it is in the stage, by which request."""
    one.move()
    request = None if told.request is None else registry.get_request(told.request.id)
    return replace(told, request=request, reason=f"version {one.version} is in {one.stage}")


def _finish(one: Promoter, told: Promotion, model: Tried | None) -> Promotion:
    """Have what serves the model follow, ask it, and go back where that fails."""
    found = one.follow()
    checks = [*told.checks, *one.check(found, model)]
    told = replace(told, followers=found.found, unasked=found.unasked, checks=tuple(checks))
    wrong = [check for check in checks if not check.ok]
    return told if not wrong else _went_back(one, told, wrong)


def _went_back(one: Promoter, told: Promotion, wrong: Sequence[Check]) -> Promotion:
    """Take the move back, and say why."""
    why = "; ".join(f"{check.what}: {check.said}" for check in wrong)[:2_000]
    try:
        back, found = one.go_back(f"smoke test failed: {why}")
    except LedgerError as error:
        return replace(told, state="failed", reason=f"{why}. It stays in {one.stage}: {error}")
    what = "nothing was in the stage before" if back is None else f"version {back.version} is in {one.stage} again"
    return replace(told, state="went back", reason=f"{why}. {what}", **_followed(found))


def _followed(found: Followers) -> dict[str, Any]:
    return {"followers": found.found, "unasked": found.unasked} if found.found or found.unasked else {}
