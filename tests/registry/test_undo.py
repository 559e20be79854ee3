"""Taking a move back: by whoever made it, at once, and everything is as it was."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from prefect_ledger import registry
from prefect_ledger.errors import InvalidValue, RegistryConflict, TransitionRefused
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.registry import undoing
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.folding import agrees
from tests.registry.helpers import ALICE, BOB, version

pytestmark = pytest.mark.usefixtures("store_url", "fresh_ledger")


def _moved(*, aliases: tuple[str, ...] = ("champion",)) -> None:
    for number in (1, 2):
        version()
        registry.transition("churn", number, "production", aliases=aliases, by=BOB)


def test_a_move_that_is_taken_back_leaves_what_was(fresh_ledger: Ledger) -> None:
    """The version before is in the stage again, the alias means it, the other is archived, and the log adds up to that."""
    _moved()
    back = registry.undo("churn", 2, "it answers NaN", by=BOB)
    assert back is not None
    assert (back.version, back.stage, back.aliases) == (1, "production", ("champion",))
    assert registry.get_version("churn", 2).stage == "archived"
    with fresh_ledger.database.read() as tx:
        agrees(tx)
    changes = registry.history("churn")
    assert [(one.version, one.after.get("stage")) for one in changes if one.after.get("how") == "undo"] == [
        (2, "archived"),
        (1, "production"),
    ]
    assert {one.why for one in changes if one.after.get("how") == "undo"} == {"it answers NaN"}


def test_the_first_version_leaves_nothing() -> None:
    """Where nothing was in the stage before, nothing is afterwards, and an alias that was made with the move is taken away with it."""
    version()
    registry.transition("churn", 1, "production", aliases=["champion"], by=BOB)
    assert registry.undo("churn", 1, "it does not answer", by=BOB) is None
    found = registry.get_model("churn")
    assert (found.stages, found.aliases) == ({"archived": 1}, {})


def test_twice_is_once() -> None:
    """Whoever was killed after taking it back may say so again: nothing more happens."""
    _moved()
    registry.undo("churn", 2, "bad", by=BOB)
    before = registry.audit_head()
    again = registry.undo("churn", 2, "bad", by=BOB)
    assert again is not None
    assert again.version == 1
    assert registry.audit_head() == before


def test_what_came_back_is_not_taken_back() -> None:
    """The version that is in the stage again came there rightly: taking that back too is refused, and nothing moves."""
    _moved()
    registry.undo("churn", 2, "bad", by=BOB)
    with pytest.raises(TransitionRefused, match="it came back there as another move was taken back"):
        registry.undo("churn", 1, "bad", by=BOB)
    assert registry.get_version("churn", "@champion").stage == "production"


def test_nobody_takes_back_what_another_moved() -> None:
    """Another person, or the same name typed where it was known better, is refused and told of rollback; nothing moves."""
    _moved()
    for who in (ALICE, Identity("bob")):
        with pytest.raises(TransitionRefused, match=r"bob \(os\) moved it there.*rollback churn"):
            registry.undo("churn", 2, "bad", by=who)
    assert registry.get_version("churn", "production").version == 2


def test_not_when_others_came_since() -> None:
    """After another version came into the stage there is nothing to take back."""
    _moved()
    version()
    registry.transition("churn", 3, "production", by=BOB)
    with pytest.raises(RegistryConflict, match="version 3 of 'churn' was moved to production after version 2"):
        registry.undo("churn", 2, "bad", by=BOB)


def test_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A move that is older than the time for it stays: going back is rollback's then, as the policy lets."""
    _moved()
    monkeypatch.setattr(undoing, "WITHIN", timedelta(milliseconds=1))
    time.sleep(0.01)
    with pytest.raises(TransitionRefused, match="more than an hour ago"):
        registry.undo("churn", 2, "bad", by=BOB)


def test_what_was_taken_back_is_nowhere_to_go_back_to() -> None:
    """rollback after an undo passes over the version that did not work."""
    _moved()
    version()
    registry.undo("churn", 2, "bad", by=BOB)
    registry.transition("churn", 3, "production", by=BOB)
    assert registry.rollback("churn", "3 is worse", by=BOB).version == 1


def test_a_reason_and_a_move_are_needed() -> None:
    """Without a reason, and of a version that was never there, it is refused at the caller's line."""
    version()
    with pytest.raises(InvalidValue, match="taken back"):
        registry.undo("churn", 1, " ", by=BOB)
    with pytest.raises(TransitionRefused, match="never moved to production"):
        registry.undo("churn", 1, "bad", by=BOB)


def test_aliases_of_a_stage_go_back_with_it() -> None:
    """Where the policy lets an alias follow the stage, taking the move back takes it back too."""
    registry.set_policy(Policy((Rule("churn", "production", aliases=("champion",)),)), by=BOB)
    _moved(aliases=())
    assert registry.get_version("churn", "@champion").version == 2
    registry.undo("churn", 2, "bad", by=BOB)
    assert registry.get_version("churn", "@champion").version == 1


def test_an_approval_is_not_good_for_another_time() -> None:
    """What was taken back needs a new request: the one that brought it in is spent, and others beside the old champion are void."""
    registry.set_policy(Policy((Rule("churn", "production", approvals=1, identity=Strength.OS),)), by=BOB)
    for _ in range(2):
        version()
    asked = registry.request_transition("churn", 1, "production", by=ALICE)
    registry.approve(asked.id, by=BOB)
    registry.transition("churn", 1, "production", by=BOB)
    registry.undo("churn", 1, "bad", by=BOB)
    assert registry.get_request(asked.id).state == "done"
    with pytest.raises(TransitionRefused, match="request 1 is done"):
        registry.transition("churn", 1, "production", by=BOB)


def test_a_typed_name_takes_back_only_what_it_moved_itself() -> None:
    """Whoever types a worker's name is not the worker: what was moved under a claimed name is taken back in the very same way alone."""
    worker, typed = Identity("worker", how="user id 0 on host, root in a container"), Identity("worker", how="named by mallory")
    version()
    registry.transition("churn", 1, "staging", by=worker)
    told = r"worker \(claimed: user id 0 on host, root in a container\) moved it there, and worker \(claimed: named by mallory\) cannot"
    for who, words in ((typed, told), ("worker", "cannot take that back"), (Identity("worker", Strength.OS), "cannot take that back")):
        with pytest.raises(TransitionRefused, match=words):
            registry.undo("churn", 1, "mine", stage="staging", by=who)
    assert registry.get_version("churn", "staging").version == 1
    assert registry.undo("churn", 1, "it fails", stage="staging", by=worker) is None


def test_a_known_person_takes_back_however_they_are_known() -> None:
    """Somebody who is known by more than a typed name is the same person on another machine: there person and strength decide."""
    _moved()
    back = registry.undo("churn", 2, "it fails", by=Identity("bob", Strength.OS, "user id 1001 on another host"))
    assert back is not None
    assert back.version == 1


def test_the_command_that_is_named_can_be_typed() -> None:
    """A model's name that a shell would take for commands is quoted in the hint."""
    name = "x; touch pwned #"
    version(name=name)
    registry.transition(name, 1, "staging", by=BOB)
    with pytest.raises(TransitionRefused, match="prefect-ledger rollback 'x; touch pwned #' goes back"):
        registry.undo(name, 1, "bad", stage="staging", by=ALICE)
