"""Floor 6. ``prefect-ledger promote``, ``approve`` and ``reject``: a version on its way to a stage."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from prefect_ledger.cli.formats import clean
from prefect_ledger.cli.options import By, Json, Request, Why
from prefect_ledger.cli.render import dim, print_json, say, warn
from prefect_ledger.cli.versions import Meant, ModelName, NameBefore, Selector
from prefect_ledger.errors import InvalidValue, TransitionRefused

if TYPE_CHECKING:
    from prefect_ledger.registered import ModelVersion, TransitionRequest

REFUSED = 3
Stage = Annotated[str, Parameter(help="none, staging, production or archived.")]
Signature = Annotated[Path | None, Parameter(help="A file with your signature of what `promotion to-sign` gives.")]
Yes = Annotated[bool, Parameter(name="--yes", negative="", help="Do not ask; needed where no terminal is.")]


def promote(
    name: NameBefore,
    version: Selector,
    /,
    *,
    to: Annotated[str, Parameter(help="The stage: production if not said.")] = "production",
    why: Why = "",
    by: By = None,
    json: Json = False,
) -> int:
    """Bring a version into a stage, as the policy asks: request, gates, approvals, and the move.

    Where the policy has gates or wants approvals, this opens a request with
    its gate report. When nothing is missing the version moves at once; else
    what is missing is said, and the exit code is 3. Run it again when the
    approvals are there.

    For example:

        prefect-ledger promote churn 7
        prefect-ledger promote churn @challenger --to staging --why "better on new customers"
    """
    from prefect_ledger import registry
    from prefect_ledger.cli.request_page import missing_text

    number = Meant(name, version).number()
    one = registry.get_version(name, number)
    if one.stage == to:
        _said(one, None, "", json, already=True)
        return 0
    request = _request(name, number, to, why, by)
    lacking = "" if request is None else missing_text(request)
    if not lacking:
        try:
            one = registry.transition(name, number, to, why=why, by=by)
        except TransitionRefused as refused:
            lacking = str(refused)
        else:
            request = None if request is None else registry.get_request(request.id)
    _said(one, request, lacking, json)
    return REFUSED if lacking else 0


def rollback(
    name: ModelName,
    /,
    *,
    why: Annotated[str, Parameter(help="Why it goes back; it stands in the audit log.")],
    to: Annotated[int | None, Parameter(help="A version that was in the stage; the one before the present one if not said.")] = None,
    stage: Stage = "production",
    by: By = None,
    json: Json = False,
) -> None:
    """Bring the version that was in a stage before back into it.

    Before anything moves it is fetched and checked, opened, and predicts its
    own example. The alias champion goes with it where it means the version
    that leaves, which is archived.

    For example:

        prefect-ledger rollback churn --why "wrong for new customers"
        prefect-ledger rollback churn --to 5 --why "6 was trained on the same month"
    """
    from prefect_ledger import registry

    one = registry.rollback(name, why, to=to, stage=stage, by=by)
    _said(one, None, "", json)


def approve(
    request: Request,
    /,
    *,
    comment: Annotated[str, Parameter(help="What you want to say with it.")] = "",
    yes: Yes = False,
    signature: Signature = None,
    by: By = None,
    json: Json = False,
) -> int:
    """Agree to a request. Shows its gate report first, and asks.

    An approval counts for the evidence that was shown. Whoever made the
    version or asked for the move cannot agree, unless the policy says so;
    what does not count is refused with the reason (exit code 3). Where the
    policy lists your key, PREFECT_LEDGER_IDENTITY_KEY names it here and the
    vote is signed, or --signature has one that was made elsewhere.

    For example:

        prefect-ledger approve 3
        prefect-ledger approve 3 --comment "checked the slices" --yes
    """
    from prefect_ledger import registry
    from prefect_ledger.cli.registry_records import registry_record
    from prefect_ledger.cli.request_page import show_request

    one = registry.get_request(request)
    if not json:
        show_request(one)
    if one.state == "open" and not yes and not _agreed(f"approve request {one.id}?", json):
        warn("nothing was recorded")
        return 1
    done = registry.approve(request, comment, evidence=one.evidence, signature=_signature(signature), by=by)
    if json:
        print_json(registry_record(done))
    else:
        _next(done)
    return 0


def reject(
    request: Request,
    /,
    *,
    comment: Annotated[str, Parameter(help="Why: everybody will read it.")],
    signature: Signature = None,
    by: By = None,
    json: Json = False,
) -> None:
    """Refuse a request, which ends it. A vote that does not count is refused with the reason (exit code 3).

    For example:

        prefect-ledger reject 3 --comment "too few rows of new customers"
    """
    from prefect_ledger import registry
    from prefect_ledger.cli.registry_records import registry_record

    done = registry.reject(request, comment, signature=_signature(signature), by=by)
    if json:
        print_json(registry_record(done))
    else:
        say(f"request {done.id} ({clean(done.name)} {done.version} to {done.stage}) is rejected")


def transition(
    name: NameBefore,
    version: Selector,
    stage: Stage,
    /,
    *,
    expected: Annotated[str | None, Parameter(help="The version that is in the stage now, or none: moved only if that is so.")] = None,
    break_glass: Annotated[
        bool, Parameter(negative="", help="Pass over gates and approvals, for those whom the policy lets. Needs --why.")
    ] = False,
    why: Why = "",
    by: By = None,
    json: Json = False,
) -> None:
    """Move a version to a stage. Refused (exit code 3) where the policy asks for what is not there.

    `prefect-ledger promote` opens the request that is needed. --break-glass
    passes over gates and approvals, and stands in the audit log as such.

    For example:

        prefect-ledger models transition churn 7 staging
        prefect-ledger models transition churn 6 production --expected 7 --why "7 answers too slowly"
        prefect-ledger models transition churn 6 production --break-glass --why "7 answers NaN, incident 4711"
    """
    from prefect_ledger import registry
    from prefect_ledger.cli.registry_records import registry_record
    from prefect_ledger.registry.access import WHERE_IT_IS

    seen = WHERE_IT_IS if expected is None else None if expected == "none" else expected
    number = Meant(name, version).number()
    moved = registry.transition(name, number, stage, expected=seen, break_glass=break_glass, why=why, by=by)
    if json:
        print_json(registry_record(moved))
    else:
        say(f"{clean(moved.name)} {moved.version} is in {moved.stage}")


def _request(name: str, number: int, stage: str, why: str, by: str | None) -> TransitionRequest | None:
    """The open request for this move, else a new one; None where the policy wants none."""
    from prefect_ledger import registry

    if not registry.get_policy().policy.rule(name, stage).needs_request:
        return None
    registry.settle(name, number, stage)
    waiting = [one for one in registry.list_requests(name, state="open") if (one.version, one.stage) == (number, stage)]
    return waiting[0] if waiting else registry.request_transition(name, number, stage, why=why, by=by)


def _said(one: ModelVersion, request: TransitionRequest | None, lacking: str, json: bool, *, already: bool = False) -> None:
    from prefect_ledger.cli.registry_records import registry_record
    from prefect_ledger.cli.request_page import show_request

    if json:
        asked = None if request is None else registry_record(request)
        print_json({"version": registry_record(one), "request": asked, "moved": not (lacking or already), "missing": lacking})
        return
    if request is not None:
        show_request(request)
        say("")
    if lacking:
        warn(f"refused: {clean(lacking)}", style="bold red")
    else:
        say(f"{clean(one.name)} {one.version} is in {one.stage}" + (" already" if already else ""))


def _next(one: TransitionRequest) -> None:
    from prefect_ledger.cli.registry_records import missing

    lacking = missing(one)
    say(f"approved; {lacking} of {one.rule['approvals']} approvals missing still" if lacking else "approved; nothing is missing")
    if not lacking:
        dim(f"prefect-ledger promote {clean(one.name)} {one.version} --to {one.stage} carries it out")


def _agreed(question: str, json: bool) -> bool:
    if json or not sys.stdin.isatty():
        raise InvalidValue("there is nobody to ask here: look at `prefect-ledger promotion show`, then say --yes")
    sys.stdout.flush()
    sys.stderr.write(f"\n{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _signature(file: Path | None) -> str | None:
    from prefect_ledger.cli.files import text_of

    return None if file is None else text_of(file)
