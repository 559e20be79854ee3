"""Floor 3. Policies, evidence, requests and votes: what a move was asked for, judged on and agreed to.

Functions that write take the held end of the chain, as those of ``registry_store``. What counts is decided above.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.audit_chain import canonical
from prefect_ledger.audit_store import Chain
from prefect_ledger.database import execute, rows
from prefect_ledger.entities import to_datetime
from prefect_ledger.errors import EvidenceNotFound, RequestNotFound
from prefect_ledger.identities import Identity
from prefect_ledger.queries.registered import Known
from prefect_ledger.registered import JUDGED, TransitionRequest

if TYPE_CHECKING:
    import sqlalchemy as sa

_REQUEST = """SELECT r.id, m.name, r.version, r.stage, r.state, r.requester, r.strength, r.champion, r.evidence, r.passed, r.report,
 r.policy, r.opened, r.expires, r.why, r.reason, r.closed, r.standing, r.rule
 FROM transition_requests r JOIN registered_models m ON m.id = r.model_id"""


class StoredPolicy(NamedTuple):
    """A policy as it is kept; version 0 is the one that holds before any was set."""

    version: int
    digest: str
    content: str
    at: int
    author: str


class Asking(NamedTuple):
    """What a request begins with. ``standing`` is what the ledger says of both sides, ``rule`` what the policy asks for."""

    stage: str
    champion: int | None
    evidence: str
    standing: Mapping[str, Any]
    report: Mapping[str, Any]
    passed: bool
    policy: int
    rule: Mapping[str, Any]
    expires: int
    state: str = "open"
    reason: str = ""


# --- policies ----------------------------------------------------------------------------------------------------------


def add_policy(chain: Chain, digest: str, content: str, by: Identity, why: str = "") -> int:
    """Keep a policy as the next version, which holds from now on; the version that holds already is not kept twice."""
    now = policy(chain.tx)
    if now is not None and now.digest == digest:
        return now.version
    number = 1 if now is None else now.version + 1
    text = "INSERT INTO policies (version, digest, content, at, author) VALUES (?, ?, ?, ?, ?)"
    execute(chain.tx, text, [number, digest, content, chain.now, by.name])
    before = {} if now is None else {"policy": now.version, "digest": now.digest}
    chain.append("policy.set", by, before=before, after={"policy": number, "digest": digest}, why=why)
    return number


def policy(tx: sa.Connection, number: int | None = None, *, until: int | None = None) -> StoredPolicy | None:
    """The policy of this version, else the newest (of a moment: ``until``, in µs); None where there is none."""
    asked = [(text, value) for text, value in (("version = ?", number), ("at <= ?", until)) if value is not None]
    where = f" WHERE {' AND '.join(text for text, _ in asked)}" if asked else ""
    text = f"SELECT version, digest, content, at, author FROM policies{where} ORDER BY version DESC LIMIT 1"
    found = rows(tx, text, [value for _, value in asked])
    return StoredPolicy(*found[0]) if found else None


# --- evidence ------------------------------------------------------------------------------------------------------------


def add_evidence(chain: Chain, digest: str, content: str, arrays: str, uri: str) -> None:
    """Keep evidence under its digest; the same evidence is kept once."""
    text = "INSERT INTO evidences (digest, content, arrays, uri) VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING"
    execute(chain.tx, text, [digest, content, arrays, uri])


def evidence(tx: sa.Connection, digest: str) -> tuple[str, str, str]:
    """The JSON text, the digest of the arrays and where they are.

    Raises:
        EvidenceNotFound.
    """
    found = rows(tx, "SELECT content, arrays, uri FROM evidences WHERE digest = ?", [digest])
    if not found:
        raise EvidenceNotFound(f"there is no evidence with the digest {digest}")
    return found[0][0], found[0][1], found[0][2]


# --- requests ------------------------------------------------------------------------------------------------------------


def add_request(chain: Chain, row: Known, number: int, asked: Asking, by: Identity, why: str = "") -> int:
    """Open a request, or keep one that its gates refused at once; returns its number."""
    execute(
        chain.tx,
        """INSERT INTO transition_requests (model_id, version, stage, champion, state, reason, requester, strength, why, evidence, standing,
           report, passed, policy, rule, opened, expires, closed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        [
            row.id,
            number,
            asked.stage,
            asked.champion,
            asked.state,
            asked.reason,
            by.name,
            by.strength.value,
            why,
            asked.evidence,
            canonical(asked.standing),
            canonical(asked.report),
            int(asked.passed),
            asked.policy,
            canonical(asked.rule),
            chain.now,
            chain.now + asked.expires,
            None if asked.state == "open" else chain.now,
        ],
    )
    request_id = int(rows(chain.tx, "SELECT MAX(id) FROM transition_requests WHERE model_id = ?", [row.id])[0][0])
    after = {"request": request_id, "stage": asked.stage, "champion": asked.champion, "passed": asked.passed, "policy": asked.policy}
    after |= {"state": asked.state} | ({"reason": asked.reason} if asked.reason else {})
    chain.append("request.opened", by, model=row[:2], version=number, after=after, why=why, evidence=asked.evidence)
    return request_id


