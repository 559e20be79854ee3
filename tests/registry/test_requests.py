"""What a promotion asks for: each way around it is refused, with the reason, and leaves no trace."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prefect_ledger import open_run, registry
from prefect_ledger.database import execute, rows
from prefect_ledger.errors import (
    ArtifactCorrupt,
    ArtifactNotFound,
    EvidenceCorrupt,
    InvalidValue,
    RegistryConflict,
    RequestNotFound,
    TransitionRefused,
    VoteRefused,
)
from prefect_ledger.gates import Holdout
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.promotion.report import request_markdown
from prefect_ledger.registered import TransitionRequest
from prefect_ledger.tracking.ledger import Ledger, LedgerWarning
from tests.registry.helpers import ALICE, BOB, CAROL, logged, version

pytestmark = pytest.mark.usefixtures("store_url")

DAVE = Identity("dave", Strength.OS, "user dave")


def policy(*gates: Any, approvals: int = 1, stage: str = "production", **more: Any) -> None:
    """Let a rule for churn hold."""
    from prefect_ledger.policies import Policy, Rule

    registry.set_policy(Policy((Rule("churn", stage, gates=tuple(gates), approvals=approvals, **more),)), by=DAVE)


def asked(auc: float = 0.9, *gates: Any, approvals: int = 1, **more: Any) -> TransitionRequest:
    """Bob asks for a version that alice made."""
    policy(*gates, approvals=approvals, **more)
    return registry.request_transition("churn", version(auc).version, "production", by=BOB)


def refused(request: int, told: str, *, by: Identity = CAROL) -> None:
    """An approval that is refused for this reason, and leaves no vote; nor does the version move."""
    before = registry.get_request(request)
    with pytest.raises(VoteRefused, match=told):
        registry.approve(request, by=by)
    after = registry.get_request(request)
    assert after.votes == before.votes
    with pytest.raises(TransitionRefused):
        registry.transition(after.name, after.version, after.stage, by=DAVE)
    assert registry.get_version(after.name, after.version).stage == "none"
    assert registry.verify_audit().whole


def holdout(rows_: int = 400, *, better: bool = True, digest: str = "d1", **columns: Any) -> Holdout:
    """Rows of which the candidate knows more than the champion."""
    draw = np.random.default_rng(7)
    target = draw.integers(0, 2, rows_).astype(float)
    near, far = np.abs(target - 0.1), np.abs(target - 0.4)
    region = np.where(np.arange(rows_) % 2 == 0, "north", "south")
    candidate, champion = (near, far) if better else (far, near)
    return Holdout("holdout", digest, {"region": region, **columns}, target, candidate, champion)


# --- who may say yes -----------------------------------------------------------------------------------------------------


def test_an_approved_request_lets_the_version_in(fresh_ledger: Ledger) -> None:
    """What passed its gates and has its approvals is moved once, by whoever is known well enough; the row names evidence and request."""
    one = asked(0.9, "metrics.auc >= 0.8")
    with pytest.raises(TransitionRefused, match="1 of 1 approvals is missing"):
        registry.transition("churn", 1, "production", by=CAROL)
    assert registry.approve(one.id, "looked at it", evidence=one.evidence, by=CAROL).state == "open"
    assert registry.transition("churn", 1, "production", by="a worker").stage == "production"
    assert registry.get_request(one.id).state == "done"
    moved = registry.history("churn")[-2]
    assert (moved.action, moved.evidence, moved.after["how"]) == ("version.moved", one.evidence, f"request {one.id}")
    with pytest.raises(VoteRefused, match="is done"):
        registry.approve(one.id, by=DAVE)
    registry.transition("churn", 1, "archived", by=DAVE)
    with pytest.raises(TransitionRefused, match="is done"):
        registry.transition("churn", 1, "production", by=DAVE)


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (ALICE, "alice made the version"),
        (Identity("ALICE ", Strength.OIDC), "made the version"),
        (BOB, "bob opened the request"),
        (Identity("carol"), "known by claimed alone"),
    ],
)
def test_whose_approval_does_not_count(fresh_ledger: Ledger, by: Identity, told: str) -> None:
    """Nobody agrees to what they made or asked for, however they write their name, nor by a name that is only typed."""
    refused(asked().id, told, by=by)


def test_where_nobody_is_to_agree_the_mover_is_known_well_enough(fresh_ledger: Ledger) -> None:
    """Gates alone do not let a name that is only typed bring a version into production."""
    asked(0.9, "metrics.auc >= 0.8", approvals=0)
    with pytest.raises(TransitionRefused, match="claimed"):
        registry.transition("churn", 1, "production", by="dave")
    assert registry.transition("churn", 1, "production", by=DAVE).stage == "production"


def test_only_those_who_are_named_approve(fresh_ledger: Ledger) -> None:
    """A rule that names its approvers counts no others."""
    one = asked(approvers=("dave", "team-*"))
    refused(one.id, "carol is none of the approvers")
    assert len(registry.approve(one.id, by=Identity("Team-Risk", Strength.OS)).votes) == 1


def test_a_person_counts_once(fresh_ledger: Ledger) -> None:
    """Two approvals are two people's."""
    one = asked(approvals=2)
    registry.approve(one.id, by=CAROL)
    refused(one.id, "has approved already", by=Identity("Carol", Strength.OIDC))
    registry.approve(one.id, by=DAVE)
    assert registry.transition("churn", 1, "production", by=BOB).stage == "production"


