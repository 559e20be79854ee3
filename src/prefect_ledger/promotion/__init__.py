"""Promotion: a version is judged, asked for, moved, deployed and verified, and taken back where that fails."""

from __future__ import annotations

from prefect_ledger.promotion.challenging import Challenge, challenge
from prefect_ledger.promotion.checking import Check
from prefect_ledger.promotion.evaluating import Evaluated, Evaluator, Rows, evaluate
from prefect_ledger.promotion.followers import Follower
from prefect_ledger.promotion.promoting import promote
from prefect_ledger.promotion.promotion import Promotion
from prefect_ledger.promotion.rolling_back import rollback

__all__ = [
    "Challenge",
    "Check",
    "Evaluated",
    "Evaluator",
    "Follower",
    "Promotion",
    "Rows",
    "challenge",
    "evaluate",
    "promote",
    "rollback",
]