def request(tx: sa.Connection, request_id: int) -> TransitionRequest:
    """The request of this number.

    Raises:
        RequestNotFound.
    """
    found = rows(tx, f"{_REQUEST} WHERE r.id = ?", [request_id])
    if not found:
        raise RequestNotFound(f"there is no request {request_id}; `prefect-ledger promotion list` shows those that are there")
    return _request(tx, found[0])


def requests(
    tx: sa.Connection,
    row: Known | None = None,
    *,
    version: int | None = None,
    stage: str | None = None,
    state: str | None = None,
    limit: int = 1_000,
) -> list[TransitionRequest]:
    """Requests, the newest first; of one model, of one version, for one stage and in one state, where these are given."""
    asked = [("r.model_id = ?", row and row.id), ("r.version = ?", version), ("r.stage = ?", stage), ("r.state = ?", state)]
    where = [text for text, value in asked if value is not None]
    text = f"{_REQUEST}{' WHERE ' + ' AND '.join(where) if where else ''} ORDER BY r.id DESC LIMIT ?"
    return [_request(tx, found) for found in rows(tx, text, [*(value for _, value in asked if value is not None), limit])]


def outlived(tx: sa.Connection, row: Known) -> list[TransitionRequest]:
    """The open requests of a model that were judged beside another champion than it has now."""
    champion = "SELECT MAX(v.version) FROM model_versions v WHERE v.model_id = ? AND v.stage = 'production' AND v.deleted IS NULL"
    judged = ", ".join(f"'{stage}'" for stage in JUDGED)
    text = f"""{_REQUEST} CROSS JOIN (SELECT COALESCE(({champion}), 0) AS now) c WHERE r.model_id = ? AND r.state = 'open'
               AND r.stage IN ({judged}) AND COALESCE(r.champion, 0) <> CASE c.now WHEN r.version THEN 0 ELSE c.now END ORDER BY r.id"""
    return [_request(tx, found) for found in rows(tx, text, [row.id, row.id])]


def close(chain: Chain, row: Known, one: TransitionRequest, state: str, reason: str, by: Identity, why: str = "") -> None:
    """End an open request: "done", "rejected", "withdrawn", "expired" or "void", for this reason."""
    text = "UPDATE transition_requests SET state = ?, reason = ?, closed = ? WHERE id = ? AND state = 'open'"
    execute(chain.tx, text, [state, reason, chain.now, one.id])
    said = {"request": one.id, "state": state, "reason": reason}
    before = {"request": one.id, "state": "open"}
    chain.append("request.closed", by, model=row[:2], version=one.version, before=before, after=said, why=why, evidence=one.evidence)


def add_vote(chain: Chain, row: Known, one: TransitionRequest, approve: bool, by: Identity, comment: str, signature: str = "") -> None:
    """Write down what somebody says to a request; a signature stands in the audit row."""
    text = """INSERT INTO request_votes (request_id, number, voter, strength, how, approve, comment, evidence, at)
              VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
    said = [by.name, by.strength.value, by.how, int(approve), comment, one.evidence, chain.now]
    execute(chain.tx, text, [one.id, len(one.votes) + 1, *said])
    after = {"request": one.id, "stage": one.stage} | ({"signature": signature} if signature else {})
    action = "request.approved" if approve else "request.rejected"
    chain.append(action, by, model=row[:2], version=one.version, after=after, why=comment, evidence=one.evidence)


def _request(tx: sa.Connection, row: tuple[Any, ...]) -> TransitionRequest:
    opened, expires = to_datetime(row[12]), to_datetime(row[13])
    assert opened is not None and expires is not None  # noqa: PT018 - both are NOT NULL
    text = "SELECT voter, strength, how, approve, comment, evidence, at FROM request_votes WHERE request_id = ? ORDER BY number"
    keys = ("voter", "strength", "how", "approve", "comment", "evidence", "at")
    votes = tuple(dict(zip(keys, (*found[:3], bool(found[3]), *found[4:]), strict=True)) for found in rows(tx, text, [row[0]]))
    return TransitionRequest(
        id=row[0],
        name=row[1],
        version=row[2],
        stage=row[3],
        state=row[4],
        requester=Identity(row[5], row[6]),
        champion=row[7],
        evidence=row[8],
        passed=bool(row[9]),
        report=json.loads(row[10]),
        policy=row[11],
        opened_at=opened,
        expires_at=expires,
        why=row[14],
        reason=row[15],
        closed_at=to_datetime(row[16]),
        votes=votes,
        standing=json.loads(row[17]),
        rule=json.loads(row[18]),
    )
