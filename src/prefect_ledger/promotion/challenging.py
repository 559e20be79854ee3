"""Floor 5. Challenging: versions that wait in a stage are compared with the champion, and asked for where their gates pass.

Made to be done again and again, by a schedule: what was refused is not asked for again before something of it is another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from prefect_ledger import registry
from prefect_ledger.errors import InvalidValue, LedgerError
from prefect_ledger.promotion.evaluating import BUILT_IN, Rows
from prefect_ledger.promotion.promoter import Promoter, lacking
from prefect_ledger.registered import check_stage

if TYPE_CHECKING:
    from prefect_ledger.identities import Identity
    from prefect_ledger.registered import ModelVersion, TransitionRequest

Answer: TypeAlias = Literal["opened", "open", "refused", "unchanged", "failed"]
_ANSWERED = ("rejected", "withdrawn")  # by gates or people; expired and void ones nobody answered


@dataclass(frozen=True, slots=True)
class Challenge:
    """What came of one version: ``state`` is "opened": its gates passed, and a request waits; "open": one was open already; "refused" by
    its gates; "unchanged": its last request was refused, and nothing that was judged is another now; "failed": it could not be judged.
    ``reason`` says it in a sentence, ``champion`` is the version that it was compared with.
    """

    name: str
    version: int
    stage: str
    state: Answer
    reason: str
    champion: int | None = None
    request: TransitionRequest | None = None

    @property
    def ok(self) -> bool:
        """Whether a request is open for it."""
        return self.state in ("opened", "open")

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        told = {key: getattr(self, key) for key in ("name", "version", "stage", "state", "ok", "reason", "champion")}
        return {**told, "request": None if self.request is None else self.request.id}


def exit_code(found: Sequence[Challenge]) -> int:
    """What a command ends with: 0 where a request is open for some, 1 where none is and some failed, 3 where none passed.

    Example:
        >>> exit_code([Challenge("churn", 8, "production", "refused", "worse"), Challenge("churn", 9, "production", "opened", "better")])
        0
    """
    if any(one.ok for one in found):
        return 0
    return 1 if any(one.state == "failed" for one in found) else 3


def challenge(
    name: str | None = None,
    *,
    stage: str = "production",
    source: str = "staging",
    rows: Rows | Mapping[str, Rows] | None = None,
    evaluator: str = BUILT_IN,
    why: str = "",
    by: Identity | str | None = None,
) -> list[Challenge]:
    """Compare each version in ``source`` with the champion, and ask that it go to ``stage`` where its gates pass; says what came of each.

    ``name`` is one registered model, or None for all that have some there. ``rows`` are what both are asked about, for all the same or by
    the model's name. A request that is open stays. Where the last one was rejected, by gates or people, or withdrawn, and champion, rule,
    recorded values and rows are what they were, nothing is asked again. (Whether rows are the same is known of the evaluator that is built
    in, by their digest, and by which columns of them are asked about.) One that fails is told of, and does not end the others.

    Raises:
        RegisteredModelNotFound, InvalidName: of what was given. InvalidValue: a version cannot go where it is. StoreUnavailable.

    Example:
        >>> [(one.version, one.state) for one in challenge("churn", rows=Rows("holdout.parquet", "churned"))]
        [(7, 'opened')]
    """
    goal, place = check_stage(stage), check_stage(source)
    if goal == place:
        raise InvalidValue(f"versions in {place} are there already: name the stage they come from, and another they go to")
    if rows is not None and not isinstance(rows, Rows | Mapping):
        raise InvalidValue(f"rows are prefect_ledger.promotion.Rows, or these by the name of a model, not {type(rows).__name__}")
    names = [name] if name is not None else [one.name for one in registry.list_models(limit=50_000) if place in one.stages]
    waiting = [one for model in sorted(names) for one in reversed(registry.list_versions(model)) if one.stage == place]
    its = {one.name: rows.get(one.name) if isinstance(rows, Mapping) else rows for one in waiting}
    return [_answer(Promoter(one.name, one.version, goal, its[one.name], evaluator, why=why, by=by)) for one in waiting]


def _answer(one: Promoter) -> Challenge:
    champion: ModelVersion | None = None
    try:
        champion = one.champion()
        state, reason, request = _asked(one, champion)
    except LedgerError as error:
        state, reason, request = "failed", str(error), None
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a model's own code, or a gate's of another package: the others are asked all the same
        state, reason, request = "failed", f"{type(error).__name__}: {error}", None
    return Challenge(one.name, one.version, one.stage, state, reason, None if champion is None else champion.version, request)


def _asked(one: Promoter, champion: ModelVersion | None) -> tuple[Answer, str, TransitionRequest | None]:
    if (waiting := one.waiting()) is not None:
        return "open", lacking(waiting) or f"request {waiting.id} is open, and lacks nothing", waiting
    if (last := _answered(one)) is not None and _same(one, last, champion):
        return "unchanged", f"request {last.id} was {last.state}: {last.reason}; nothing is another since", last
    tried, _ = one.try_it()
    if not tried.ok:
        return "failed", f"version {one.version} does not work: {tried.said}", None
    request = one.ask(one.evaluate())
    if request.state == "open":
        return "opened", lacking(request) or f"request {request.id} is open, and lacks nothing", request
    return "refused", lacking(request), request


def _answered(one: Promoter) -> TransitionRequest | None:
    """The last request for this move, where somebody or something said no to it."""
    last = next((told for told in registry.list_requests(one.name) if (told.version, told.stage) == (one.version, one.stage)), None)
    return last if last is not None and last.state in _ANSWERED else None


def _same(one: Promoter, last: TransitionRequest, champion: ModelVersion | None) -> bool:
    """Whether a request now would be judged on what the last one was judged on."""
    from prefect_ledger.registry import evidence
    from prefect_ledger.registry.access import looking
    from prefect_ledger.registry.rules import canonical_rule

    rule = registry.get_policy().policy.rule(one.name, one.stage)
    if canonical_rule(rule) != last.rule:
        return False
    with looking() as tx:
        now = evidence.standing(tx, one.candidate(), champion, tags=evidence.by_tags(rule.gates))
    return not evidence.changed(last.standing, now) and _same_rows(one, last)


def _same_rows(one: Promoter, last: TransitionRequest) -> bool:
    if one.rows is None or one.evaluator != BUILT_IN:
        return True
    from prefect_ledger.promotion.asked_rows import judged_on

    return judged_on(one.rows, registry.get_evidence(last.id))
