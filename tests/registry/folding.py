"""The registry told twice: as its tables have it, and as folding the audit log from its first row says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect_ledger.audit_store import check
from prefect_ledger.database import rows
from prefect_ledger.hooks import place

if TYPE_CHECKING:
    import sqlalchemy as sa

Told = dict[str, dict[Any, Any]]
KINDS = ("models", "versions", "tags", "aliases", "notes", "policies", "requests", "votes", "webhooks")


def empty() -> Told:
    """A registry in which nothing is."""
    return {kind: {} for kind in KINDS}


def by_tables(tx: sa.Connection) -> Told:
    """What the tables say now."""
    found = empty()
    for key, *fields in rows(tx, "SELECT id, name, description, latest, deleted IS NOT NULL FROM registered_models"):
        found["models"][key] = (*fields[:3], bool(fields[3]))
    text = "SELECT model_id, version, stage, logged_id, digest, author, strength, description, deleted IS NOT NULL FROM model_versions"
    for model, number, *fields in rows(tx, text):
        found["versions"][model, number] = (*fields[:6], bool(fields[6]))
    found["tags"] = {row[:3]: row[3] for row in map(tuple, rows(tx, "SELECT model_id, version, key, value FROM model_tags"))}
    found["aliases"] = {row[:2]: row[2] for row in map(tuple, rows(tx, "SELECT model_id, alias, version FROM model_aliases"))}
    for model, number, *fields in rows(tx, "SELECT model_id, version, author, text, verdict FROM model_notes ORDER BY id"):
        found["notes"].setdefault((model, number), []).append(tuple(fields))
    found["policies"] = dict(map(tuple, rows(tx, "SELECT version, digest FROM policies")))
    text = "SELECT id, model_id, version, stage, state, requester, champion, evidence, passed, closed IS NOT NULL FROM transition_requests"
    for key, *fields in rows(tx, text):
        found["requests"][key] = (*fields[:7], bool(fields[7]), bool(fields[8]))
    for key, *fields in rows(tx, "SELECT request_id, voter, approve, evidence FROM request_votes ORDER BY request_id, number"):
        found["votes"].setdefault(key, []).append((fields[0], bool(fields[1]), fields[2]))
    for key, url, *fields, private, gone in rows(tx, "SELECT id, url, events, model, author, allow_private, removed IS NULL FROM webhooks"):
        found["webhooks"][key] = (place(url), *fields, bool(private), not gone)
    return found


def by_log(tx: sa.Connection) -> Told:
    """What the audit log says."""
    found = empty()
    for (content,) in rows(tx, "SELECT content FROM audit ORDER BY seq"):
        fold(found, json.loads(content))
    return found


def fold(told: Told, row: Mapping[str, Any]) -> None:
    """Let one row of the log change what is told."""
    kind, _, what = row["action"].partition(".")
    {"model": _model, "version": _version, "request": _request}.get(kind, _other)(told, row, what or kind)


def _model(told: Told, row: Mapping[str, Any], what: str) -> None:
    key, after = row["model_id"], row["after"]
    if what == "created":
        told["models"][key] = (after["name"], after["description"], 0, False)
        return
    name, description, latest, deleted = told["models"][key]
    told["models"][key] = (after.get("name", name), description, latest, {"deleted": True, "restored": False}.get(what, deleted))


def _version(told: Told, row: Mapping[str, Any], what: str) -> None:
    key, after = (row["model_id"], row["version"]), row["after"]
    if what == "registered":
        who = (row["actor"], row["strength"])
        told["versions"][key] = (after["stage"], after["logged_id"], after["digest"], *who, after["description"], False)
        name, description, latest, deleted = told["models"][key[0]]
        assert key[1] == latest + 1, f"version {key[1]} came after {latest}"
        told["models"][key[0]] = (name, description, key[1], deleted)
        return
    stage, *fields, deleted = told["versions"][key]
    assert stage == row["before"]["stage"], f"row {row['seq']} moves from {row['before']}, where it is in {stage}"
    told["versions"][key] = (after["stage"], *fields, {"deleted": True, "restored": False}.get(what, deleted))


def _request(told: Told, row: Mapping[str, Any], what: str) -> None:
    key, after = row["after"]["request"], row["after"]
    if what == "opened":
        of = (row["model_id"], row["version"], after["stage"], after["state"], row["actor"], after["champion"], row["evidence"])
        told["requests"][key] = (*of, after["passed"], after["state"] != "open")
    elif what == "closed":
        one = told["requests"][key]
        assert one[3] == "open", f"row {row['seq']} ends request {key}, which is {one[3]}"
        told["requests"][key] = (*one[:3], after["state"], *one[4:8], True)
    else:
        assert told["requests"][key][3] == "open", f"row {row['seq']} is a vote on request {key}, which is {told['requests'][key][3]}"
        told["votes"].setdefault(key, []).append((row["actor"], what == "approved", row["evidence"]))


def _other(told: Told, row: Mapping[str, Any], what: str) -> None:
    key, after = (row["model_id"], row["version"]), row["after"]
    if row["action"] == "alias.moved":
        assert told["aliases"].pop((key[0], after["alias"]), None) == row["before"]["version"]
        told["aliases"] |= {} if after["version"] is None else {(key[0], after["alias"]): after["version"]}
    elif what == "described" and key[1] is None:
        name, _, *fields = told["models"][key[0]]
        told["models"][key[0]] = (name, after["description"], *fields)
    elif what == "described":
        *fields, _, deleted = told["versions"][key]
        told["versions"][key] = (*fields, after["description"], deleted)
    elif what == "tagged":
        for tag, value in after.items():
            told["tags"].pop((key[0], key[1] or 0, tag), None)
            told["tags"] |= {} if value is None else {(key[0], key[1] or 0, tag): value}
    elif what in ("annotated", "reviewed"):
        told["notes"].setdefault(key, []).append((row["actor"], after["text"], after["verdict"]))
    elif row["action"] == "webhook.added":
        about = (after["place"], ",".join(after["events"]), after["model"])
        told["webhooks"][after["webhook"]] = (*about, row["actor"], after["allow_private"], False)
    elif row["action"] == "webhook.removed":
        *fields, gone = told["webhooks"][after["webhook"]]
        assert not gone, f"row {row['seq']} removes webhook {after['webhook']}, which is gone"
        told["webhooks"][after["webhook"]] = (*fields, True)
    elif row["action"] == "policy.set":
        told["policies"][after["policy"]] = after["digest"]
    else:
        assert row["action"] == "glass.broken", row["action"]


def agrees(tx: sa.Connection) -> Told:
    """What is told, once it is made sure that log and tables say the same, the chain is whole, and each row has its event."""
    found = check(tx)
    assert found.whole, found
    told, said = by_tables(tx), by_log(tx)
    for kind in KINDS:
        assert told[kind] == said[kind], kind
    events = rows(tx, "SELECT seq, name, payload FROM outbox ORDER BY seq")
    log = rows(tx, "SELECT seq, action, content, hash FROM audit ORDER BY seq")
    assert [(seq, name) for seq, name, _ in events] == [(seq, f"prefect-ledger.registry.{action}") for seq, action, *_ in log]
    assert [json.loads(payload) for *_, payload in events] == [json.loads(content) | {"hash": row_hash} for *_, content, row_hash in log]
    return told
