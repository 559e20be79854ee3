"""Floor 4. Gates that a version must pass before it may go to a stage: evidence and gates in, a report out. Pure.

    report = judge([parse_gate("metrics.auc >= champion.metrics.auc - 0.002")], evidence)

A gate never passes on what is missing, not-a-number, too little or of another kind: the report says so instead. The same evidence gives
the same report, byte for byte, so that a decision can be replayed.
"""

from __future__ import annotations

from prefect_ledger.gates.evidence import Evidence, Holdout, Side, evidence_of
from prefect_ledger.gates.gate import FUNCTIONS, Gate, parse_gate
from prefect_ledger.gates.judging import judge
from prefect_ledger.gates.verdict import Report, Verdict

__all__ = ["FUNCTIONS", "Evidence", "Gate", "Holdout", "Report", "Side", "Verdict", "evidence_of", "judge", "parse_gate"]
