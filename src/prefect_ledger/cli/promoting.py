"""Floor 6. ``prefect-ledger promote``, ``rollback``, ``challenge``, ``approve`` and ``reject``: a version on its way to a stage."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from prefect_ledger.cli.holdout import NO_HOLDOUT, AskedAbout
from prefect_ledger.cli.options import By, Json, Request, Why
from prefect_ledger.cli.render import dim, print_json, say, warn
from prefect_ledger.cli.report_files import NO_FILES, Reported
from prefect_ledger.cli.versions import Meant, ModelName, NameBefore, Selector
from prefect_ledger.errors import InvalidValue
from prefect_ledger.formats import clean
from prefect_ledger.registered import STAGES, check_stage

if TYPE_CHECKING:
    from prefect_ledger.registered import TransitionRequest


def _seconds(_type: object, tokens: Any) -> float:
    """Seconds, or a duration as policies have them.

    Raises:
        ValueError: it is neither.
    """
    from prefect_ledger.policies.durations import duration

    text = tokens[0].value
    try:
        found = float(text)
    except ValueError:
        found = duration(text) / 1_000_000
    if not 0 <= found < float("inf"):
        raise ValueError(f"--wait is a number of seconds, or a duration such as 15m, not {text!r:.80}")
    return found


Alias = Annotated[
    list[str] | None, Parameter(negative="--no-alias", help="Alias that means the version then, champion if not said; again for more.")
]
Deploy = Annotated[
    list[str] | None,
    Parameter(negative="--no-deploy", help="Target whose deployments follow, all that can be asked if not said; again for more."),
]
Endpoint = Annotated[tuple[str, ...], Parameter(negative="", help="Address of a server that follows by itself, asked too; again for more.")]
Wait = Annotated[
    float, Parameter(converter=_seconds, help="How long to wait for approvals, as 90 (seconds) or 15m: not at all if not said.")
]
Stage = Annotated[str, Parameter(help="none, staging, production or archived.")]
Signature = Annotated[Path | None, Parameter(help="A file with your signature of what `promotion to-sign` gives.")]
Yes = Annotated[bool, Parameter(name="--yes", negative="", help="Do not ask; needed where no terminal is.")]


def promote(
    name: NameBefore,
    version: Selector,
    /,
    *,
    to: Annotated[str, Parameter(help="The stage: production if not said.")] = "production",
    rows: AskedAbout = NO_HOLDOUT,
    alias: Alias = None,
    deploy: Deploy = None,
    endpoint: Endpoint = (),
    wait: Wait = 0.0,
    why: Why = "",
    by: By = None,
    files: Reported = NO_FILES,
    json: Json = False,
) -> int:
    """Bring a version into a stage, as the policy asks: request, gates, approvals, the move, deployments, and smoke tests.

    The version is opened first. Where the policy has gates or wants approvals,
    this opens a request with its gate report. When nothing is missing the
    version moves, deployments that follow are updated, and whatever serves it
    is asked for its example; where that fails, the move is taken back (exit
    code 1). Else what is missing is said, and the exit code is 3. Run it again
    when the approvals are there, or after it was killed: it goes on.

    For example:

        prefect-ledger promote churn 7
        prefect-ledger promote churn @challenger --to staging --why "better on new customers"
        prefect-ledger promote churn staging --holdout june.parquet --target churned --wait 2h --report promotion.md
    """
    from prefect_ledger.cli.promotion_page import ShownPromoter, progress, said
    from prefect_ledger.promotion.places import check_endpoints, check_targets
    from prefect_ledger.promotion.promoter import aliases_of, candidate_of
    from prefect_ledger.promotion.promoting import carry_out
    from prefect_ledger.promotion.report import junit, markdown

    stage = check_stage(to)
    aliases = aliases_of(stage, alias)
    with files.opened(f"{name} {version} to {stage}") as write, progress(f"promoting {name} {version}") as tell:
        number = candidate_of(name, version, stage) if version in STAGES else Meant(name, version).number()
        given = (rows.rows(), rows.by(), aliases, check_targets(deploy), check_endpoints(endpoint), why, by)
        told = carry_out(ShownPromoter(name, number, stage, *given, tell=tell), wait)
        write(markdown(told), junit(told))
    return said(told, json=json)


def rollback(
    name: ModelName,
    /,
    *,
    why: Annotated[str, Parameter(help="Why it goes back; it stands in the audit log.")],
    to: Annotated[int | None, Parameter(help="A version that was in the stage; the one before the present one if not said.")] = None,
    stage: Stage = "production",
    alias: Alias = None,
    deploy: Deploy = None,
    endpoint: Endpoint = (),
    by: By = None,
    files: Reported = NO_FILES,
    json: Json = False,
) -> int:
    """Bring the version that was in a stage before back into it.

    Before anything moves it is fetched and checked, opened, and predicts its
    own example. The alias champion goes with it where it means the version
    that leaves, which is archived. Then deployments that follow are updated,
    and whatever serves the model is asked: exits with 1 where something does
    not serve the version, which stays all the same.

    For example:

        prefect-ledger rollback churn --why "wrong for new customers"
        prefect-ledger rollback churn --to 5 --why "6 was trained on the same month"
    """
    from prefect_ledger.cli.promotion_page import progress, said
    from prefect_ledger.promotion.promoter import aliases_of
    from prefect_ledger.promotion.report import junit, markdown
    from prefect_ledger.promotion.rolling_back import rollback as go_back
    from prefect_ledger.tracking.context import telling_later

    aliases = aliases_of("production", alias)  # of these only those that mean the version that leaves
    with telling_later():
        with files.opened(f"{name} back in {stage}") as write, progress(f"rolling back {name}"):
            told = go_back(name, why, to=to, stage=stage, aliases=aliases, targets=deploy, endpoints=endpoint, by=by)
            write(markdown(told), junit(told))
        code = said(told, json=json)
        sys.stdout.flush()
    return code


def challenge(
    name: Annotated[str | None, Parameter(help="A registered model; all that have versions there if not said.")] = None,
    /,
    *,
    to: Annotated[str, Parameter(help="The stage to ask for: production if not said.")] = "production",
    source: Annotated[str, Parameter(help="The stage where they wait: staging if not said.")] = "staging",
    rows: AskedAbout = NO_HOLDOUT,
    why: Why = "",
    by: By = None,
    files: Reported = NO_FILES,
    json: Json = False,
) -> int:
    """Compare each version in staging with the champion, and open a request where its gates pass.

    Made for a schedule: requests that are open stay, and what was refused is
    not asked for again before champion, rule, recorded values or rows are
    others. Nothing moves. Exits with 0 when a request is open for some, with 3
    when none passed, with 1 when some could not be judged and none is open.

    For example:

        prefect-ledger challenge
        prefect-ledger challenge churn --holdout june.parquet --target churned --report challenges.md
    """
    from prefect_ledger.cli.challenge_page import said
    from prefect_ledger.cli.promotion_page import progress
    from prefect_ledger.promotion.challenge_report import junit, markdown
    from prefect_ledger.promotion.challenging import challenge as ask

    with files.opened(f"challenges of {name or 'all models'}") as write, progress(f"comparing versions in {source} with the champion"):
        found = ask(name, stage=to, source=source, rows=rows.rows(), evaluator=rows.by(), why=why, by=by)
        write(markdown(found), junit(found))
    return said(found, json=json)


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


def _next(one: TransitionRequest) -> None:
    from prefect_ledger.cli.registry_records import missing

    lacking = missing(one)
    say(f"approved; {lacking} of {one.rule['approvals']} approvals missing still" if lacking else "approved; nothing is missing")
    if not lacking:
        dim(f"prefect-ledger promote {clean(shlex.quote(one.name))} {one.version} --to {one.stage} carries it out")


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
