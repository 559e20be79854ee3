"""Floor 5. A promotion: how it went, as a value that tells itself to people, to CI systems and to scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from prefect_ledger.promotion.checking import Check
    from prefect_ledger.promotion.followers import Follower
    from prefect_ledger.registered import TransitionRequest

State: TypeAlias = Literal["promoted", "already", "refused", "waiting", "went back", "failed", "rolled back"]
EXIT: Mapping[State, int] = {"promoted": 0, "already": 0, "refused": 3, "waiting": 3, "went back": 1, "failed": 1, "rolled back": 0}
DONE: tuple[State, ...] = ("promoted", "already", "rolled back")


@dataclass(frozen=True, slots=True)
class Promotion:
    """How the promotion of a version went.

    ``state`` is "promoted"; "already": it was in the stage; "refused" by gates, approvers or the policy; "waiting" for approvals;
    "went back": a smoke test failed after the move, and the version before is in the stage again; "failed": the version does not work, or
    something does that was not followed by going back. ``reason`` says it in a sentence, ``before`` is the version that was in the stage,
    ``head`` the number and hash of the audit log's last row when this was told: what is kept elsewhere to compare with later.
    """

    name: str
    version: int
    stage: str
    state: State
    reason: str
    before: int | None = None
    request: TransitionRequest | None = None
    followers: tuple[Follower, ...] = ()
    unasked: Mapping[str, str] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    head: tuple[int, str] = (0, "")
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the version is in the stage, and what serves it does as it should."""
        return self.state in DONE and all(check.ok for check in self.checks)

    @property
    def exit_code(self) -> int:
        """What a command ends with: 0 done, 3 refused or waiting, 1 failed or went back."""
        return EXIT[self.state] if self.state not in DONE or self.ok else 1

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "name": self.name,
            "version": self.version,
            "stage": self.stage,
            "state": self.state,
            "ok": self.ok,
            "reason": self.reason,
            "before": self.before,
            "request": None if self.request is None else _request(self.request),
            "deployments": [_values(one) for one in self.followers],
            "not_asked": dict(self.unasked),
            "checks": [_values(one) for one in self.checks],
            "audit_head": {"row": self.head[0], "hash": self.head[1]},
            "seconds": round(self.seconds, 3),
        }


def _values(one: Any) -> dict[str, Any]:
    return {key: getattr(one, key) for key in one.__slots__}


def _request(one: TransitionRequest) -> dict[str, Any]:
    return {
        "id": one.id,
        "state": one.state,
        "passed": one.passed,
        "reason": one.reason,
        "champion": one.champion,
        "evidence": one.evidence,
        "policy": one.policy,
        "requester": one.requester.name,
        "approvals": [vote["voter"] for vote in one.votes if vote.get("approve")],
        "report": dict(one.report),
    }
