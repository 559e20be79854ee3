"""Floor 4. Gates and evidence in, a report out: pure, and the same each time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prefect_ledger.errors import InvalidValue
from prefect_ledger.gates.evidence import Evidence
from prefect_ledger.gates.finding import Finding
from prefect_ledger.gates.gate import Gate
from prefect_ledger.gates.verdict import Report, Verdict


def judge(gates: Sequence[Gate], evidence: Evidence) -> Report:
    """Every gate's verdict on the evidence, in their order; the same evidence gives the same report, byte for byte.

    Nothing is raised for what the evidence lacks or has wrong: the gate did not pass, and the report says why.

    Example:
        >>> from prefect_ledger.gates import Evidence, Side, parse_gate
        >>> report = judge([parse_gate("metrics.auc >= 0.8")], Evidence(Side("churn", 2, "9f", {"auc": 0.75}), None))
        >>> report.passed, report.verdicts[0].reason
        (False, 'metrics.auc >= 0.8 does not hold: metrics.auc is 0.75')
    """
    return Report(tuple(_verdict(gate, evidence) for gate in gates))


def _verdict(gate: Gate, evidence: Evidence) -> Verdict:
    try:
        found = _found(gate, evidence)
        return Verdict(gate.text, gate.name, found.passed, found.reason, found.values)
    except InvalidValue as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001  # a judgement that could not be made is never a pass, whatever the evidence holds
        reason = f"the gate could not be judged: {type(error).__name__}: {error}"
    return Verdict(gate.text, gate.name, passed=False, reason=reason)


def _found(gate: Gate, evidence: Evidence) -> Finding:
    if gate.needs_champion and evidence.champion is None:
        return _without(gate)
    with np.errstate(all="ignore"):  # what comes of it is told as not finite
        return gate.check(evidence)


def _without(gate: Gate) -> Finding:
    if gate.without_champion == "fail":
        hint = "for a first version a gate may say without_champion: 'pass' or 'skip'"
        return Finding(passed=False, reason=f"there is no champion to compare with; {hint}", values={"champion": None})
    word = "passed" if gate.without_champion == "pass" else "skipped"
    reason = f"{word}, as there is no champion to compare with and the gate says without_champion: {gate.without_champion!r}"
    return Finding(passed=True, reason=reason, values={"champion": None, "skipped": gate.without_champion == "skip"})
