"""Ways into production that look like the proper one."""

from __future__ import annotations

import numpy as np
import pytest

from prefect_ledger import get_run, registry
from prefect_ledger.errors import InvalidName, InvalidValue, RegistryConflict, TransitionRefused, VoteRefused
from prefect_ledger.gates import Holdout
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.registry import settling
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.helpers import ALICE, BOB, CAROL, logged, version

pytestmark = pytest.mark.usefixtures("store_url")

DAVE = Identity("dave", Strength.OS, "user dave")


def approved(number: int) -> int:
    """A request for a version, with its approval."""
    one = registry.request_transition("churn", number, "production", by=BOB)
    registry.approve(one.id, by=CAROL)
    return one.id


def test_an_approval_does_not_come_back_with_the_champion_that_it_was_given_beside(fresh_ledger: Ledger) -> None:
    """Whatever was approved beside a champion is void once another one stands there, also when the first returns."""
    registry.set_policy(Policy((Rule("churn", "production", approvals=1),)), by=DAVE)
    for _ in range(3):
        version()
    approved(1)
    registry.transition("churn", 1, "production", by=DAVE)
    old = approved(3)
    for number in (2, 1):
        approved(number)
        registry.transition("churn", number, "production", by=DAVE)
    with pytest.raises(TransitionRefused, match=r"is void: .*the champion is version 2 now, and was version 1"):
        registry.transition("churn", 3, "production", by=DAVE)
    assert registry.get_request(old).state == "void"
    assert registry.verify_audit().whole


def test_tags_that_a_gate_asks_for_in_capitals_are_watched_too(fresh_ledger: Ledger) -> None:
    """A gate reads TAGS as tags, so another value after the approval voids it as it does for any tag that is judged."""
    registry.set_policy(Policy((Rule("churn", "production", approvals=1, gates=("TAGS.checked = 'yes'",)),)), by=DAVE)
    version()
    registry.tag_version("churn", 1, {"checked": "yes"}, by=ALICE)
    approved(1)
    registry.tag_version("churn", 1, {"checked": "no"}, by=ALICE)
    with pytest.raises(TransitionRefused, match="the tags of the candidate"):
        registry.transition("churn", 1, "production", by=DAVE)


def test_evidence_of_a_single_number_is_replayed_as_it_was(fresh_ledger: Ledger) -> None:
    """A target that is no column of rows is kept with the shape it has, so that its refusal is the same again."""
    registry.set_policy(Policy((Rule("churn", "production", gates=({"gate": "threshold", "metric": "brier", "at_most": 1},)),)), by=DAVE)
    version()
    rows = Holdout("june", "d1", {}, np.array(1.0), np.array(1.0))
    one = registry.request_transition("churn", 1, "production", holdout=rows, by=BOB)
    assert (one.passed, registry.replay(one.id).differences) == (False, ())


def test_version_0_is_no_way_to_the_model_itself(fresh_ledger: Ledger) -> None:
    """Versions are numbered from 1; 0 is refused everywhere, and no tag of the model is set by it."""
    version()
    with pytest.raises(InvalidValue, match="a version is a number from 1 on, not 0"):
        registry.tag_version("churn", 0, {"team": "risk"}, by=ALICE)
    assert registry.get_model("churn").tags == {}
    assert registry.get_policy(0).policy.rules == ()


def test_archiving_two_at_once_is_nobodys_conflict(fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who puts another version into the archive at the same time is in nobody's way, unless one asks for it to be as it was."""
    settle = settling.settle

    def meanwhile(name: str, number: int, stage: str) -> None:
        if number == 1:
            registry.transition("churn", 2, "archived", by=BOB)
        settle(name, number, stage)

    for _ in range(3):
        version()
    monkeypatch.setattr(settling, "settle", meanwhile)
    assert registry.transition("churn", 1, "archived", by=ALICE).stage == "archived"
    with pytest.raises(RegistryConflict, match="version 2 of 'churn' is in archived now, not version 1"):
        registry.transition("churn", 3, "archived", expected=1, by=ALICE)


def test_going_back_ends_what_was_approved_beside_the_other_champion(fresh_ledger: Ledger) -> None:
    """A rollback changes the champion as any move does: approvals given beside another one do not come back later."""
    registry.set_policy(Policy((Rule("churn", "production", approvals=1),)), by=DAVE)
    for number in (1, 2, 3):
        version()
        if number < 3:
            approved(number)
            registry.transition("churn", number, "production", by=DAVE)
    old, own = approved(3), registry.request_transition("churn", 1, "production", by=BOB).id
    registry.rollback("churn", "answers NaN", by=DAVE)
    states = [registry.get_request(request).reason for request in (old, own)]
    assert "the champion is version 1 now, and was version 2" in states[0]
    assert "it came there without this request" in states[1]


def test_who_trained_it_does_not_approve_it_under_whatever_name_it_is_registered(fresh_ledger: Ledger) -> None:
    """The author is also whose process logged the model: registered and asked for under other names, their approval does not count."""
    registry.set_policy(Policy((Rule("churn", "production", approvals=1),)), by=DAVE)
    model = logged()
    registry.register_model("churn", model, by="zed")
    asked = registry.request_transition("churn", 1, "production", by="yan")
    trainer = Identity(get_run(model.run_id).user, Strength.OS)
    with pytest.raises(VoteRefused, match="ran what logged this model"):
        registry.approve(asked.id, by=trainer)
    assert registry.history("churn")[1].by.how.startswith("named by ")
    registry.approve(asked.id, by=BOB)


def test_a_typed_name_takes_no_champion_away(fresh_ledger: Ledger) -> None:
    """Out of production needs an identity as strong as into it, or a gate without a champion would be a way around the champion."""
    version()
    registry.transition("churn", 1, "production", by=ALICE)
    with pytest.raises(TransitionRefused, match="stays in production"):
        registry.transition("churn", 1, "archived", by="alice")
    assert registry.transition("churn", 1, "archived", by=ALICE).stage == "archived"


def test_a_typed_name_rolls_no_champion_back_into_staging(fresh_ledger: Ledger) -> None:
    """Going back in staging to what is in production takes the champion away, so it needs an identity as strong as that does."""
    version(), version()
    for number in (1, 2):
        registry.transition("churn", number, "staging", by=ALICE)
    registry.transition("churn", 1, "production", by=ALICE)
    with pytest.raises(TransitionRefused, match=r"version 1 of 'churn' stays in production: alice is known by claimed alone"):
        registry.rollback("churn", "a way around", stage="staging", to=1, by="alice")
    assert registry.get_version("churn", "production").version == 1
    assert registry.rollback("churn", "meant so", stage="staging", to=1, by=ALICE).stage == "staging"


@pytest.mark.parametrize("name", ["chu\u200brn", " churn", "churn ", "chur\u202en", "cafe\u0301"])
def test_a_name_that_looks_like_another_is_refused(fresh_ledger: Ledger, name: str) -> None:
    """Two registered models cannot look alike for invisible characters, spaces at the ends or two ways to write an accent."""
    with pytest.raises(InvalidName):
        registry.create_model(name)
