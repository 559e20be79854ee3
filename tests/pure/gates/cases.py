"""Evidence as tests want it, with what they do not care about filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from prefect_ledger.gates import Evidence, Holdout, Side, Verdict, judge, parse_gate

CANDIDATE = Side(
    "churn", 2, "d2", {"auc": 0.908, "loss": 0.5, "nan": float("nan")}, {"depth": "6", "kind": "xgb"}, {"team": "risk"}, size=120
)
CHAMPION = Side("churn", 1, "d1", {"auc": 0.91, "loss": 0.5}, {"depth": "4", "kind": "xgb"}, {}, size=100)


def evidence(
    *, candidate: Mapping[str, Any] | None = None, champion: Mapping[str, Any] | None = None, holdout: Holdout | None = None
) -> Evidence:
    """The two above, changed as asked."""
    return Evidence(replace(CANDIDATE, **candidate or {}), replace(CHAMPION, **champion or {}), holdout)


def rows(n: int = 1_000, *, seed: int = 0, **changed: Any) -> Holdout:
    """Rows of two classes; the candidate's scores are better than the champion's by far."""
    draw = np.random.default_rng(seed)
    target = draw.random(n) < 0.4
    told = 1 / (1 + np.exp(-(2 * target - 1 + draw.normal(size=(2, n)) * [[0.5], [2.0]])))
    found: dict[str, Any] = {
        "columns": {"region": np.array(["north", "south"])[draw.integers(0, 2, n)], "age": draw.normal(size=n)},
        "target": target.astype(int),
        "candidate": told[0],
        "champion": told[1],
        "reference": {"age": draw.normal(size=2 * n)},
        **changed,
    }
    return Holdout("june", "h1", **found)


def verdict(gate: str | Mapping[str, Any], of: Evidence | None = None) -> Verdict:
    """What one gate says."""
    [found] = judge([parse_gate(gate)], evidence() if of is None else of).verdicts
    return found


def on(holdout: Holdout | None, gate: str, **options: Any) -> Verdict:
    """What a function says of rows."""
    return verdict({"gate": gate, **options}, evidence(holdout=holdout))
