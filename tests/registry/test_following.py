"""Aliases that follow a stage: they mean the version in it, whoever brings it there and however."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prefect_ledger import registry
from prefect_ledger.database import rows
from prefect_ledger.errors import RegistryConflict, TransitionRefused, VersionNotFound
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.tracking.ledger import Ledger, LedgerWarning
from tests.registry.folding import agrees
from tests.registry.helpers import ALICE, BOB, CAROL, version

pytestmark = pytest.mark.usefixtures("store_url")

EVENT = "prefect-ledger.registry.alias.moved"
DAVE = Identity("dave", Strength.OS, "user dave")


def follows(**more: Any) -> None:
    """Let champion follow production, and challenger staging."""
    rules = (Rule("churn*", "production", aliases=("champion",), **more), Rule("churn", "staging", aliases=("challenger",)))
    registry.set_policy(Policy(rules), by=DAVE)


def aliases() -> dict[str, int]:
    """What the aliases of churn mean now, which log and tables agree about."""
    return dict(registry.get_model("churn").aliases)


def moved() -> list[tuple[int | None, int | None]]:
    """From where to where the champion was moved."""
    return [
        (one.before["version"], one.after["version"])
        for one in registry.history("churn")
        if one.action == "alias.moved" and one.after["alias"] == "champion"
    ]


def test_who_comes_into_the_stage_gets_its_aliases(fresh_ledger: Ledger) -> None:
    """The alias moves in the transaction of the stage, with a row of its own that says why and an event; other aliases stay."""
    follows()
    version(), version()
    registry.set_alias("churn", "shadow", 1, by=BOB)
    registry.transition("churn", 1, "production", by=ALICE)
    registry.transition("churn", 2, "staging", by=ALICE)
    assert aliases() == {"shadow": 1, "champion": 1, "challenger": 2}
    registry.transition("churn", 2, "production", why="better", by=BOB)
    assert aliases() == {"shadow": 1, "champion": 2, "challenger": 2}
    last = registry.history("churn")[-1]
    assert (last.action, last.why, last.by.name, last.before["version"]) == ("alias.moved", "better", "bob", 1)
    stages = [one for one in registry.history("churn") if one.action == "version.moved"]
    assert last.at == stages[-1].at  # one transaction has one time
    with fresh_ledger.database.read() as tx:
        agrees(tx)
        events = [json.loads(text) for (text,) in rows(tx, "SELECT payload FROM outbox WHERE name = ? ORDER BY seq", [EVENT])]
    assert [(one["after"]["alias"], one["after"]["version"]) for one in events][-3:] == [
        ("champion", 1),
        ("challenger", 2),
        ("champion", 2),
    ]


def test_a_stage_of_several_gives_its_aliases_to_the_last_that_came(fresh_ledger: Ledger) -> None:
    """Where nothing is archived the newcomer has the alias, whatever its number; when it leaves, the highest that stayed has it."""
    follows(archive=False)
    for _ in range(3):
        version()
    for number in (1, 3, 2):
        registry.transition("churn", number, "production", by=ALICE)
    assert aliases()["champion"] == 2
    registry.set_alias("churn", "champion", 1, by=BOB)
    registry.set_alias("churn", "champion", 2, by=BOB)
    registry.transition("churn", 2, "archived", by=ALICE)
    assert aliases()["champion"] == 3
    registry.transition("churn", 1, "archived", by=ALICE)
    assert aliases()["champion"] == 3


def test_an_alias_that_follows_a_stage_goes_nowhere_else_by_hand(fresh_ledger: Ledger) -> None:
    """By hand it means no version outside the stage, nor nothing while one is in it; the refusal says the rule and what to do."""
    version(), version()
    registry.set_policy(Policy((Rule("fraud", "staging"), Rule("churn*", "production", aliases=("champion",)))), by=DAVE)
    where = r"rule 2 of version 1 of the policy \('churn\*' in production\)"
    with pytest.raises(
        TransitionRefused, match=rf"@champion .*version 1 is in none.*{where}.*registry.transition\('churn', 1, 'production'"
    ):
        registry.set_alias("churn", "champion", 1, by=ALICE)
    with pytest.raises(VersionNotFound):
        registry.set_alias("churn", "champion", 9, by=ALICE)
    assert registry.set_alias("churn", "champion", None, by=ALICE) is None
    registry.transition("churn", 1, "production", by=ALICE)
    for number in (2, None):
        with pytest.raises(TransitionRefused, match=where):
            registry.set_alias("churn", "champion", number, by=ALICE)
    assert registry.set_alias("churn", "champion", 1, by=ALICE) == 1
    with pytest.raises(RegistryConflict):
        registry.set_alias("churn", "champion", 1, expected=2, by=ALICE)
    registry.set_alias("churn", "other", 2, by=ALICE)
    assert aliases() == {"champion": 1, "other": 2}
    policy = Policy((Rule("churn", "production", approvals=1, aliases=("champion",)),))
    registry.set_policy(policy, by=DAVE)
    with pytest.raises(TransitionRefused, match=r"registry.request_transition\('churn', 2, 'production'"):
        registry.set_alias("churn", "champion", 2, by=ALICE)


def test_who_leaves_without_a_successor_keeps_the_alias(fresh_ledger: Ledger) -> None:
    """A server that follows the alias does not lose its model when the stage is empty; only then the alias can be taken away."""
    follows()
    version()
    registry.transition("churn", 1, "production", by=ALICE)
    registry.transition("churn", 1, "archived", by=ALICE)
    assert aliases() == {"champion": 1}
    assert registry.set_alias("churn", "champion", None, by=ALICE) == 1
    assert aliases() == {}


def test_a_rollback_takes_the_aliases_along(fresh_ledger: Ledger) -> None:
    """Going back into a stage gives its aliases too, also those that nobody named, and none that follow another stage."""
    follows()
    version(), version()
    for number in (1, 2):
        registry.transition("churn", number, "staging", by=ALICE)
        registry.transition("churn", number, "production", by=ALICE)
    registry.rollback("churn", "answers NaN", aliases=(), by=BOB)
    assert aliases() == {"champion": 1, "challenger": 2}
    registry.transition("churn", 1, "staging", by=ALICE)
    assert aliases() == {"champion": 1, "challenger": 1}
    registry.rollback("churn", "it was 1 after all", stage="staging", to=2, by=BOB)
    assert aliases() == {"champion": 1, "challenger": 2}
    assert registry.verify_audit().whole


def test_broken_glass_takes_the_aliases_along(fresh_ledger: Ledger) -> None:
    """Whoever passes over the rules brings in a version with its aliases."""
    follows(approvals=2, break_glass=("dave",))
    version()
    with pytest.warns(LedgerWarning, match="passed over"):
        registry.transition("churn", 1, "production", break_glass=True, why="down", by=DAVE)
    assert aliases() == {"champion": 1}


def test_a_move_that_is_refused_moves_no_alias(fresh_ledger: Ledger) -> None:
    """A conflict or a missing approval leaves stage and alias as they were; an approved request moves both."""
    follows(approvals=1)
    version(), version()
    for number in (1, 2):
        asked = registry.request_transition("churn", number, "production", by=BOB)
        with pytest.raises(TransitionRefused):
            registry.transition("churn", number, "production", by=DAVE)
        registry.approve(asked.id, by=CAROL)
        with pytest.raises(RegistryConflict):
            registry.transition("churn", number, "production", expected=9, by=DAVE)
        registry.transition("churn", number, "production", by=DAVE)
    assert moved() == [(None, 1), (1, 2)]


def test_what_an_alias_followed_is_told_as_of_any_moment(fresh_ledger: Ledger) -> None:
    """The replay of the log says at each moment which version the alias meant, moved by a stage or by hand."""
    follows()
    version(), version()
    for number in (1, 2, 1):
        registry.transition("churn", number, "production", by=ALICE)
    told = []
    for change in registry.history("churn"):
        champion, there = registry.as_of("churn", "@champion", change.at), registry.as_of("churn", "production", change.at)
        told += [(one.version, one.stage) for one in (champion,) if one is not None]
        assert (champion and champion.version) == (there and there.version), change
    assert told[-1] == (1, "production")
    assert moved() == [(None, 1), (1, 2), (2, 1)]


def test_a_model_of_other_rules_has_aliases_of_its_own(fresh_ledger: Ledger) -> None:
    """A rule speaks of its models alone: for others the alias goes by hand, and a name under which it would not follow is refused."""
    follows()
    version(), version(name="fraud")
    registry.set_alias("fraud", "champion", 1, by=ALICE)
    with pytest.raises(TransitionRefused, match="asks for other things"):
        registry.rename_model("churn", "attrition")
    assert dict(registry.get_model("fraud").aliases) == {"champion": 1}


def test_a_version_that_is_there_already_gets_the_aliases_all_the_same(fresh_ledger: Ledger) -> None:
    """transition with aliases lets them mean the version also where it is in the stage, all or none, and by the rules of moves by hand."""
    follows()
    version(), version()
    registry.transition("churn", 1, "production", aliases=["shadow"], by=ALICE)
    registry.transition("churn", 2, "staging", by=ALICE)
    registry.transition("churn", 2, "staging", aliases=["shadow", "next"], why="left behind", by=BOB)
    assert aliases() == {"shadow": 2, "next": 2, "champion": 1, "challenger": 2}
    last = registry.history("churn")[-2:]
    assert {(one.action, one.why, one.at) for one in last} == {("alias.moved", "left behind", last[0].at)}
    head = registry.audit_head()
    with pytest.raises(TransitionRefused, match="@champion of 'churn' stays where it is"):
        registry.transition("churn", 2, "staging", aliases=["another", "champion"], by=BOB)
    registry.transition("churn", 2, "staging", aliases=["next"], by=BOB)
    assert registry.audit_head() == head