def test_a_rejection_ends_a_request_and_is_no_weaker_than_an_approval(fresh_ledger: Ledger) -> None:
    """Who may not approve may not reject; a rejection needs its reason and ends the request also for those who approved."""
    one = asked(approvals=2)
    registry.approve(one.id, by=CAROL)
    with pytest.raises(VoteRefused, match="claimed"):
        registry.reject(one.id, "no", by="dave")
    with pytest.raises(InvalidValue, match="a comment is needed"):
        registry.reject(one.id, " ", by=DAVE)
    assert registry.reject(one.id, "worse on small customers", by=DAVE).state == "rejected"
    refused(one.id, "rejected by dave: worse on small customers", by=Identity("erin", Strength.OS))


def test_after_expiry_nothing_counts(fresh_ledger: Ledger) -> None:
    """An approval after the request expired is refused; so is a move by one that was approved in time."""
    one = asked(expires=1_000_000)
    second = version()
    two = registry.request_transition("churn", second.version, "production", by=BOB)
    registry.approve(two.id, by=CAROL)
    time.sleep(1.1)
    refused(one.id, "expired")
    with pytest.raises(TransitionRefused, match="expired"):
        registry.transition("churn", second.version, "production", by=DAVE)
    assert [registry.get_request(number).state for number in (one.id, two.id)] == ["expired", "expired"]


def test_what_was_withdrawn_is_not_approved(fresh_ledger: Ledger) -> None:
    """A request is withdrawn by whoever opened it, and then nothing counts."""
    one = asked()
    with pytest.raises(VoteRefused, match="bob's: carol can reject it"):
        registry.withdraw(one.id, by=CAROL)
    registry.approve(one.id, by=CAROL)
    assert registry.withdraw(one.id, "a bug in the data", by=BOB).state == "withdrawn"
    refused(one.id, "is withdrawn", by=DAVE)


def test_an_approval_of_other_evidence_is_refused(fresh_ledger: Ledger) -> None:
    """Who says which evidence they looked at approves that and no other."""
    one = asked()
    with pytest.raises(VoteRefused, match="was shown other evidence"):
        registry.approve(one.id, evidence="0" * 64, by=CAROL)
    with pytest.raises(VoteRefused, match="was shown other evidence"):
        registry.reject(one.id, "no", evidence="", by=CAROL)
    assert registry.get_request(one.id).votes == ()


# --- what voids it -------------------------------------------------------------------------------------------------------


def test_a_candidate_that_changed_voids_the_request(fresh_ledger: Ledger) -> None:
    """A metric logged after the request makes it void, with that reason, also when all had approved."""
    one = asked()
    registry.approve(one.id, by=CAROL)
    open_run(registry.get_version("churn", 1).run_id).log_metric("auc", 0.1)
    with pytest.raises(TransitionRefused, match=r"void: .*the metrics of the candidate \(version 1\) changed"):
        registry.transition("churn", 1, "production", by=DAVE)
    assert registry.get_request(one.id).state == "void"


