"""What must hold before a version of a model enters a stage, who may agree to it, and whether enough have. Pure: no disk, no database."""

from __future__ import annotations

from prefect_ledger.policies.cases import Case, Outcome, try_cases
from prefect_ledger.policies.durations import duration, duration_text, moment
from prefect_ledger.policies.policy import DEFAULT, Policy
from prefect_ledger.policies.reading import read_policy
from prefect_ledger.policies.recorded import read_cases
from prefect_ledger.policies.rules import Rule
from prefect_ledger.policies.standing import Standing, deadline, refusal, standing
from prefect_ledger.policies.votes import Asked, Vote, statement

__all__ = [
    "DEFAULT",
    "Asked",
    "Case",
    "Outcome",
    "Policy",
    "Rule",
    "Standing",
    "Vote",
    "deadline",
    "duration",
    "duration_text",
    "moment",
    "read_cases",
    "read_policy",
    "refusal",
    "standing",
    "statement",
    "try_cases",
]
