"""Floor 5, pure. Recorded cases, and whether a policy decides them as somebody expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefect_ledger.policies.policy import Policy
from prefect_ledger.policies.standing import refusal, standing
from prefect_ledger.policies.votes import Asked, Vote


@dataclass(frozen=True, slots=True)
class Case:
    """A request as it was or might be: no policy stands in it. ``expect`` is "passes" or "refused", ``because`` a part of the reason.

    ``evidence`` is what ``gates.Evidence.to_json()`` gives, ``arrays`` its arrays where it has a holdout. Times are microseconds;
    the standing is asked at ``now``.
    """

    name: str
    model: str
    stage: str
    evidence: Mapping[str, Any]
    asked: Asked
    votes: tuple[Vote, ...]
    now: int
    expect: str
    because: str = ""
    arrays: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy makes of a case: ``verdict`` is "passes" or "refused", ``reasons`` why, ``ok`` whether that was expected."""

    case: Case
    verdict: str
    reasons: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether verdict and reason are the expected ones."""
        return self.verdict == self.case.expect and (not self.case.because or any(self.case.because in one for one in self.reasons))

    def __str__(self) -> str:
        said = "; ".join(self.reasons) or "nothing spoke against it"
        wanted = f", because {self.case.because!r}" if self.case.because else ""
        return f"{self.case.name}: {self.verdict} ({said})" + ("" if self.ok else f", expected: {self.case.expect}{wanted}")


def try_cases(policy: Policy, cases: Sequence[Case]) -> tuple[Outcome, ...]:
    """What the policy makes of each case: its gates judge the evidence, its rule counts the votes.

    Example:
        >>> from prefect_ledger.policies import read_cases, read_policy
        >>> policy = read_policy('[[rule]]\\nmodel = "*"\\nstage = "production"\\napprovals = 1')
        >>> asked = 'model = "churn"\\nstage = "production"\\ncandidate = {auc = 0.9}\\nexpect = "passes"'
        >>> for outcome in try_cases(policy, read_cases(f'[[case]]\\n{asked}\\nvotes = ["bob"]\\n[[case]]\\n{asked}')):
        ...     print(outcome)
        case 1: passes (nothing spoke against it)
        case 2: refused (1 of 1 approvals is missing), expected: passes
    """
    return tuple(_tried(policy, case) for case in cases)


def _tried(policy: Policy, case: Case) -> Outcome:
    from prefect_ledger.gates import Evidence, judge, parse_gate

    rule = policy.rule(case.model, case.stage)
    report = judge([parse_gate(spec) for spec in rule.gates], Evidence.from_json(case.evidence, case.arrays))
    found = standing(rule, case.asked, case.votes, case.now)
    reasons = [one.reason for one in report.verdicts if not one.passed]
    reasons += [] if found.approved else [found.reason]
    for place, vote in enumerate(case.votes):
        why = refusal(rule, case.asked, vote, case.votes[:place], vote.at)
        reasons += [] if why is None or why in reasons else [why]
    return Outcome(case, "passes" if report.passed and found.approved else "refused", tuple(reasons))