def test_data_that_changed_voids_the_request(fresh_ledger: Ledger) -> None:
    """Data that the candidate's run is found to have used after the request makes it void."""
    one = asked()
    open_run(registry.get_version("churn", 1).run_id).record_dataset("train", "abc", context="train")
    refused(one.id, "the data of the candidate")


def test_another_champion_voids_the_request(fresh_ledger: Ledger) -> None:
    """What was compared with one champion is not approved against another, nor against none."""
    policy()
    version(), version(), version()
    numbers = [registry.request_transition("churn", number, "production", by=BOB).id for number in (1, 2)]
    for number in numbers:
        registry.approve(number, by=CAROL)
    registry.transition("churn", 1, "production", by=DAVE)
    with pytest.raises(TransitionRefused, match="version 1 became the champion, and there was none"):
        registry.transition("churn", 2, "production", by=DAVE)
    three = registry.request_transition("churn", 3, "production", by=BOB)
    assert three.champion == 1
    open_run(registry.get_version("churn", 1).run_id).log_metric("auc", 0.95)
    refused(three.id, "the metrics of the champion")
    three = registry.request_transition("churn", 3, "production", by=BOB)
    registry.transition("churn", 1, "archived", by=DAVE)
    refused(three.id, "version 1 is not the champion any more")


def test_another_policy_voids_the_request(fresh_ledger: Ledger) -> None:
    """A request judged by one rule is not granted by another; one whose rule stayed the same goes on."""
    one = asked(approvals=2)
    policy(approvals=1)
    refused(one.id, "the policy asks for other things")
    two = registry.request_transition("churn", 1, "production", by=BOB)
    registry.set_policy(
        '[[rule]]\nmodel = "churn"\nstage = "production"\napprovals = 1\n\n[[rule]]\nmodel = "other"\nstage = "*"\napprovals = 3', by=DAVE
    )
    assert len(registry.approve(two.id, by=CAROL).votes) == 1


def test_a_deleted_candidate_voids_the_request(fresh_ledger: Ledger) -> None:
    """Nobody agrees to a version, or a model, that is deleted; restoring it does not bring the request back."""
    one = asked()
    registry.approve(one.id, by=CAROL)
    registry.delete_version("churn", 1, by=ALICE)
    assert [found.state for found in registry.settle()] == ["void"]
    registry.restore_version("churn", 1, by=ALICE)
    refused(one.id, "is void", by=DAVE)
    two = registry.request_transition("churn", 1, "production", by=BOB)
    registry.delete_model("churn", by=ALICE)
    with pytest.raises(VoteRefused, match="is void: the registered model 'churn' is deleted"):
        registry.approve(two.id, by=CAROL)


def test_tags_that_a_gate_asked_for_are_part_of_what_was_judged(fresh_ledger: Ledger) -> None:
    """A tag that a gate judged voids the request when it changes; others, where no gate asks for tags, do not."""
    policy("tags.data = 'real'")
    version()
    registry.tag_version("churn", 1, {"data": "real"}, by=ALICE)
    one = registry.request_transition("churn", 1, "production", by=BOB)
    assert one.passed
    registry.tag_version("churn", 1, {"data": "synthetic"}, by=ALICE)
    refused(one.id, "the tags of the candidate")
    policy("metrics.auc >= 0.1")
    two = registry.request_transition("churn", 1, "production", by=BOB)
    registry.tag_version("churn", 1, {"seen": "yes"}, by=ALICE)
    assert len(registry.approve(two.id, by=CAROL).votes) == 1


def test_asked_anew_the_older_request_is_void(fresh_ledger: Ledger) -> None:
    """One request for a version and stage is open at a time; approvals do not go over to the next."""
    one = asked()
    registry.approve(one.id, by=CAROL)
    two = registry.request_transition("churn", 1, "production", by=BOB)
    assert registry.get_request(one.id).state == "void"
    refused(two.id, "made the version", by=ALICE)


