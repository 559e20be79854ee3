"""Floor 5. Judging a request again, from the evidence that was kept: it must come to the same verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.registry.access import check_request, looking
from prefect_ledger.registry.rules import rule_of

if TYPE_CHECKING:
    from prefect_ledger.gates import Evidence, Report
    from prefect_ledger.registered import TransitionRequest


class Replay(NamedTuple):
    """A request, what its gates say of the same evidence now, and how that differs from what they said then, a line each."""

    request: TransitionRequest
    report: Report
    differences: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether the verdict is the same, gate by gate and to the last digit."""
        return not self.differences


def replay(request: int) -> Replay:
    """Judge a request again, by the rule and on the evidence that it was judged by.

    Raises:
        RequestNotFound, InvalidValue, EvidenceNotFound, ArtifactNotFound. EvidenceCorrupt, ArtifactCorrupt: the evidence is not what was
            judged. StoreUnavailable, ArtifactsUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> asked = registry.list_requests("churn", state="done")[0]
        >>> registry.replay(asked.id).same
        True
    """
    from prefect_ledger import request_store as store
    from prefect_ledger.gates import judge, parse_gate
    from prefect_ledger.registry import evidence as kept

    with looking() as tx:
        one = store.request(tx, check_request(request))
        evidence = kept.read(tx, one.evidence)
    report = judge([parse_gate(gate) for gate in rule_of(dict(one.rule)).gates], evidence)
    return Replay(one, report, tuple(_differences(dict(one.report), report.to_json())))


def get_evidence(request: int) -> Evidence:
    """What a request was judged on, every byte checked: ``to_json()`` and ``arrays()`` are plain values, for reports and cases of a policy.

    Raises:
        As :func:`replay`.

    Example:
        >>> from prefect_ledger import registry
        >>> asked = registry.list_requests("churn", state="done")[0]
        >>> sorted(registry.get_evidence(asked.id).to_json())[:2]
        ['candidate', 'champion']
    """
    from prefect_ledger import request_store as store
    from prefect_ledger.registry import evidence as kept

    with looking() as tx:
        return kept.read(tx, store.request(tx, check_request(request)).evidence)


def evidence_record(request: int) -> dict[str, Any]:
    """What ``get_evidence(request).to_json()`` says, its digest checked, without reading the rows of a holdout, which may be many.

    Raises:
        RequestNotFound, InvalidValue, EvidenceNotFound, EvidenceCorrupt. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> from prefect_ledger.registry.replaying import evidence_record
        >>> asked = registry.list_requests("churn", state="done")[0]
        >>> evidence_record(asked.id) == registry.get_evidence(asked.id).to_json()
        True
    """
    from prefect_ledger import request_store as store
    from prefect_ledger.registry import evidence as kept

    with looking() as tx:
        return kept.told(tx, store.request(tx, check_request(request)).evidence)


def _differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    before, after = list(then.get("verdicts", [])), list(now.get("verdicts", []))
    found = [f"there were {len(before)} verdicts, and are {len(after)}"] if len(before) != len(after) else []
    for old, new in zip(before, after, strict=False):
        changed = [key for key in new if old.get(key) != new[key]]
        found += [f"{old.get('name', 'gate')}: {key} was {old.get(key)!r}, and is {new[key]!r}" for key in changed]
    if not found and then != now:
        found = ["the report as a whole is another"]
    return found
