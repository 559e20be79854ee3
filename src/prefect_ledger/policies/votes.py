"""Floor 5, pure. A request as far as a rule asks about it, and what people say to it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from prefect_ledger.errors import InvalidValue
from prefect_ledger.identities import Identity


@dataclass(frozen=True, slots=True)
class Vote:
    """What one person says to a request: ``at`` is in microseconds, ``evidence`` the digest of what they were shown."""

    by: Identity
    approve: bool
    at: int
    comment: str = ""
    evidence: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.by, Identity):
            raise InvalidValue(f"a vote is an identity's, not {self.by!r:.80}")
        if not isinstance(self.approve, bool):  # what is merely true-ish must not count as an approval
            raise InvalidValue(f"a vote approves or not: True or False, not {self.approve!r:.80}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is, as far as a rule asks: ``author`` made the version, ``requester`` opened the request at ``opened`` (µs) with
    the evidence of this digest."""

    author: Identity
    requester: Identity
    opened: int
    evidence: str = ""
    withdrawn: bool = False


def statement(verb: str, **facts: str | int | bool) -> bytes:
    """What somebody signs who approves, rejects or asks: the bytes that say all of it, the same for the same facts in any order.

    Name in the facts whatever the signature must not be carried over to: the request, the digests of evidence and policy.

    Example:
        >>> statement("approve", request="r-1", evidence="ab12")
        b'{"evidence":"ab12","prefect-ledger":"approve","request":"r-1"}'
    """
    return json.dumps({**facts, "prefect-ledger": verb}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
