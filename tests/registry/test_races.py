"""Many processes change the registry at the same moment: one wins, the others are told, and the log is whole."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest

from prefect_ledger import registry
from prefect_ledger.errors import RegistryConflict
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.policies import Policy, Rule
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.forking import race
from tests.registry.helpers import ALICE, BOB, CAROL, logged, version

pytestmark = pytest.mark.usefixtures("store_url")
RACERS = [6, pytest.param(20, marks=pytest.mark.soak)]


def won(found: list[Any], *errors: str) -> list[Any]:
    """What those who won gave; the others have one of these errors."""
    lost = [one for one in found if isinstance(one, tuple)]
    assert {name for name, _ in lost} <= set(errors), lost
    return [one for one in found if not isinstance(one, tuple)]


def moves(action: str = "version.moved") -> list[Any]:
    """Rows of the log of one kind; the log is whole."""
    assert registry.verify_audit().whole, registry.verify_audit()
    return [one for one in registry.history("churn") if one.action == action]


@pytest.mark.parametrize("count", [20])
@pytest.mark.long
def test_of_many_promotions_one_wins(fresh_ledger: Ledger, count: int) -> None:
    """Each process promotes its own version into an empty stage: one is there, the others get a conflict, and one move is recorded."""
    for _ in range(count):
        version()

    def promote(number: int) -> int:
        return registry.transition("churn", number + 1, "production", expected=None, by=ALICE).version

    found = race(count, promote)
    (winner,) = won(found, "RegistryConflict")
    assert registry.get_model("churn").stages == {"production": winner}
    assert [one.version for one in moves()] == [winner]
    assert all("somebody moved it meanwhile; nothing was changed" in said for _, said in set(found) - {winner})


@pytest.mark.parametrize("count", RACERS)
def test_of_many_approved_requests_one_is_carried_out(fresh_ledger: Ledger, count: int) -> None:
    """All were approved against the same champion; when one is in, what the others were judged on is no longer so."""
    registry.set_policy(Policy((Rule("churn", "production", approvals=1),)))
    for number in range(1, count + 1):
        version()
        registry.approve(registry.request_transition("churn", number, "production", by=BOB).id, by=CAROL)

    def promote(number: int) -> int:
        return registry.transition("churn", number + 1, "production", by=BOB).version

    (winner,) = won(race(count, promote), "RegistryConflict", "TransitionRefused")
    registry.settle()
    assert [one.version for one in moves()] == [winner]
    assert Counter(one.state for one in registry.list_requests("churn")) == {"done": 1, "void": count - 1}
    assert [one.version for one in registry.list_requests("churn", state="done")] == [winner]


@pytest.mark.parametrize("count", RACERS)
@pytest.mark.long
def test_without_an_expectation_the_last_one_stands(fresh_ledger: Ledger, count: int) -> None:
    """Whoever wins archives who was there: production holds one version after each move, whatever the order."""
    for _ in range(count):
        version()

    def promote(number: int) -> int:
        for _ in range(100):
            try:
                return registry.transition("churn", number + 1, "production", by=ALICE).version
            except RegistryConflict:
                continue
        return 0

    assert sorted(race(count, promote)) == list(range(1, count + 1))
    stages = Counter(one.stage for one in registry.list_versions("churn"))
    assert stages == {"production": 1, "archived": count - 1}
    assert len(moves()) == 2 * count - 1


@pytest.mark.parametrize("count", [8, pytest.param(20, marks=pytest.mark.soak)])
@pytest.mark.long
def test_versions_registered_at_once_are_numbered_without_gaps(fresh_ledger: Ledger, count: int) -> None:
    """Numbers 1 to n, each once, also when the first of them makes the model; the same logged model is one version to all."""
    sources = [logged(name="m").uri for _ in range(count)]
    assert sorted(race(count, lambda number: registry.register_model("churn", sources[number]).version)) == list(range(1, count + 1))
    assert {one.uri: one.version for one in registry.list_versions("churn")} == {f"models:/churn/{n}": n for n in range(1, count + 1)}
    assert [one.version for one in moves("version.registered")] == list(range(1, count + 1))
    same = logged(name="m").uri
    assert race(count, lambda _: registry.register_model("churn", same).version) == [count + 1] * count
    assert len(moves("version.registered")) == count + 1


@pytest.mark.parametrize("count", RACERS)
@pytest.mark.long
def test_an_alias_is_moved_by_one_at_a_time(fresh_ledger: Ledger, count: int) -> None:
    """Of those who saw it nowhere one sets it; of those who try again each moves it from where it really was."""
    for _ in range(count):
        version()
    won(race(count, lambda number: registry.set_alias("churn", "champion", number + 1, expected=None)), "RegistryConflict")
    assert len(moves("alias.moved")) == 1

    def move(number: int) -> int:
        done = 0
        for _ in range(3):
            try:
                done += registry.set_alias("churn", "champion", number + 1) != number + 1
            except RegistryConflict:
                continue
        return done

    moved = sum(race(count, move))
    told = moves("alias.moved")
    assert len(told) == 1 + moved
    assert all(one.after["version"] == two.before["version"] for one, two in itertools.pairwise(told))
    assert registry.get_model("churn").aliases == {"champion": told[-1].after["version"]}


@pytest.mark.parametrize("count", RACERS)
@pytest.mark.long
def test_a_person_who_approves_several_times_at_once_counts_once(fresh_ledger: Ledger, count: int) -> None:
    """Half of the processes are one person: their approval counts once, each other's once too."""
    registry.set_policy(Policy((Rule("churn", "production", approvals=count),)))
    request = registry.request_transition("churn", version().version, "production", by=BOB).id

    def approve(number: int) -> int:
        by = CAROL if number % 2 else Identity(f"person {number}", Strength.OS)
        return registry.approve(request, by=by).id

    won(race(count, approve), "VoteRefused")
    votes = Counter(vote["voter"] for vote in registry.get_request(request).votes)
    assert votes == {"carol": 1} | {f"person {number}": 1 for number in range(0, count, 2)}
    assert len(moves("request.approved")) == len(votes)


@pytest.mark.parametrize("count", RACERS)
def test_policies_set_at_once_have_numbers_of_their_own(fresh_ledger: Ledger, count: int) -> None:
    """Each policy is a version, and the last in the log is the one that holds."""
    found = race(count, lambda number: registry.set_policy(Policy((Rule(f"model-{number}", "staging", approvals=1),))))
    assert sorted(found) == list(range(1, count + 1))
    holds = registry.get_policy()
    assert (holds.version, holds.policy.rules[0].model) == (count, f"model-{found.index(count)}")
    assert registry.verify_audit().whole