def test_nobody_voids_what_somebody_else_asked_for(fresh_ledger: Ledger) -> None:
    """While a request is open and holds, another person asking for the same is refused, or one call would undo all approvals."""
    one = asked(approvals=2)
    registry.approve(one.id, by=CAROL)
    with pytest.raises(RegistryConflict, match=rf"request {one.id} .*version 1 .*is bob's, and open: vote on it, or have bob withdraw it"):
        registry.request_transition("churn", 1, "production", by=DAVE)
    assert [found.id for found in registry.list_requests()] == [one.id]
    assert registry.request_transition("churn", 1, "staging", by=DAVE).state == "open"
    registry.withdraw(one.id, by=BOB)
    two = registry.request_transition("churn", 1, "production", by=DAVE)
    open_run(registry.get_version("churn", 1).run_id).log_metric("auc", 0.95)
    three = registry.request_transition("churn", 1, "production", by=BOB)
    assert [registry.get_request(number).state for number in (two.id, three.id)] == ["void", "open"]
    assert "metrics of the candidate" in registry.get_request(two.id).reason


def test_a_request_that_came_while_it_was_judged_is_not_replaced(fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two people who ask at the same time one has the request, and the other is told whose it is."""
    from prefect_ledger.registry import evidence

    policy("metrics.auc >= 0.1")
    version()
    keep = evidence.keep

    def meanwhile(found: Any) -> Any:
        monkeypatch.setattr(evidence, "keep", keep)
        registry.request_transition("churn", 1, "production", by=CAROL)
        return keep(found)

    monkeypatch.setattr(evidence, "keep", meanwhile)
    with pytest.raises(RegistryConflict, match="is carol's, and open"):
        registry.request_transition("churn", 1, "production", by=BOB)
    assert [(found.requester.name, found.state) for found in registry.list_requests()] == [("carol", "open")]


def test_a_typed_name_ends_nothing_that_was_asked_for_by_more(fresh_ledger: Ledger) -> None:
    """Withdrawing and asking anew take an identity at least as strong as that of who asked."""
    policy()
    version()
    token = Identity("bob", Strength.CI, "a token of build 7")
    one = registry.request_transition("churn", 1, "production", by=token)
    for weak in ("bob", BOB):
        with pytest.raises(
            VoteRefused, match=rf"request {one.id} was asked for by bob known by ci, and bob is known by (claimed|os) alone"
        ):
            registry.withdraw(one.id, by=weak)
        with pytest.raises(RegistryConflict, match=r"request 1 .*known by ci, and bob is known by (claimed|os) alone"):
            registry.request_transition("churn", 1, "production", by=weak)
    assert registry.get_request(one.id).state == "open"
    two = registry.request_transition("churn", 1, "production", by=Identity("Bob", Strength.OIDC))
    assert registry.get_request(one.id).reason == "asked anew"
    with pytest.raises(VoteRefused, match="known by oidc"):
        registry.withdraw(two.id, by=token)
    assert registry.withdraw(two.id, by=Identity("bob", Strength.OIDC)).state == "withdrawn"


def test_an_approval_is_spent_when_the_version_came_in_otherwise(fresh_ledger: Ledger) -> None:
    """A request that is open when its version comes into the stage by another way is not good for a second time."""
    one = asked(break_glass=("dave",))
    registry.approve(one.id, by=CAROL)
    with pytest.warns(LedgerWarning, match="dave passed over the rules"):
        registry.transition("churn", 1, "production", break_glass=True, why="production is down", by=DAVE)
    registry.transition("churn", 1, "archived", why="it was bad", by=DAVE)
    with pytest.raises(TransitionRefused, match=rf"request {one.id} is void: .*is in production already"):
        registry.transition("churn", 1, "production", by=BOB)


def test_a_request_is_found_among_a_thousand(fresh_ledger: Ledger) -> None:
    """An approved request counts however many others of the model came after it."""
    one = asked()
    registry.approve(one.id, by=CAROL)
    with fresh_ledger.database.write() as tx:
        columns = "model_id, stage, state, requester, strength, evidence, standing, report, passed, policy, rule, opened, expires"
        of_others = columns.replace("stage", "'archived'")
        text = f"INSERT INTO transition_requests ({columns}, version) SELECT {of_others}, ? FROM transition_requests WHERE id = ?"
        for _ in range(1_001):
            execute(tx, text, [7, one.id])
    assert registry.transition("churn", 1, "production", by=DAVE).stage == "production"


# --- gates -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        ("metrics.f1 >= 0.5", "f1"),
        ("metrics.auc >= champion.metrics.auc", "there is no champion"),
        ("metrics.auc >= 0.95", "metrics.auc is 0.9"),
        ({"gate": "threshold", "metric": "log_loss", "at_most": 1}, "holdout"),
        ({"gate": "latency", "at_most": 1, "quantile": 0.5}, "latenc"),
    ],
)
def test_what_is_missing_is_never_a_pass(fresh_ledger: Ledger, gate: Any, told: str) -> None:
    """A metric nobody logged, a champion that is not there, no holdout, no latencies: a kept request that is rejected and says so."""
    one = asked(0.9, gate)
    assert (one.state, one.passed) == ("rejected", False)
    assert told in one.reason
    assert told in one.report["verdicts"][0]["reason"]
    assert registry.list_requests("churn")[0] == one
    refused(one.id, "gates did not pass")


@pytest.mark.parametrize(
    ("gate", "given", "told"),
    [
        ({"gate": "slices", "metric": "log_loss", "by": "country"}, holdout(), "no column 'country'"),
        ({"gate": "bootstrap", "metric": "log_loss"}, holdout(20), "20"),
        ({"gate": "slices", "metric": "log_loss", "by": "region", "min_rows": 300}, holdout(), "no slice by 'region' has 300 rows"),
        ({"gate": "bootstrap", "metric": "log_loss"}, holdout(better=False), "not above 0"),
        ({"gate": "drift", "columns": ["age"]}, holdout(), "no columns of the training data"),
    ],
)
@pytest.mark.long
def test_a_holdout_that_does_not_say_enough_is_no_pass(fresh_ledger: Ledger, gate: Any, given: Holdout, told: str) -> None:
    """Other columns, too few rows, a worse candidate: the report says so."""
    version(), version()
    registry.transition("churn", 1, "production", by=ALICE)
    policy(gate)
    one = registry.request_transition("churn", 2, "production", holdout=given, by=BOB)
    assert not one.passed
    assert told in one.reason
    assert registry.replay(one.id).same


def test_a_gate_is_passed_by_what_was_recorded(fresh_ledger: Ledger) -> None:
    """What the caller adds to the evidence does not replace what the ledger recorded, and a misspelled side is refused."""
    policy("metrics.auc >= 0.1")
    version()
    for facts, told in (({"policy": 9}, "policy"), ({"run_id": "x"}, "run_id"), ("text", "mapping"), ({"a": {1, 2}}, "JSON")):
        with pytest.raises(InvalidValue, match=told):
            registry.request_transition("churn", 1, "production", facts=facts, by=BOB)  # type: ignore[arg-type]  # the point
    for latency in ({"candidat": [1.0]}, {"candidate": ["fast"]}, {"candidate": 3}, [1.0], {"candidate": "123"}, {"candidate": ["1"]}):
        with pytest.raises(InvalidValue, match="latency"):
            registry.request_transition("churn", 1, "production", latency=latency, by=BOB)  # type: ignore[arg-type]  # the point
    with pytest.raises(InvalidValue, match="holdout"):
        registry.request_transition("churn", 1, "production", holdout="rows", by=BOB)  # type: ignore[arg-type]  # the point
    assert registry.list_requests() == []
    secret = {"note": "postgresql://ann:hunter2secret@db/x", "api_token": "hunter2secret"}
    one = registry.request_transition("churn", 1, "production", facts={"ticket": 7, **secret}, by=BOB)
    with fresh_ledger.database.read() as tx:
        content = rows(tx, "SELECT content FROM evidences WHERE digest = ?", [one.evidence])[0][0]
    assert '"ticket":7' in content
    assert "hunter2secret" not in content


# --- replay ----------------------------------------------------------------------------------------------------------------


def judged(**columns: Any) -> TransitionRequest:
    """A request with a holdout and several gates."""
    version(), version(0.91)
    registry.transition("churn", 1, "production", by=ALICE)
    gates = (
        "metrics.auc >= champion.metrics.auc - 0.002",
        {"gate": "bootstrap", "metric": "log_loss", "resamples": 1000},
        {"gate": "slices", "metric": "log_loss", "by": "region"},
        {"gate": "latency", "at_most": 1, "quantile": 0.5},
    )
    policy(*gates)
    times = {"candidate": [0.1] * 1000, "champion": [0.2] * 1000}
    return registry.request_transition("churn", 2, "production", holdout=holdout(**columns), latency=times, by=BOB)


def test_a_replay_comes_to_the_same_verdict(fresh_ledger: Ledger) -> None:
    """The evidence that was kept, arrays and all, is judged the same again, whatever was logged or set since."""
    one = judged(missing=np.array([None, "x"] * 200, dtype=object))
    assert one.passed, one.reason
    open_run(registry.get_version("churn", 2).run_id).log_metric("auc", 0.0)
    policy(approvals=3)
    again = registry.replay(one.id)
    assert again.same, again.differences
    assert again.report.to_json() == one.report


def test_a_verdict_that_was_changed_shows_in_the_replay(fresh_ledger: Ledger) -> None:
    """A report rewritten by hand is not what the evidence says."""
    one = asked(0.5, "metrics.auc >= 0.8")
    with fresh_ledger.database.write() as tx:
        execute(tx, "UPDATE transition_requests SET report = REPLACE(report, 'false', 'true'), passed = 1, state = 'open'")
    assert "passed was True, and is False" in " ".join(registry.replay(one.id).differences)


def test_changed_evidence_is_found_and_voids_the_request(fresh_ledger: Ledger) -> None:
    """Evidence whose text was changed by hand is refused where it is read, and nobody approves what rests on it."""
    one = judged()
    registry.approve(one.id, by=CAROL)
    with fresh_ledger.database.write() as tx:
        execute(tx, "UPDATE evidences SET content = REPLACE(content, '0.91', '0.99')")
    with pytest.raises(EvidenceCorrupt, match="was changed"):
        registry.replay(one.id)
    with pytest.raises(VoteRefused, match=r"is void: .*evidence"):
        registry.approve(one.id, by=DAVE)
    with pytest.raises(TransitionRefused, match=r"is void: .*evidence"):
        registry.transition("churn", 2, "production", by=DAVE)


def test_changed_arrays_are_found(fresh_ledger: Ledger) -> None:
    """Arrays of a holdout that were changed, or taken away, below the artifact root are never judged again."""
    one = judged()
    with fresh_ledger.database.read() as tx:
        ((uri,),) = rows(tx, "SELECT uri FROM evidences WHERE digest = ?", [one.evidence])
    file = Path(uri.removeprefix("file://"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(ArtifactCorrupt):
        registry.replay(one.id)
    file.unlink()
    with pytest.raises(ArtifactNotFound):
        registry.replay(one.id)


# --- break glass -------------------------------------------------------------------------------------------------------------


def test_rules_are_passed_over_only_where_the_policy_lets(fresh_ledger: Ledger) -> None:
    """Break-glass needs a name on the list, an identity that is strong enough, and a reason; it is written down as such."""
    policy("metrics.auc >= 2", break_glass=("dave",))
    version()
    one = registry.request_transition("churn", 1, "production", by=BOB)
    before = registry.audit_head()
    with pytest.raises(TransitionRefused, match=r"carol may not pass over .*: only dave may"):
        registry.transition("churn", 1, "production", break_glass=True, why="down", by=CAROL)
    with pytest.raises(TransitionRefused, match="claimed"):
        registry.transition("churn", 1, "production", break_glass=True, why="down", by="dave")
    with pytest.raises(InvalidValue, match="why the rules are passed over is needed"):
        registry.transition("churn", 1, "production", break_glass=True, by=DAVE)
    assert registry.audit_head() == before
    with pytest.warns(LedgerWarning, match="dave passed over the rules"):
        registry.transition("churn", 1, "production", break_glass=True, why="down", by=DAVE)
    broken, moved = [found for found in registry.history("churn") if found.action in ("glass.broken", "version.moved")]
    assert (broken.action, broken.why, broken.by.name) == ("glass.broken", "down", "dave")
    assert (moved.after["how"], moved.why) == ("break glass", "down")
    assert registry.get_request(one.id).state == "rejected"


def test_without_a_rule_nobody_breaks_glass(fresh_ledger: Ledger) -> None:
    """Where no policy names anybody, nobody may."""
    version()
    with pytest.raises(TransitionRefused, match="nobody may"):
        registry.transition("churn", 1, "production", break_glass=True, why="down", by=DAVE)


# --- what is asked wrongly -----------------------------------------------------------------------------------------------------


def test_a_request_that_is_not_there(fresh_ledger: Ledger) -> None:
    """Numbers of requests that are none, or not there, are refused by every verb in our own words."""
    for number in (7, 0, 10**8):
        with pytest.raises(RequestNotFound):
            registry.get_request(number)
    for wrong in ("1; DROP TABLE audit", None, 1.5, -1, 10**30, True, "\0"):
        for verb in (registry.get_request, registry.approve, registry.withdraw, registry.replay, lambda one: registry.reject(one, "no")):
            with pytest.raises(InvalidValue, match="a request is a number"):
                verb(wrong)  # type: ignore[arg-type]  # the point


def test_a_stage_that_the_version_is_in_already(fresh_ledger: Ledger) -> None:
    """Asking for where it is already is refused; moving it there is done already."""
    version()
    registry.transition("churn", 1, "production", by=ALICE)
    with pytest.raises(TransitionRefused, match="is in production already"):
        registry.request_transition("churn", 1, "production", by=BOB)
    head = registry.audit_head()
    assert registry.transition("churn", 1, "production", by=ALICE).version == 1
    assert registry.audit_head() == head


def test_what_changed_while_it_was_judged_is_a_conflict(fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A champion that came while the gates judged: the request is not opened on a comparison that is over."""
    from prefect_ledger.registry import evidence

    version(), version()
    policy("metrics.auc >= 0.1", approvals=0, stage="staging")
    keep = evidence.keep

    def meanwhile(found: Any) -> Any:
        registry.transition("churn", 1, "production", by=ALICE)
        return keep(found)

    monkeypatch.setattr(evidence, "keep", meanwhile)
    with pytest.raises(RegistryConflict, match="version 1 became the champion"):
        registry.request_transition("churn", 2, "staging", by=BOB)
    assert registry.list_requests() == []


def test_a_model_that_was_logged_only_is_not_registered_by_a_refusal(fresh_ledger: Ledger) -> None:
    """What is refused at the caller's line leaves no row at all."""
    one = logged()
    for wrong in ({"by": "a\nb"}, {"by": 7}, {"why": "x" * 20_001}, {"tags": {"": "x"}}, {"description": 7}):
        with pytest.raises((InvalidValue, ValueError)):
            registry.register_model("churn", one, **wrong)
    assert (registry.list_models(), registry.audit_head().seq) == ([], 0)


def test_a_request_without_a_champion_knows_who_was_one(fresh_ledger: Ledger) -> None:
    """Whoever took the champion out just before is not passed over: a request says which version was it last, and until when."""
    version(), version(), version()
    first = registry.request_transition("churn", 1, "staging", by=ALICE)
    assert (first.champion, first.champion_before, first.champion_until) == (None, None, None)
    assert "there is no champion yet" in request_markdown(first)
    registry.transition("churn", 1, "production", by=ALICE)
    beside = registry.request_transition("churn", 2, "staging", by=ALICE)
    assert (beside.champion, beside.champion_before) == (1, None)
    itself = registry.request_transition("churn", 1, "staging", by=ALICE)
    assert (itself.champion, itself.champion_before, itself.champion_until) == (None, 1, None)
    assert "version 1 is the champion itself" in request_markdown(itself)
    registry.transition("churn", 2, "production", by=ALICE)
    registry.transition("churn", 2, "archived", by=ALICE)
    left = registry.history("churn", 2)[-1]
    after = registry.request_transition("churn", 3, "production", by=ALICE)
    assert (after.champion, after.champion_before, after.champion_until) == (None, 2, left.at)
    words = f"there is no champion now; version 2 was one until {left.at:%Y-%m-%d %H:%M:%S} UTC"
    assert words in request_markdown(after)
    registry.transition("churn", 3, "production", by=ALICE)
    assert words in request_markdown(registry.get_request(after.id))  # what it was judged beside, not what came later
    assert "there is no champion yet" in request_markdown(registry.get_request(first.id))
