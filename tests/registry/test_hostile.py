"""What anybody may write, in every place where the registry takes something: it is kept as it is, or refused without a trace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from prefect_ledger import load_model, registry
from prefect_ledger.database import rows
from prefect_ledger.errors import InvalidValue, LedgerError
from prefect_ledger.events import clean
from prefect_ledger.gates import Holdout
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.folding import agrees
from tests.registry.helpers import ALICE, BOB, CAROL, logged, version

pytestmark = pytest.mark.usefixtures("store_url")

TEXTS = [
    "'; DROP TABLE audit; --",
    "<script>alert(1)</script>",
    "%s %(x)s ? :name $1 {0} \\",
    "../../etc/passwd",
    "a\0b",
    "\ud800 lone",
    "\u202e\u200b\U0001f40d e\u0301",
    '","hash":"',
    "x" * 1_000_000,
]
THINGS = ["", " ", None, 7, -1, 10**30, 1.5, float("nan"), True, b"bytes", ["list"], {"a": 1}, object()]

ELSEWHERE = (
    "reference",
    "reference, selector",
    "register, source",
    "requests, limit",
    "models, limit",
)  # whose words are not the registry's

Verb = Callable[[Any], object]


def holdout(name: Any) -> Holdout:
    """A holdout whose names are hostile."""
    return Holdout(name, name, {name: [1.0, 2.0]}, [1.0, 0.0], [1.0, 0.0])  # type: ignore[dict-item, arg-type]  # lists are as good


VERBS: dict[str, Verb] = {
    "create": lambda one: registry.create_model(one, by=ALICE),
    "create, description": lambda one: registry.create_model("other", description=one, by=ALICE),
    "create, tags": lambda one: registry.create_model("tagged", tags=one, by=ALICE),
    "create, tag": lambda one: registry.create_model("tagged too", tags={"key": one}, by=ALICE),
    "register": lambda one: registry.register_model(one, logged(), by=ALICE),
    "register, source": lambda one: registry.register_model("churn", one, by=ALICE),
    "register, description": lambda one: registry.register_model("churn", logged(), description=one, by=ALICE),
    "get model": registry.get_model,
    "get version": registry.get_version,
    "get version, selector": lambda one: registry.get_version("churn", one),
    "get version, alias": lambda one: registry.get_version("churn", f"@{one}" if isinstance(one, str) else one),
    "reference": lambda one: load_model(f"models:/{one}/1"),
    "reference, selector": lambda one: load_model(f"models:/churn/{one}"),
    "list versions": registry.list_versions,
    "describe": lambda one: registry.describe_model(one, "text", by=ALICE),
    "describe, text": lambda one: registry.describe_model("churn", one, by=ALICE),
    "describe version": lambda one: registry.describe_version("churn", 1, one, by=ALICE),
    "describe version, number": lambda one: registry.describe_version("churn", one, "text", by=ALICE),
    "describe version, why": lambda one: registry.describe_version("churn", 1, "text", why=one, by=ALICE),
    "tag": lambda one: registry.tag_model("churn", one if isinstance(one, list | dict) else {one: "x"}, by=ALICE),  # type: ignore[arg-type]  # the point
    "tag version": lambda one: registry.tag_version("churn", 1, {"key": one}, by=ALICE),
    "note": lambda one: registry.annotate("churn", 1, one, by=ALICE),
    "note, verdict": lambda one: registry.annotate("churn", 1, "text", verdict=one, by=ALICE),
    "notes": lambda one: registry.notes(one, 1),
    "notes, number": lambda one: registry.notes("churn", one),
    "alias": lambda one: registry.set_alias("churn", one, 1, by=ALICE),
    "alias, model": lambda one: registry.set_alias(one, "champion", 1, by=ALICE),
    "alias, number": lambda one: registry.set_alias("churn", "champion", one, by=ALICE),
    "alias, expected": lambda one: registry.set_alias("churn", "other", 1, expected=one, by=ALICE),
    "move": lambda one: registry.transition(one, 1, "staging", by=ALICE),
    "move, stage": lambda one: registry.transition("churn", 1, one, by=ALICE),
    "move, expected": lambda one: registry.transition("churn", 1, "staging", expected=one, by=ALICE),
    "move, why": lambda one: registry.transition("churn", 1, "staging", why=one, by=ALICE),
    "move, who": lambda one: registry.transition("churn", 1, "archived", by=one),
    "who, how": lambda one: registry.describe_version("churn", 1, "other", by=Identity("bob", Strength.OS, one)),
    "vote, how": lambda one: registry.approve(registry.list_requests(state="open")[0].id, by=Identity(f"{ALICE}", Strength.OS, one)),
    "rename": lambda one: registry.rename_model(one, "new", by=ALICE),
    "rename, new": lambda one: registry.rename_model("spare", one, by=ALICE),
    "delete": lambda one: registry.delete_model(one, by=ALICE),
    "restore": lambda one: registry.restore_model(one, by=ALICE),
    "delete version": lambda one: registry.delete_version("churn", one, by=ALICE),
    "history": registry.history,
    "history, number": lambda one: registry.history("churn", one),
    "as of": lambda one: registry.as_of(one, "production", datetime.now(UTC)),
    "as of, selector": lambda one: registry.as_of("churn", one, datetime.now(UTC)),
    "as of, when": lambda one: registry.as_of("churn", "production", one),
    "ask": lambda one: registry.request_transition(one, 1, "production", by=BOB),
    "ask, why": lambda one: registry.request_transition("churn", 2, "production", why=one, by=BOB),
    "ask, facts": lambda one: registry.request_transition("churn", 2, "production", facts={"note": one}, by=BOB),
    "ask, fact": lambda one: registry.request_transition("churn", 2, "production", facts={one: 1} if isinstance(one, str) else one, by=BOB),
    "ask, holdout": lambda one: registry.request_transition(
        "churn", 2, "production", holdout=holdout(one if isinstance(one, str) else repr(one)), by=BOB
    ),
    "approve": lambda one: registry.approve(one, by=CAROL),
    "approve, comment": lambda one: registry.approve(registry.list_requests(state="open")[0].id, one, by=CAROL),
    "approve, evidence": lambda one: registry.approve(registry.list_requests(state="open")[0].id, evidence=one, by=CAROL),
    "approve, signature": lambda one: registry.approve(registry.list_requests(state="open")[0].id, signature=one, by=CAROL),
    "to sign": registry.to_sign,
    "withdraw, why": lambda one: registry.withdraw(registry.list_requests(state="open")[0].id, one, by=BOB),
    "requests": registry.list_requests,
    "requests, state": lambda one: registry.list_requests(state=one),
    "requests, limit": lambda one: registry.list_requests(limit=one),
    "settle": registry.settle,
    "settle, version": lambda one: registry.settle("churn", one),
    "settle, stage": lambda one: registry.settle("churn", 1, one),
    "policy": lambda one: registry.set_policy(one, by=ALICE),
    "policy, version": registry.get_policy,
    "models, limit": lambda one: registry.list_models(limit=one),
    "anchor": registry.verify_audit,
    "export": lambda one: list(registry.export_audit(one)),
    "replay": registry.replay,
}


def tried(verb: str, one: Any) -> str:
    """What is wrong with what the verb did; "" where it did all or nothing and said so."""
    if not registry.list_requests(state="open"):
        for number, stage in ((1, "production"), (2, "production")):
            registry.request_transition("churn", number, stage, by=BOB)
    before = registry.audit_head()
    try:
        VERBS[verb](one)
    except LedgerError as error:
        long = len(str(error)) > 2_000 and verb not in ELSEWHERE
        return "a long message" if long else "" if registry.audit_head() == before else f"written, and then {error}"
    except Exception as error:  # noqa: BLE001  # whatever else it is, it is not ours
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.long
def test_every_verb_takes_it_or_refuses_it_without_a_trace(fresh_ledger: Ledger) -> None:
    """Each hostile text, and each thing that is none, in every place: an error of ours and nothing written, or a whole change."""
    version(), version()
    registry.create_model("spare", by=ALICE)
    registry.set_policy('[[rule]]\nmodel = "*"\nstage = "production"\napprovals = 50', by=ALICE)
    every = [*TEXTS, *THINGS] if fresh_ledger.database.dialect == "sqlite" else TEXTS  # what is no text comes to no database
    found = [(verb, repr(one)[:30], said[:200]) for verb in VERBS for one in every if (said := tried(verb, one))]
    assert not found, "\n".join(map(str, found))
    with fresh_ledger.database.read() as tx:
        agrees(tx)
    assert registry.get_version("churn", 1).version == 1


@pytest.mark.parametrize("text", [text for text in TEXTS if len(text) < 1_000])
def test_texts_come_back_as_they_were_written(fresh_ledger: Ledger, text: str) -> None:
    """A description, tag, note, reason and comment are what was written, from the tables and the log; what no database takes is marked."""
    kept = clean(text)
    version(by=ALICE)
    registry.describe_version("churn", 1, text, why=text, by=ALICE)
    registry.tag_version("churn", 1, {"key": text}, by=ALICE)
    registry.annotate("churn", 1, text, by=ALICE)
    one = registry.request_transition("churn", 1, "staging", why=text, facts={"said": text}, by=BOB)
    registry.approve(one.id, text, by=Identity("carol", Strength.OS, text))
    found = registry.get_version("churn", 1)
    assert (found.description, found.tags["key"], registry.notes("churn", 1)[0].text) == (kept, kept, kept)
    told = {change.action: change for change in registry.history("churn")}
    assert (told["described"].after["description"], told["described"].why, told["request.opened"].why) == (kept, kept, kept)
    assert (told["request.approved"].why, told["request.approved"].by.how) == (kept, kept)
    assert registry.get_request(one.id).votes[0]["comment"] == kept
    with fresh_ledger.database.read() as tx:
        assert rows(tx, "SELECT content FROM evidences WHERE digest = ?", [one.evidence])
        agrees(tx)
    assert registry.replay(one.id).same


def test_an_identity_without_end_is_refused(fresh_ledger: Ledger) -> None:
    """What an identity rests on is a text like any other: its length has an end."""
    with pytest.raises(InvalidValue, match="how an identity is known"):
        registry.create_model("churn", by=Identity("alice", Strength.OS, "x" * 1_000_000))
    assert registry.list_models() == []
